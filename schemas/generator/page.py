"""TOPICS.md: every topic with its fields, for those who read them from outside."""

from .model import NO_DEFAULT

INTRO = """# Topics

Made by `schemas/generate.py` from `topics.json` and `avro/*.avsc`; do not edit.

Everything that Trunkline knows about a call is in Kafka. Values are Avro in the Confluent wire
format (byte 0, schema id in four bytes, the record), one record type a topic, subject
`<topic>-value`, so that every ordinary client reads them with default settings and the schema
registry alone. Keys are plain UTF-8 text. A null value is a tombstone. All names below carry the
prefix of the installation (setting `kafka.topic_prefix`, usually `trunkline.`).

A record that can be several things has one nullable field for each, and exactly one of them is set.
Times are milliseconds since 1970 (`timestamp-millis`). Every enum begins with `UNKNOWN`, which is
also what a reader gets for a symbol that it does not know yet. Schemas change only so that old
readers and old data go on working (`compatibility.py`).

Keys are spread over partitions as the Java client does it (murmur2). Topics with *calls* partitions
are keyed by call and have the same number of them (12 unless the installation says otherwise), so
that a call has the same partition in each. *Mailboxes* are partitions with an owner: the number of
the process that they are addressed to.

"""

READING = """## Reading a topic

Python (`pip install "confluent-kafka[avro]"`):

```python
from confluent_kafka import DeserializingConsumer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import StringDeserializer

registry = SchemaRegistryClient({"url": "http://localhost:8081/apis/ccompat/v7"})
consumer = DeserializingConsumer({
    "bootstrap.servers": "localhost:9092",
    "group.id": "my-analysis",
    "auto.offset.reset": "earliest",
    "key.deserializer": StringDeserializer("utf_8"),
    "value.deserializer": AvroDeserializer(registry),
})
consumer.subscribe(["trunkline.calls.v1"])
while True:
    message = consumer.poll(1.0)
    if message is None or message.error():
        continue
    event = message.value()
    if event and event["utterance"] and event["utterance"]["final"]:
        print(message.key(), event["utterance"]["speaker"], event["utterance"]["text"])
```

Node (`npm install kafkajs @kafkajs/confluent-schema-registry`):

```js
const { Kafka } = require("kafkajs");
const { SchemaRegistry } = require("@kafkajs/confluent-schema-registry");

const registry = new SchemaRegistry({ host: "http://localhost:8081/apis/ccompat/v7" });
const consumer = new Kafka({ brokers: ["localhost:9092"] }).consumer({ groupId: "my-analysis" });

(async () => {
  await consumer.connect();
  await consumer.subscribe({ topic: "trunkline.calls.v1", fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) => {
      if (!message.value) return; // tombstone
      const event = await registry.decode(message.value);
      if (event.utterance?.final) console.log(message.key.toString(), event.utterance.text);
    },
  });
})();
```

Addresses are those of your installation: `deploy/up` prints them at its end.

## The fence: which events count

A call outlives the process that holds it: when one dies, another takes the call up. For a moment
both may write. Which of their events count is decided by the order of `calls.v1` alone, and whoever
reads it must apply this rule, or may see a sentence twice:

1. A **claim** is (`number`, `offset`, `session`). Compare two of them number first, then offset,
   then session. (`number`, `offset`) alone is the attachment.
2. Nothing behind the first `closed` of a call counts.
3. Events without a claim (`claim` null: status, telephony, control) always count.
4. Keep one value per `call_id` and `leg`: the highest claim that you have seen. An event counts
   when its claim is that value or above it, and then becomes that value; a lower one is dropped.
   Under one claim only the first holder (`producer`, `epoch`) counts.
5. `given` and `stream_ended` count while their attachment is not below that of the highest claim,
   and never raise it.
6. Of the results of a `tool_intent` that counted, the first `tool_result` counts, under whatever
   claim.
7. The same event may come twice, with the same `event_id`: the first one counts.
8. An utterance has many revisions and one `final: true`. For a transcript take only the finals,
   ordered by `turn`.

`lib/call/fence.h` is the same rule in C.

"""


def cell(text):
    return " ".join(text.split()).replace("|", "\\|")


def type_text(type_):
    if type_.kind == "array":
        return "array of " + type_text(type_.items)
    if type_.kind == "map":
        return "map of " + type_text(type_.values)
    if type_.kind == "fixed":
        return "fixed %s (%d bytes)" % (type_.name, type_.size)
    if type_.kind in ("record", "enum"):
        return type_.name
    if getattr(type_, "logical", None):
        return "%s (%s)" % (type_.kind, type_.logical)
    return type_.kind


def duration(ms):
    if ms < 0:
        return "for ever"
    for unit, size in (("day", 86400000), ("hour", 3600000), ("minute", 60000), ("second", 1000)):
        if ms % size == 0:
            n = ms // size
            return "%d %s%s" % (n, unit, "" if n == 1 else "s")
    return "%d ms" % ms


def kept(topic):
    if topic.cleanup_policy == "compact":
        return "the newest record of each key, for ever (compacted)"
    return duration(topic.retention_ms)


def partitions(topic):
    return {
        "one": "1",
        "calls": "calls (12)",
        "mailboxes": "mailboxes (64)",
    }[topic.partitions]


def fields_table(record):
    out = ["| field | type | meaning |", "| --- | --- | --- |"]
    for field in record.fields:
        text = type_text(field.type) + (" or null" if field.nullable else "")
        doc = field.doc
        if not field.nullable and field.default is not NO_DEFAULT:
            doc += " Default: `%s`." % (field.default,)
        out.append("| `%s` | %s | %s |" % (field.name, cell(text), cell(doc)))
    return "\n".join(out) + "\n"


def parts(record):
    """Named types within a record, in the order in which they are met."""
    found = {}

    def visit(type_):
        if type_.kind in ("array", "map"):
            return visit(type_.items if type_.kind == "array" else type_.values)
        if type_.kind not in ("record", "enum") or type_.name in found:
            return None
        found[type_.name] = type_
        for field in getattr(type_, "fields", []):
            visit(field.type)
        return None

    visit(record)
    return [t for t in found.values() if t is not record]


def part_text(type_):
    if type_.kind == "enum":
        return "**%s** (enum): %s\n\n%s\n" % (
            type_.name,
            type_.doc,
            ", ".join("`%s`" % s for s in type_.symbols),
        )
    return "**%s**: %s\n\n%s" % (type_.name, type_.doc, fields_table(type_))


def topic_text(topic):
    rows = [
        ("record", "`%s.%s` (`avro/%s.avsc`)" % (topic.schema.record.namespace, topic.record, topic.schema.stem)),
        ("key", topic.key),
        ("partitions", partitions(topic)),
        ("kept", kept(topic)),
        ("settings", ", ".join("`%s=%s`" % pair for pair in topic.configs)),
        ("written by", ", ".join(topic.written_by)),
        ("read by", ", ".join(topic.read_by)),
    ]
    out = ["## `%s`\n" % topic.name, topic.description + "\n", "| | |", "| --- | --- |"]
    out += ["| %s | %s |" % (name, cell(text)) for name, text in rows]
    out += ["", topic.schema.record.doc + "\n", fields_table(topic.schema.record)]
    out += [part_text(t) for t in parts(topic.schema.record)]
    return "\n".join(out) + "\n"


def overview(topics):
    out = ["| topic | record | key | partitions | kept |", "| --- | --- | --- | --- | --- |"]
    for t in topics:
        anchor = t.name.replace(".", "")
        out.append(
            "| [`%s`](#%s) | %s | %s | %s | %s |" % (t.name, anchor, t.record, cell(t.key), partitions(t), kept(t))
        )
    return "\n".join(out) + "\n\n"


def page(topics):
    return INTRO + overview(topics) + READING + "".join(topic_text(t) for t in topics).rstrip("\n") + "\n"
