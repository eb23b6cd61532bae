"""schemas/generate.py: the house rules that it checks, and what it makes of good schemas."""

import copy
import json
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "schemas"))

from generator import c, model, page, topics  # noqa: E402

STATE = {"type": "enum", "name": "State", "doc": "S.", "symbols": ["UNKNOWN", "ON"], "default": "UNKNOWN"}
PART = {"type": "record", "name": "Part", "doc": "P.", "fields": [{"name": "text", "type": "string", "doc": "T."}]}
BASE = {
    "type": "record",
    "name": "Event",
    "namespace": "trunkline",
    "doc": "E.",
    "fields": [
        {"name": "id", "type": "string", "doc": "I."},
        {"name": "state", "type": STATE, "doc": "S."},
        {"name": "part", "type": ["null", PART], "doc": "P.", "default": None},
    ],
}


def parse(schema, name="event.avsc"):
    return model.Parser(name, json.dumps(schema)).parse()


def changed(change):
    schema = copy.deepcopy(BASE)
    change(schema["fields"], schema)
    return schema


def field(**parts):
    return lambda f, s: f.append(dict({"name": "more", "type": "string", "doc": "M."}, **parts))


def state(f):
    return f[1]["type"]


BROKEN = {
    "a record without doc": (lambda f, s: s.pop("doc"), "Event: record Event has no doc"),
    "a field without doc": (lambda f, s: f[0].pop("doc"), "Event.id: the field has no doc"),
    "an enum without doc": (lambda f, s: state(f).pop("doc"), "Event.state: enum State has no doc"),
    "a part's field without doc": (
        lambda f, s: f[2]["type"][1]["fields"][0].pop("doc"),
        "Event.part.text: the field has no doc",
    ),
    "an enum without UNKNOWN first": (lambda f, s: state(f)["symbols"].reverse(), "Event.state: enum State needs"),
    "an enum without default": (lambda f, s: state(f).pop("default"), "Event.state: enum State needs"),
    "a symbol in lower case": (lambda f, s: state(f)["symbols"].append("off"), "Event.state: symbol 'off'"),
    "a symbol twice": (lambda f, s: state(f)["symbols"].append("ON"), "Event.state: enum State has a symbol twice"),
    "a field in camel case": (field(name="callId"), "Event.callId: the name is not snake_case"),
    "a word of C": (field(name="register"), "Event.register: the name is not snake_case"),
    "a field twice": (field(name="id"), "Event.id: the field is there twice"),
    "a record in snake case": (lambda f, s: s.update(name="event"), "the name 'event' is not CamelCase"),
    "another file name": (lambda f, s: s.update(name="Happening"), "must be called happening.avsc"),
    "no namespace": (lambda f, s: s.pop("namespace"), "no namespace"),
    "a nullable field without default": (lambda f, s: f[2].pop("default"), "Event.part: a [\"null\""),
    "a union the other way round": (field(type=["string", "null"], default=""), "Event.more: a union must be"),
    "a union of three": (field(type=["null", "string", "long"], default=None), "Event.more: a union must be"),
    "a union in an array": (
        field(type={"type": "array", "items": ["null", "string"]}),
        "Event.more[]: a union is only possible",
    ),
    "a recursive record": (field(type=["null", "Event"], default=None), "Event.more: Event contains itself"),
    "an unknown type": (field(type="Nothing"), "Event.more: type 'Nothing'"),
    "a type defined twice": (field(type=copy.deepcopy(STATE)), "Event.more: State is defined twice"),
    "a default that does not fit": (field(default=1), "Event.more: the default 1"),
    "a default beyond an int": (field(type="int", default=2**31), "Event.more: the default 2147483648"),
    "a map of records": (field(type={"type": "map", "values": "Part"}), "Event.more: a map of record"),
    "a record without fields": (
        field(type={"type": "record", "name": "None_", "doc": "N.", "fields": []}),
        "Event.more: the name 'None_'",
    ),
    "an empty record": (
        field(type={"type": "record", "name": "Empty", "doc": "N.", "fields": []}),
        "Event.more: record Empty has no fields",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_rules_name_file_and_field(name):
    change, message = BROKEN[name]
    with pytest.raises(model.SchemaError) as e:
        parse(changed(change))
    assert str(e.value).startswith("event.avsc: ")
    assert message in str(e.value)


def test_a_good_schema_passes():
    schema = parse(BASE)
    assert list(schema.named) == ["State", "Part", "Event"]


def test_names():
    assert [model.snake(n) for n in ("CallEvent", "AIModel", "Uuid", "OpenAIKey")] == [
        "call_event",
        "ai_model",
        "uuid",
        "open_ai_key",
    ]


def test_the_same_type_in_two_files_is_emitted_once():
    other = changed(lambda f, s: s.update(name="Other"))
    both = model.Model([parse(BASE), parse(other, "other.avsc")])
    files = c.files(both, "avro")
    assert files["common.h"].count("enum tl_state {") == 1
    assert files["common.h"].count("struct tl_part {") == 1
    assert "enum tl_state {" not in files["event.h"] + files["other.h"]


def test_different_types_of_one_name_are_refused():
    other = changed(lambda f, s: (s.update(name="Other"), state(f)["symbols"].append("OFF")))
    with pytest.raises(model.SchemaError, match="other.avsc: State: defined otherwise than in event.avsc"):
        model.Model([parse(BASE), parse(other, "other.avsc")])


def test_a_forgotten_file_is_an_error(tmp_path):
    (tmp_path / "event.avsc").write_text(json.dumps(BASE))
    assert len(model.load(str(tmp_path), ["event"]).schemas) == 1
    with pytest.raises(model.SchemaError, match="other"):
        model.load(str(tmp_path), ["event", "other"])


def test_text_in_c_is_quoted():
    assert c.quote('a"\\\n?é') == '"a\\"\\\\\\n\\077\\303\\251"'


def topic(**parts):
    row = dict(
        name="events.v1",
        record="Event",
        key="id",
        partitions="calls",
        cleanup_policy="delete",
        retention_ms=1000,
        segment_ms=None,
        written_by=["a"],
        read_by=["b"],
        description="D.",
    )
    row.update(parts)
    return row


@pytest.mark.parametrize(
    "parts, message",
    [
        ({"name": "Events"}, "must be like"),
        ({"record": "Nothing"}, "no schema defines"),
        ({"partitions": "many"}, "partitions must be"),
        ({"cleanup_policy": "keep"}, "cleanup_policy must be"),
        ({"retention_ms": "1000"}, "retention_ms is missing or of a wrong type"),
        ({"colour": "red"}, "unknown: colour"),
    ],
)
def test_broken_topics_are_refused(tmp_path, parts, message):
    path = tmp_path / "topics.json"
    path.write_text(json.dumps({"topics": [topic(**parts)]}))
    with pytest.raises(model.SchemaError, match=message):
        topics.load(str(path), model.Model([parse(BASE)]))


def test_the_page_has_every_field(tmp_path):
    path = tmp_path / "topics.json"
    path.write_text(json.dumps({"topics": [topic()]}))
    text = page.page(topics.load(str(path), model.Model([parse(BASE)])))
    assert "| `part` | Part or null | P. |" in text
    assert "| `text` | string | T. |" in text
    assert "`UNKNOWN`, `ON`" in text
    assert "| kept | 1 second |" in text


def test_the_committed_page_is_fresh():
    done = subprocess.run(
        [sys.executable, str(ROOT / "schemas" / "generate.py"), "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
