"""Anybody's tools read the topics: nothing but broker and registry, default settings."""
import json

import pytest

import murmur2
import support

# key, murmur2 as Java's client computes it (kafka-clients 4.3.1), partition of 12, of 48
VECTORS = [
    ("a", -1563381124, 4, 28),
    ("call-1", -120123562, 10, 22),
    ("00000000-0000-5000-8000-000000000001", -1021929076, 4, 28),
    ("3f2504e0-4f89-51d3-9a0c-0305e82c3301", 292449382, 10, 22),
    ("9b2c7a54-1d1e-5c1a-b8f3-6d2a1c0e4f77", -1955184242, 6, 30),
    ("ümlaut", -104298453, 11, 11),
]


@pytest.mark.parametrize("key,hash_,of_12,of_48", VECTORS)
def test_partitioner_of_these_tests_is_the_java_clients(key, hash_, of_12, of_48):
    assert murmur2.murmur2(key.encode()) == hash_
    assert murmur2.partition(key.encode(), 12) == of_12
    assert murmur2.partition(key.encode(), 48) == of_48


@pytest.fixture(scope="module")
def call(stack):
    """A call that was spoken to its end."""
    placed = stack.place_call()
    placed.wait_closed()
    return placed


def test_python_decodes_calls(call):
    """stack.events is confluent-kafka[avro] with default settings."""
    events = call.events()
    assert events[-1]["closed"] is not None
    assert any(e["utterance"] and e["utterance"]["final"] for e in events)


def test_node_decodes_calls_to_the_same(stack, call):
    done = support.node("decode.js", stack.env["KAFKA_BROKERS"], stack.env["SCHEMA_REGISTRY_URL"],
                        "trunkline.calls.v1", call.call_id)
    said = [json.loads(line) for line in done.stdout.splitlines()]
    finals = [e["utterance"]["text"] for e in said if e["utterance"] and e["utterance"]["final"]]
    assert finals and said[-1]["closed"] is not None


def test_keys_are_where_the_java_client_would_put_them(stack, call):
    records = stack.records("calls.v1")
    assert records
    for record in records:
        assert record.partition() == murmur2.partition(record.key(), 12)
