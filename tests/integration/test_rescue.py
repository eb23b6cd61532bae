"""The watchdog: a call whose stream is gone comes back, though the telephone network does not ask."""
import pytest

import callers
from callers import GREETING, answer, heard, network, place, talk, words
from support import wait_for

HOURS, SHOES, YES = ("What are your opening hours?", "I want to return a pair of shoes.",
                     "Yes, please.")
SAID = [HOURS, SHOES, YES]
ANSWERS = [GREETING] + [answer(phrase) for phrase in SAID]
SCRIPT = [{"wait_answer": True}, {"say": HOURS}, {"wait_answer": True}, {"pause": 6000},
          {"say": SHOES}, {"wait_answer": True}, {"say": YES}, {"wait_answer": True},
          callers.HANG_UP]


@pytest.fixture(scope="module")
def stack(new_module_stack):
    made = new_module_stack()
    callers.apply_business(made, "lasting")
    return made


@pytest.fixture
def faults(stack):
    """Sets faults of the network; the usual behaviour comes back after the test."""
    yield lambda **kind: network(stack, "POST", "/faults", kind)
    network(stack, "POST", "/faults", {"after_abrupt": "action", "callbacks": "in_order"})


def ring(stack, script=None):
    return place(stack, script or SCRIPT, stack.businesses["lasting"])


def silence(call):
    """Both have spoken, and the caller thinks before the next phrase."""
    wait_for(lambda: len(heard(call.report())) == 2, "the first answer was heard")


def rescues(call):
    return [e["rescue"] for e in call.events() if e["rescue"]]


def assert_whole(call):
    """Every phrase of both sides once, in order, in the record and at the ear."""
    events = call.wait_closed()
    assert [text for who, text in words(call) if who == "CUSTOMER"] == SAID
    assert [text for who, text in words(call) if who == "AI"] == ANSWERS
    assert heard(call.report()) == ANSWERS
    assert [bool(e["closed"]) for e in events].count(True) == 1


@pytest.mark.parametrize("after_abrupt", ["hold", "nothing"])
def test_a_killed_ingest_is_noticed_for_the_network(stack, faults, after_abrupt):
    """The network holds the call in silence, or notices nothing: the watchdog redirects it."""
    faults(after_abrupt=after_abrupt)
    calls = [ring(stack) for _ in range(3)]
    for call in calls:
        silence(call)
    victim = callers.ingest_of(calls[0])
    on_victim = [c for c in calls if callers.ingest_of(c) == victim]
    assert stack.kill(victim)
    for call in on_victim:
        assert_whole(call)
        assert {r["reason"] for r in rescues(call)} == {"ingest_gone"}
        assert len(call.report()["streams"]) == 2
        assert callers.ingest_of(call) != victim
    for call in calls:
        if call not in on_victim:
            assert_whole(call)
            assert not rescues(call)
    stack.start_one(victim)
