"""schemas/compatibility.py on good and bad changes."""

import copy
import importlib.util
import json
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
spec = importlib.util.spec_from_file_location("compatibility", ROOT / "schemas" / "compatibility.py")
compatibility = importlib.util.module_from_spec(spec)
spec.loader.exec_module(compatibility)

BASE = {
    "type": "record",
    "name": "Event",
    "namespace": "trunkline",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "count", "type": "int"},
        {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["UNKNOWN", "ON"], "default": "UNKNOWN"}},
        {"name": "raw", "type": {"type": "fixed", "name": "Uuid", "size": 16}},
        {
            "name": "part",
            "type": ["null", {"type": "record", "name": "Part", "fields": [{"name": "text", "type": "string"}]}],
            "default": None,
        },
        {"name": "parts", "type": {"type": "array", "items": "trunkline.Part"}},
        {"name": "map", "type": {"type": "map", "values": "string"}},
        {"name": "note", "type": ["null", "string"], "default": None},
    ],
}


def changed(change):
    schema = copy.deepcopy(BASE)
    change(schema["fields"], schema)
    return schema


def add(name, type_, **default):
    return lambda fields, _: fields.append(dict(name=name, type=type_, **default))


def set_type(index, type_):
    return lambda fields, _: fields[index].update(type=type_)


def part_of(fields):
    return fields[5]["type"][1]


GOOD = {
    "nothing": lambda f, s: None,
    "a doc": lambda f, s: f[0].update(doc="An id."),
    "a nullable field at the end": add("more", ["null", "long"], default=None),
    "a nullable field in front": lambda f, s: f.insert(0, {"name": "more", "type": ["null", "int"], "default": None}),
    "another order": lambda f, s: f.insert(0, f.pop(2)),
    "a nullable field taken away": lambda f, s: f.pop(),
    "a nullable field in a part": lambda f, s: part_of(f)["fields"].append(
        {"name": "size", "type": ["null", "int"], "default": None}
    ),
    "a new part": add(
        "other",
        ["null", {"type": "record", "name": "Other", "fields": [{"name": "a", "type": "string"}]}],
        default=None,
    ),
    "a symbol at the end": lambda f, s: f[3]["type"]["symbols"].append("OFF"),
    "string as bytes": set_type(0, "bytes"),
}

BAD = {
    "a field without default": (add("more", "long"), "Event.more"),
    "a field with a default that is not null": (add("more", "long", default=0), "Event.more"),
    "a field with a nullable type and no default": (add("more", ["null", "long"]), "Event.more"),
    "a required field taken away": (lambda f, s: f.pop(0), "Event.id"),
    "a required field renamed": (lambda f, s: f[0].update(name="key"), "Event.key"),
    "int to long, which old readers cannot": (set_type(2, "long"), "Event.count"),
    "long to int": (set_type(1, "int"), "Event.at"),
    "string to int": (set_type(0, "int"), "Event.id"),
    "plain to nullable": (set_type(0, ["null", "string"]), "Event.id"),
    "nullable to plain": (set_type(8, "string"), "Event.note"),
    "a required field in a part": (
        lambda f, s: part_of(f)["fields"].append({"name": "size", "type": "int"}),
        "Event.part.size",
    ),
    "a type in a part": (lambda f, s: part_of(f)["fields"][0].update(type="long"), "Event.part.text"),
    "a part renamed": (
        lambda f, s: (part_of(f).update(name="Piece"), f[6]["type"].update(items="trunkline.Piece")),
        "Event.part",
    ),
    "the record renamed": (lambda f, s: s.update(name="Happening"), "Happening"),
    "a symbol taken away": (lambda f, s: f[3]["type"]["symbols"].pop(), "State"),
    "a symbol in the middle": (lambda f, s: f[3]["type"]["symbols"].insert(1, "OFF"), "State"),
    "the default of an enum, and a symbol more": (
        lambda f, s: (f[3]["type"].pop("default"), f[3]["type"]["symbols"].pop()),
        "Event.state",
    ),
    "another size": (lambda f, s: f[4]["type"].update(size=8), "Event.raw"),
    "items of another type": (set_type(6, {"type": "array", "items": "string"}), "Event.parts[]"),
    "values of another type": (set_type(7, {"type": "map", "values": "long"}), "Event.map{}"),
    "array to map": (set_type(6, {"type": "map", "values": "trunkline.Part"}), "Event.parts"),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_changes_pass(name):
    assert compatibility.check_pair(BASE, changed(GOOD[name])) == []


@pytest.mark.parametrize("name", BAD)
def test_bad_changes_are_found_where_they_are(name):
    change, where = BAD[name]
    lines = compatibility.check_pair(BASE, changed(change))
    assert any(line.startswith(where + ":") for line in lines), lines


def test_promotions_go_one_way():
    wider = changed(set_type(2, "long"))
    assert compatibility.can_read(BASE, wider) == []
    assert compatibility.can_read(wider, BASE) == [("Event.count", "long cannot be read as int")]


def test_a_recursive_schema_ends():
    schema = {"type": "record", "name": "Tree", "fields": [{"name": "next", "type": ["null", "Tree"], "default": None}]}
    assert compatibility.check_pair(schema, schema) == []


def write(folder, stem, schema):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / (stem + ".avsc")).write_text(json.dumps(schema))


def test_every_earlier_version_counts(tmp_path):
    """Each step is fine, but the third breaks the first: `more` comes back with another type."""
    avro, released = tmp_path / "avro", tmp_path / "released"
    first = changed(add("more", ["null", "long"], default=None))
    third = changed(add("more", ["null", "string"], default=None))
    write(released / "event", "1", first)
    write(released / "event", "2", BASE)
    write(avro, "event", third)
    assert compatibility.check_pair(BASE, third) == []
    lines = compatibility.check_all(str(avro), str(released))
    assert lines and all(line.startswith("event.avsc: against version 1: Event.more") for line in lines)


def test_a_released_schema_must_stay(tmp_path):
    write(tmp_path / "avro", "other", BASE)
    write(tmp_path / "released" / "event", "1", BASE)
    assert compatibility.check_all(str(tmp_path / "avro"), str(tmp_path / "released")) == [
        "event.avsc: was released and is gone"
    ]


def test_release_numbers_what_changed(tmp_path):
    avro, released = tmp_path / "avro", tmp_path / "released"
    write(avro, "event", BASE)
    assert compatibility.release(str(avro), str(released)) == ["event: version 1"]
    assert compatibility.release(str(avro), str(released)) == []
    write(avro, "event", changed(GOOD["a symbol at the end"]))
    assert compatibility.release(str(avro), str(released)) == ["event: version 2"]
    assert compatibility.versions(str(released), "event") == [1, 2]


def test_the_schemas_of_the_project_are_compatible():
    assert compatibility.check_all(str(ROOT / "schemas" / "avro"), str(ROOT / "schemas" / "released")) == []
