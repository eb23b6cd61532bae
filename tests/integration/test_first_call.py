"""A call from the first ring to the last row, through every process."""
import json

import pytest
import redis

from support import wait_for

TALK = ["What are your opening hours?", "How much does express shipping cost?",
        "Thank you, that is all."]
ANSWERS = {  # tests/sim/phrases.txt
    TALK[0]: "We are open from nine in the morning to six in the evening, Monday to Saturday.",
    TALK[1]: "Express shipping costs nine dollars and ninety five cents.",
}
GREETING = "Thank you for calling Harbour Lamps. How can I help you?"


def script(*sentences):
    steps = [[{"wait_answer": True}, {"say": sentence}] for sentence in sentences]
    return [step for pair in steps for step in pair]


@pytest.fixture(scope="module")
def call(stack):
    placed = stack.place_call(script(*TALK))
    placed.wait_closed()
    return placed


def finals(call):
    return [e["utterance"] for e in call.events() if e["utterance"] and e["utterance"]["final"]]


def test_both_sides_hear_each_other_byte_for_byte(call):
    """CALL-1: what the telephone simulator heard is what the AI said, unchanged."""
    report = call.wait_ended()
    heard = [h["phrase"] for h in report["heard"] if h["exact"]]
    assert heard[:3] == [GREETING, ANSWERS[TALK[0]], ANSWERS[TALK[1]]]
    assert report["errors"] == []


def test_the_log_has_every_word_in_turn_order(call):
    said = [(u["speaker"], u["text"]) for u in finals(call)]
    assert said[:6] == [("AI", GREETING),
                        ("CUSTOMER", TALK[0]), ("AI", ANSWERS[TALK[0]]),
                        ("CUSTOMER", TALK[1]), ("AI", ANSWERS[TALK[1]]),
                        ("CUSTOMER", TALK[2])]


def test_the_last_event_is_closed(call):
    events = call.events()
    assert [bool(e["closed"]) for e in events].count(True) == 1
    assert events[-1]["closed"]


def test_the_database_has_the_same_words(stack, call):
    wait_for(lambda: stack.sql("SELECT 1 FROM calls WHERE id = %s AND closed_at IS NOT NULL",
                               call.call_id), "the row is closed")
    rows = stack.sql("SELECT speaker::text, text FROM call_interactions WHERE call_id = %s "
                     "ORDER BY sequence", call.call_id)
    assert [(r["speaker"], r["text"]) for r in rows] == [(u["speaker"], u["text"])
                                                         for u in finals(call)]
    row, = stack.sql("SELECT * FROM calls WHERE id = %s", call.call_id)
    assert row["call_sid"] == call.sid
    assert row["business_id"] == "harbour-lamps"
    assert row["state"] == "COMPLETED"
    assert row["utterances"] == len(rows)
    assert row["cost_microusd"] > 0


def test_the_ai_ends_the_call_through_rest(call):
    """end_call becomes a tool intent when goodbye was heard, telephony ends the call, the result stands in
    the log."""
    events = call.events()
    intents = [e["tool_intent"] for e in events if e["tool_intent"]]
    results = [e["tool_result"] for e in events if e["tool_result"]]
    assert [i["name"] for i in intents] == ["say_goodbye", "end_call"]
    assert {r["intent_id"] for r in results} == {i["intent_id"] for i in intents}


CARD = "My card number is four one one one, one one one one, one one one one, one one one one."
DIGITS = "4111111111111111"


def test_a_spoken_card_number_is_nowhere(stack):
    """Neither in a topic but the mailboxes, nor in PostgreSQL, Redis or a log."""
    call = stack.place_call(script("I want to pay my bill.", CARD, TALK[2]))
    call.wait_closed()
    wait_for(lambda: stack.sql("SELECT 1 FROM calls WHERE id = %s AND closed_at IS NOT NULL",
                               call.call_id), "the row is closed")
    assert any(u["entities"] for u in finals(call)), "something was masked"
    places = {"topic calls.v1": json.dumps(call.events(), default=str)}
    for topic in ("commands.v1", "dead-letters.v1", "state.telephony.v1", "presence.v1"):
        places[f"topic {topic}"] = repr([r.value() for r in stack.records(topic)])
    for table in ("calls", "call_interactions", "call_usage"):
        places[f"table {table}"] = repr(stack.sql(f"SELECT * FROM {table}"))
    client = redis.Redis.from_url(stack.env["REDIS_URL"])
    places["redis"] = repr([client.dump(key) for key in client.scan_iter()])
    for name in stack.services:
        if not name.startswith("sim-"):
            with open(stack.log_path(name), errors="replace") as log:
                places[f"log {name}"] = log.read()
    spoken = "four one one one"
    for place, text in places.items():
        bare = text.lower().replace(" ", "").replace(",", "").replace("-", "")
        assert DIGITS not in bare, place
        assert spoken.replace(" ", "") not in bare, place
