"""Show D: what an analyst sees with broker and registry alone, in two languages, is the same story."""
import json

import pytest

import callers
import murmur2
import support
from callers import place, talk

SAID = ["What are your opening hours?", "My phone number is five five five, zero one four two."]


@pytest.fixture(scope="module")
def call(stack):
    number = callers.apply_business(stack, "analysed")
    placed = place(stack, talk(*SAID), number)
    placed.wait_closed()
    return placed


def node_events(stack, call, topic="calls.v1"):
    done = support.node("decode.js", stack.env["KAFKA_BROKERS"], stack.env["SCHEMA_REGISTRY_URL"],
                        stack.topic(topic), call.call_id)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_python_and_node_read_the_same_story(stack, call):
    python, node = call.events(), node_events(stack, call)
    assert [e["event_id"] for e in node] == [e["event_id"] for e in python]
    for one, other in zip(python, node):
        assert {part for part, value in one.items() if value is not None} == \
            {part for part, value in other.items() if value is not None}
        if one["utterance"]:
            for field in ("utterance_id", "revision", "final", "turn", "text", "speaker",
                          "media_to", "answers_to"):
                assert one["utterance"][field] == unwrapped(other["utterance"][field]), field


def unwrapped(value):
    """A position's long numbers come as text from Node."""
    if isinstance(value, dict):
        return {name: int(number) for name, number in value.items()}
    return value


def test_exactly_one_part_of_an_event_is_set(call):
    header = {"event_id", "call_id", "at", "producer", "epoch", "leg", "business_id", "claim"}
    for e in call.events():
        assert len([p for p, v in e.items() if p not in header and v is not None]) == 1


@pytest.mark.parametrize("topic", ["calls.v1", "commands.v1", "state.telephony.v1", "dead-letters.v1"])
def test_keys_are_where_the_java_client_puts_them(stack, call, topic):
    """Every topic that is keyed by call has as many partitions, and the same one for a call."""
    consumer = support.Consumer({"bootstrap.servers": stack.env["KAFKA_BROKERS"], "group.id": "unused"})
    count = len(consumer.list_topics(stack.topic(topic), 30).topics[stack.topic(topic)].partitions)
    consumer.close()
    assert count == 12
    for record in stack.records(topic):
        if topic != "dead-letters.v1":  # they keep the key of what failed, whatever it was
            assert record.partition() == murmur2.partition(record.key(), count)
