"""The table of topics: topics.json checked, and its C."""

import json
import re

from .c import NOTE, c_name, guard, quote
from .model import SchemaError

PARTITIONS = {"one": 1, "calls": 12, "mailboxes": 64}
NAME = re.compile(r"[a-z]+(-[a-z]+)*(\.[a-z]+(-[a-z]+)*)*\.v[1-9][0-9]*\Z")
KEYS = {
    "name": str,
    "record": str,
    "key": str,
    "partitions": str,
    "cleanup_policy": str,
    "retention_ms": int,
    "segment_ms": (int, type(None)),
    "written_by": list,
    "read_by": list,
    "description": str,
}


class Topic:
    def __init__(self, row, schema):
        self.__dict__.update(row)
        self.schema = schema
        self.configs = [("cleanup.policy", row["cleanup_policy"]), ("retention.ms", str(row["retention_ms"]))]
        if row["segment_ms"] is not None:
            self.configs.append(("segment.ms", str(row["segment_ms"])))
        if "max_message_bytes" in row:
            self.configs.append(("max.message.bytes", str(row["max_message_bytes"])))

    @property
    def constant(self):
        return "TL_TOPIC_" + re.sub(r"\.v[0-9]+\Z", "", self.name).replace(".", "_").replace("-", "_").upper()


def check(path, row, records):
    where = "%s: %s" % (path, row.get("name"))
    for key, type_ in KEYS.items():
        if key not in row or not isinstance(row[key], type_):
            raise SchemaError("%s: %s is missing or of a wrong type" % (where, key))
    unknown = set(row) - set(KEYS) - {"max_message_bytes"}
    if unknown:
        raise SchemaError("%s: unknown: %s" % (where, ", ".join(sorted(unknown))))
    if not NAME.match(row["name"]):
        raise SchemaError("%s: the name must be like calls.v1" % where)
    if row["partitions"] not in PARTITIONS:
        raise SchemaError("%s: partitions must be one of %s" % (where, ", ".join(PARTITIONS)))
    if row["cleanup_policy"] not in ("delete", "compact"):
        raise SchemaError("%s: cleanup_policy must be delete or compact" % where)
    if row["record"] not in records:
        raise SchemaError("%s: no schema defines the record %s" % (where, row["record"]))


def load(path, model):
    records = {s.record.name: s for s in model.schemas}
    with open(path, encoding="utf-8") as f:
        try:
            rows = json.load(f)["topics"]
        except (ValueError, KeyError, TypeError) as e:
            raise SchemaError("%s: not a table of topics: %s" % (path, e))
    topics, seen = [], set()
    for row in rows:
        check(path, row, records)
        if row["name"] in seen:
            raise SchemaError("%s: %s: there twice" % (path, row["name"]))
        seen.add(row["name"])
        topics.append(Topic(row, records[row["record"]]))
    return topics


HEADER = """
#include "codec/topic.h"

/** Every topic, in the order of topics.json. */
extern const struct tl_topic tl_topics[];
#define TL_TOPICS_N %d

%s
/** The topic with this name (without prefix), NULL when there is none. */
const struct tl_topic *tl_topic_find(const char *name);

#endif
"""

FIND = """
const struct tl_topic *tl_topic_find(const char *name)
{
    for (size_t i = 0; i < TL_TOPICS_N; i++)
        if (strcmp(name, tl_topics[i].name) == 0)
            return &tl_topics[i];
    return NULL;
}
"""


def header(topics):
    g = guard("avro", "topics")
    names = "".join("#define %s %s\n" % (t.constant, quote(t.name)) for t in topics)
    return NOTE % "topics.json" + "#ifndef %s\n#define %s\n" % (g, g) + HEADER % (len(topics), names)


def row_of(topic):
    configs = ", ".join("{%s, %s}" % (quote(k), quote(v)) for k, v in topic.configs)
    return (
        "    {.name = %s,\n     .type = &%s_type,\n     .key = %s,\n     .partitions = TL_PARTITIONS_%s,\n"
        "     .partitions_default = %d,\n     .retention_ms = %d,\n     .compacted = %s,\n"
        "     .configs = (const struct tl_topic_config[]){%s},\n     .configs_n = %d,\n"
        "     .written_by = %s,\n     .read_by = %s,\n     .description = %s},\n"
    ) % (
        quote(topic.name),
        c_name(topic.record),
        quote(topic.key),
        topic.partitions.upper(),
        PARTITIONS[topic.partitions],
        topic.retention_ms,
        "true" if topic.cleanup_policy == "compact" else "false",
        configs,
        len(topic.configs),
        quote(", ".join(topic.written_by)),
        quote(", ".join(topic.read_by)),
        quote(topic.description),
    )


def source(topics):
    includes = "".join('#include "avro/%s.h"\n' % s for s in sorted({t.schema.stem for t in topics}))
    return (
        NOTE % "topics.json"
        + '#include "avro/topics.h"\n\n#include <string.h>\n\n'
        + includes
        + "\nconst struct tl_topic tl_topics[] = {\n"
        + "".join(row_of(t) for t in topics)
        + "};\n_Static_assert(TL_ARRAY_LEN(tl_topics) == TL_TOPICS_N, \"\");\n"
        + FIND
    )
