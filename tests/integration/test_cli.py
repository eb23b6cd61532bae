"""The administrator's command `trunkline` against real servers: topics, schemas, businesses, records,
dead letters, test calls. Every test has a topic prefix of its own."""
import itertools
import json
import os
import signal
import subprocess

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

import support
from phone import NUMBER, network
from support import ROOT, wait_for

TOPICS = json.load(open(f"{ROOT}/schemas/topics.json"))["topics"]
BUSINESS = "business: {id: shop, name: %s, numbers: ['+15550100123']}\n"
numbers = itertools.count()


class Cli:
    """The command with a topic prefix and settings of its own."""

    def __init__(self, servers):
        self.prefix = f"cli{next(numbers)}."
        self.env = {**servers.environment(), "TRUNKLINE_KAFKA_TOPIC_PREFIX": self.prefix}
        self.admin = AdminClient({"bootstrap.servers": self.env["KAFKA_BROKERS"]})
        self.registry = SchemaRegistryClient({"url": self.env["SCHEMA_REGISTRY_URL"]})
        self.producer = Producer({"bootstrap.servers": self.env["KAFKA_BROKERS"],
                                  "partitioner": "murmur2_random"})

    def __call__(self, *words, status=0, settings=None, text_in=None):
        """Run it; returns what it printed, and looks at its exit status."""
        done = support.trunkline(*words, env={**self.env, **(settings or {})}, check=False,
                                 text_in=text_in)
        assert done.returncode == status, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        self.said = done.stderr
        return done.stdout

    def partitions(self):
        found = self.admin.list_topics(timeout=30).topics
        return {name.removeprefix(self.prefix): len(topic.partitions)
                for name, topic in found.items() if name.startswith(self.prefix)}

    def tail(self, topic, *words):
        out = self("tail", topic, "--from", "beginning", "--until-end", *words)
        return [json.loads(line) for line in out.splitlines()]

    def encode(self, topic, value):
        """A value as Python's own client encodes it, with the schema that is registered."""
        name = self.prefix + topic
        schema = self.registry.get_latest_version(f"{name}-value").schema.schema_str
        write = AvroSerializer(self.registry, schema, conf={"auto.register.schemas": False,
                                                            "use.latest.version": True})
        return write(value, SerializationContext(name, MessageField.VALUE))

    def send(self, topic, key, value, **more):
        """Produce a record; returns (partition, offset)."""
        placed = []
        self.producer.produce(self.prefix + topic, key=key, value=value, **more,
                              on_delivery=lambda e, m: placed.append((e, m)))
        self.producer.flush(30)
        error, message = placed[0]
        assert error is None
        return message.partition(), message.offset()


@pytest.fixture
def bare(servers):
    """No topics yet."""
    return Cli(servers)


@pytest.fixture(scope="module")
def cli(servers):
    """Topics and schemas are there."""
    made = Cli(servers)
    made("topics", "create")
    made("schemas", "register")
    return made


def command(call_id, command_id="c-1"):
    """A CallCommand with everything that has no default."""
    with open(f"{ROOT}/schemas/avro/call_command.avsc") as f:
        fields = json.load(f)["fields"]
    zero = {"string": "", "int": 0, "long": 0, "boolean": False, "double": 0.0}
    value = {f["name"]: zero_of(f["type"], zero) for f in fields if "default" not in f}
    return {**value, **{k: v for k, v in (("call_id", call_id), ("command_id", command_id))
                        if any(f["name"] == k for f in fields)}}


def zero_of(kind, zero):
    """Some value of an Avro type."""
    if isinstance(kind, list):
        return zero_of(kind[0], zero)
    if isinstance(kind, str):
        return zero.get(kind)
    inner = {"enum": lambda: kind["symbols"][0], "array": list, "map": dict,
             "record": lambda: {f["name"]: zero_of(f["type"], zero) for f in kind["fields"]},
             "fixed": lambda: bytes(kind["size"])}.get(kind["type"])
    return inner() if inner else zero.get(kind["type"])


# --- command line and settings

def test_help_tells_every_command(cli):
    text = cli("--help")
    names = [line[2:24].strip() for line in text.splitlines() if line.startswith("  ")]
    for name in (n for n in names if n and not n.startswith("--")):
        assert f"usage: trunkline {name}" in cli(*name.split(), "--help")
        assert name in text
    assert "topics create" in names and "dead-letters replay" in names


@pytest.mark.parametrize("words,says", [
    (["topic", "list"], "no such command"),
    (["tail"], "usage: trunkline tail"),
    (["tail", "calls.v1", "--form", "end"], "--form: no such option of tail"),
    (["tail", "nothing.v1"], "no such topic"),
])
def test_wrong_command_line_is_named(cli, words, says):
    cli(*words, status=2)
    assert says in cli.said


def test_wrong_setting_is_named_with_file_and_line(cli, tmp_path):
    config = tmp_path / "trunkline.yaml"
    config.write_text("kafka:\n  brokrs: x\n")
    cli("topics", "list", "--config", config, status=2)
    assert f"{config}:2: kafka.brokrs: no such setting (did you mean kafka.brokers?)" in cli.said


def test_wrong_variable_is_named(cli):
    cli("topics", "list", settings={"TRUNKLINE_KAFKA_LINGER_MS": "soon"}, status=2)
    assert 'TRUNKLINE_KAFKA_LINGER_MS: kafka.linger_ms: "soon" is not a whole number' in cli.said


def test_servers_that_do_not_answer_are_named(cli):
    nowhere = {"KAFKA_BROKERS": "127.0.0.1:1", "SCHEMA_REGISTRY_URL": "http://127.0.0.1:1",
               "TRUNKLINE_CLI_TIMEOUT": "1s"}
    cli("topics", "list", settings=nowhere, status=1)
    assert "127.0.0.1:1" in cli.said
    cli("schemas", "list", settings=nowhere, status=1)
    assert "http://127.0.0.1:1/subjects/" in cli.said


# --- topics

def test_dry_run_creates_nothing(bare):
    out = bare("topics", "create", "--dry-run")
    assert all(f"{bare.prefix}{t['name']}: would be created" in out for t in TOPICS)
    assert bare.partitions() == {}
    bare("topics", "check", status=3)
    assert f"{bare.prefix}calls.v1: 0 partitions, wanted 12: missing" in bare.said


def test_created_topics_are_there_at_once(bare):
    bare("topics", "create", settings={"TRUNKLINE_TOPICS_MAILBOXES": "3",
                                       "TRUNKLINE_TOPICS_CALL_PARTITIONS": "4"})
    wanted = {"one": 1, "calls": 4, "mailboxes": 3}
    assert bare.partitions() == {t["name"]: wanted[t["partitions"]] for t in TOPICS}


def test_mailboxes_grow_and_topics_of_calls_do_not(bare):
    few = {"TRUNKLINE_TOPICS_MAILBOXES": "3"}
    bare("topics", "create", settings=few)
    bare("topics", "check", settings={"TRUNKLINE_TOPICS_MAILBOXES": "5"}, status=3)
    out = bare("topics", "create", settings={"TRUNKLINE_TOPICS_MAILBOXES": "5"})
    assert f"{bare.prefix}media.v1: grown from 3 to 5 partitions" in out
    assert bare.partitions()["playback.v1"] == 5
    bare("topics", "check", settings=few)  # more mailboxes than wanted are no harm
    bare("topics", "create", settings={**few, "TRUNKLINE_TOPICS_CALL_PARTITIONS": "24"}, status=3)
    assert "calls.v1: 12 partitions, wanted 24" in bare.said
    assert bare.partitions()["calls.v1"] == 12


# --- schemas

def test_schemas_need_their_topic_and_say_so(bare):
    bare("schemas", "register", status=1)
    assert "trunkline topics create" in bare.said


def test_registered_schemas_are_published_in_config(cli):
    entries = {r["key"]: r["value"] for r in cli.tail("config.v1") if r["key"].startswith("SCHEMA/")}
    for topic in TOPICS:
        subject = f"{cli.prefix}{topic['name']}-value"
        version = cli.registry.get_latest_version(subject)
        entry = entries[f"SCHEMA/{subject}/1"]
        assert entry["schema"]["registry_id"] == version.schema_id
        assert entry["schema"]["registry_version"] == version.version
        assert json.loads(entry["schema"]["text"])["name"] == topic["record"]


def test_registering_again_writes_nothing(cli):
    before = len(cli.tail("config.v1"))
    assert "published" not in cli("schemas", "register")
    assert len(cli.tail("config.v1")) == before
    assert "not registered" not in cli("schemas", "list")
    assert cli("schemas", "check").count(": registered\n") == len(TOPICS)


def test_incompatible_schema_is_found_and_not_registered(bare):
    bare("topics", "create")
    subject = f"{bare.prefix}calls.v1-value"
    other = {"type": "record", "name": "CallEvent", "namespace": "trunkline",
             "fields": [{"name": "call_id", "type": "int", "doc": "x"}]}
    url = f"{bare.env['SCHEMA_REGISTRY_URL']}/subjects/{subject}/versions"
    status, _ = support.request("POST", url, {"schema": json.dumps(other)})
    assert status == 200
    bare("schemas", "check", status=3)
    assert f"{subject}: the registry's compatibility is NONE" in bare.said
    bare("schemas", "register", status=3)
    assert "409" in bare.said  # it has set the level first
    bare("schemas", "check", status=3)
    assert f"{subject}: not compatible" in bare.said
    bare("schemas", "register", status=3)
    assert "409" in bare.said
    assert json.loads(support.get(url)[1]) == [1]


# --- businesses

def show(cli, business):
    return cli("config", "show", business)


def test_apply_writes_a_version_only_for_a_change(cli, tmp_path):
    path = tmp_path / "shop.yaml"
    path.write_text(BUSINESS % "Lamps")
    assert "business shop: version 1, written" in cli("config", "apply", path)
    assert "business shop: version 1, unchanged" in cli("config", "apply", path)
    path.write_text(BUSINESS % "Lanterns")
    assert "business shop: version 2, written" in cli("config", "apply", path)
    keys = [r["key"] for r in cli.tail("config.v1") if r["key"].startswith("BUSINESS/shop/")]
    assert keys == ["BUSINESS/shop/1", "BUSINESS/shop/2"]
    assert 'name: "Lanterns"' in show(cli, "shop")
    assert 'name: "Lamps"' in cli("config", "show", "shop", "--version", "1")
    assert "+15550100123" in cli("config", "show")
    cli("config", "show", "nobody", status=1)


def test_what_show_prints_can_be_applied(cli):
    cli("config", "apply", f"{ROOT}/deploy/config/demo-business.yaml")
    text = show(cli, "harbour-lamps")
    out = cli("config", "apply", "-", text_in=text)
    assert "business harbour-lamps: version 1, unchanged" in out


def test_wrong_file_is_named_by_line_and_nothing_is_written(cli, tmp_path):
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text((BUSINESS % "Good").replace("shop", "never"))
    bad.write_text("business:\n  id: bad\n  name: Bad\n  numbrs: []\nai:\n  voice: bob\n")
    for words in (["config", "apply", good, bad], ["config", "validate", bad]):
        cli(*words, status=2)
        assert f"{bad}:4: business.numbrs: no such setting (did you mean business.numbers?)" in cli.said
        assert f"{bad}:6: ai.voice:" in cli.said
    cli("config", "show", "never", status=1)


def test_validate_needs_no_server(cli):
    nowhere = {"KAFKA_BROKERS": "127.0.0.1:1", "TRUNKLINE_CONFIG": "/nowhere.yaml"}
    assert "is good" in cli("config", "validate", f"{ROOT}/deploy/config/demo-business.yaml",
                            settings=nowhere)


def test_the_settings_page_is_fresh(cli):
    with open(f"{ROOT}/deploy/config/SETTINGS.md") as f:
        assert cli("settings") == f.read()


# --- tail

def test_tail_decodes_records_of_other_clients(cli):
    value = command("call-a")
    place = cli.send("commands.v1", "call-a", cli.encode("commands.v1", value), timestamp=1795442400123)
    line = cli.tail("commands.v1", "--call", "call-a")[-1]
    assert (line["partition"], line["offset"]) == place
    assert line["topic"] == "commands.v1"
    assert line["timestamp"] == "2026-11-23T14:00:00.123Z"
    assert line["value"]["call_id"] == "call-a"


def test_tail_shows_what_cannot_be_decoded_and_tombstones(cli):
    cli.send("commands.v1", "call-odd", b"\x01rubbish")
    cli.send("commands.v1", "call-odd", None)
    broken, tombstone = cli.tail("commands.v1", "--call", "call-odd")
    assert broken["base64"] == "AXJ1YmJpc2g=" and broken["error"] and "value" not in broken
    assert tombstone["value"] is None


def test_tail_fetches_the_schema_of_a_newer_writer(bare):
    """A version that is in the registry and not in config.v1; records behind it wait for it."""
    bare("topics", "create")
    bare("schemas", "register")
    subject = f"{bare.prefix}commands.v1-value"
    old = bare.encode("commands.v1", command("call-v"))
    schema = json.loads(bare.registry.get_latest_version(subject).schema.schema_str)
    schema["fields"].append({"name": "later", "type": ["null", "string"], "default": None})
    bare.registry.register_schema(subject, Schema(json.dumps(schema), "AVRO"))
    bare.registry = SchemaRegistryClient({"url": bare.env["SCHEMA_REGISTRY_URL"]})  # no cache
    new = bare.encode("commands.v1", {**command("call-v"), "later": "x"})
    assert old[:5] != new[:5]
    for value in (new, old, new):
        bare.send("commands.v1", "call-v", value)
    lines = bare.tail("commands.v1")
    assert [line["offset"] for line in lines] == [0, 1, 2]
    assert all(line["value"]["call_id"] == "call-v" for line in lines)


def test_tail_counts_and_begins_where_told(cli):
    places = [cli.send("commands.v1", "call-n", cli.encode("commands.v1", command("call-n")))
              for _ in range(4)]
    partition, third = places[2]
    out = cli("tail", "commands.v1", "--partition", partition, "--from", third, "--count", "2")
    assert [json.loads(line)["offset"] for line in out.splitlines()] == [third, third + 1]
    cli("tail", "commands.v1", "--partition", partition, "--from", third + 1000, status=1)
    assert "no such offset" in cli.said


def test_tail_follows_until_interrupted(cli):
    env = {**os.environ, **cli.env}
    process = subprocess.Popen([f"{support.bin_folder()}/trunkline", "tail", "commands.v1", "--call",
                                "call-live"], env=env, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    os.set_blocking(process.stdout.fileno(), False)
    lines = []

    def sees_a_record():
        """It begins at the end: a record counts that was written after it had begun."""
        cli.send("commands.v1", "call-live", cli.encode("commands.v1", command("call-live")))
        lines.append(process.stdout.readline() or "")
        return lines[-1].endswith("\n")

    try:
        wait_for(sees_a_record, "a record in the tail", 30.0)
        assert json.loads(lines[-1])["key"] == "call-live"
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


# --- dead letters

def letter(topic, key, value, reason="test", headers=()):
    return {"at": 1795442400000, "producer": "records-0", "topic": topic, "partition": 3, "offset": 17,
            "timestamp": 1795442300000, "key": key, "value": value,
            "headers": [{"name": n, "value": v} for n, v in headers], "reason": reason}


def put_aside(cli, content):
    """Returns the letter's name."""
    place = cli.send("dead-letters.v1", content["key"], cli.encode("dead-letters.v1", content))
    return f"{place[0]}/{place[1]}"


def test_dead_letters_are_listed_and_shown(cli):
    inside = cli.encode("commands.v1", command("call-dead"))
    name = put_aside(cli, letter("commands.v1", b"call-dead", inside, "no such call",
                                 [("traceparent", b"00-ab")]))
    row = next(line for line in cli("dead-letters", "list").splitlines() if line.startswith(name))
    assert "commands.v1[3]@17" in row and "call-dead" in row and "no such call" in row
    shown = json.loads(cli("dead-letters", "show", name))
    assert shown["record"]["value"]["call_id"] == "call-dead"
    assert shown["headers"] == {"traceparent": "00-ab"}
    assert name not in cli("dead-letters", "list", "--topic", "calls.v1")
    cli("dead-letters", "show", "0/99999", status=1)


def test_replay_sends_the_record_as_it_was(cli):
    inside = cli.encode("commands.v1", command("call-again"))
    name = put_aside(cli, letter("commands.v1", b"call-again", inside, headers=[("a", b"1"), ("b", None)]))
    assert f"{name} to commands.v1: would be replayed" in cli("dead-letters", "replay", name, "--dry-run")
    assert cli.tail("commands.v1", "--call", "call-again") == []
    assert f"{name} to commands.v1: replayed" in cli("dead-letters", "replay", name)
    found = [r for r in support.read_all(cli.env["KAFKA_BROKERS"], f"{cli.prefix}commands.v1")
             if r.key() == b"call-again"]
    assert len(found) == 1
    assert found[0].value() == inside
    assert found[0].headers() == [("a", b"1"), ("b", None)]
    assert found[0].timestamp()[1] == 1795442300000


def test_replay_refuses_what_would_do_harm(cli):
    names = [put_aside(cli, letter(topic, b"k", b"v"))
             for topic in ("media.v1", "presence.v1", "state.telephony.v1", "nobodys.v1")]
    out = cli("dead-letters", "replay", *names, status=3)
    assert out.count("not replayed") == 4
    assert cli.tail("presence.v1") == [] and cli.tail("state.telephony.v1") == []
    cli("dead-letters", "replay", status=2)


# --- calls

def test_call_prints_what_the_network_does(cli):
    """Without Trunkline behind the number: an application that says a sentence and hangs up."""
    with network() as (app, phone):
        app.routes["/voice"] = "<Response><Say>Nobody is here.</Say><Hangup/></Response>"
        out = cli("call", "--to", NUMBER, "Hello.", settings={"TRUNKLINE_SIMULATOR_URL": phone.control},
                  status=1)
        assert "network   Nobody is here." in out
        assert "completed" in out
        assert "the AI said nothing" in cli.said
        cli("call", "--to", "+19995550199", settings={"TRUNKLINE_SIMULATOR_URL": phone.control}, status=1)
        assert "nobody has the number" in cli.said
    cli("call", status=2)
    assert "TRUNKLINE_SIMULATOR_URL" in cli.said


def test_call_prints_both_sides(stack):
    done = stack.trunkline("call", "--to", "+15550100100")  # others have numbers here too
    lines = done.stdout.splitlines()
    said = [line.split(None, 3) for line in lines if " s  " in line]
    assert ["caller", "What are your opening hours?"] in [words[2:] for words in said]
    assert any(words[2] == "AI" for words in said)
    assert "completed" in done.stdout
