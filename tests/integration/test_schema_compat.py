"""The rules by which tests/lint/check-schemas judges a change of a schema."""
import copy
import json
import sys

import pytest

from support import ROOT

sys.path.insert(0, f"{ROOT}/tests/lint")
from schema_compat import problems  # noqa: E402


def record(*fields, name="Thing"):
    return {"type": "record", "name": name, "namespace": "trunkline", "fields": list(fields)}


def field(name, type_, **more):
    return {"name": name, "type": type_, **more}


COLOUR = {"type": "enum", "name": "Colour", "symbols": ["UNKNOWN", "RED"]}
CASES = [  # what changed, reader, writer, what is said ("" for fine)
    ("nothing", record(field("a", "int")), record(field("a", "int")), ""),
    ("field added with default", record(field("a", ["null", "int"], default=None)), record(), ""),
    ("field added without default", record(field("a", "int")), record(), "a: is new"),
    ("field removed", record(), record(field("a", "int")), ""),
    ("field renamed with alias", record(field("b", "int", aliases=["a"])),
     record(field("a", "int")), ""),
    ("int became long", record(field("a", "long")), record(field("a", "int")), ""),
    ("long became int", record(field("a", "int")), record(field("a", "long")), "long became int"),
    ("became nullable", record(field("a", ["null", "int"])), record(field("a", "int")), ""),
    ("no longer nullable", record(field("a", "int")), record(field("a", ["null", "int"])),
     "null became int"),
    ("symbol lost without default", record(field("a", {**COLOUR, "symbols": ["UNKNOWN"]})),
     record(field("a", COLOUR)), "enum lost RED"),
    ("symbol lost with default",
     record(field("a", {**COLOUR, "symbols": ["UNKNOWN"], "default": "UNKNOWN"})),
     record(field("a", COLOUR)), ""),
    ("items changed", record(field("a", {"type": "array", "items": "int"})),
     record(field("a", {"type": "array", "items": "string"})), "a[]: string became int"),
    ("record renamed", record(name="Other"), record(), "record Thing became Other"),
    ("deep inside",
     record(field("a", ["null", record(field("b", "int"), field("c", "int"), name="Part")])),
     record(field("a", ["null", record(field("b", "int"), name="Part")])), "no branch"),
]


@pytest.mark.parametrize("what,reader,writer,said", CASES, ids=[c[0] for c in CASES])
def test_rule(what, reader, writer, said):
    found = problems(reader, writer)
    assert (found == []) if said == "" else (said in " ".join(found))


def test_a_broken_change_of_a_real_schema_is_found():
    with open(f"{ROOT}/schemas/avro/call_event.avsc") as f:
        former = json.load(f)
    present = copy.deepcopy(former)
    present["fields"][0]["type"] = "double"
    assert problems(former, former) == []
    assert problems(present, former)
