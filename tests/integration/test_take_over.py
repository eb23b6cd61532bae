"""A call outlives every process: killed, drained or doubled in mid-call, nobody has to say a word twice."""
import dataclasses
import time

import pytest

import callers
from callers import GREETING, answer, heard, place, talk, words
from support import wait_for

COMPLAINT = "This is the third time I am calling about this!"
HOURS, SHOES, YES = ("What are your opening hours?", "I want to return a pair of shoes.",
                     "Yes, please.")


@pytest.fixture(scope="module")
def stack(new_module_stack):
    made = new_module_stack()
    callers.apply_business(made, "lasting")
    return made


# ---- the moment at which it happens ----

def greeted(call):
    """The simulator's report once the greeting was heard to its end."""
    wait_for(lambda: heard(call.report()), "the greeting is heard")
    return call.report()


def caller_speaks(call):
    """In the middle of the caller's first phrase, by the simulator's clock."""
    end_us = greeted(call)["heard"][0]["end_us"]
    wait_for(lambda: time.monotonic() * 1e6 > end_us + 1_200_000, "the caller speaks", 30.0, 0.01)
    assert not call.report()["said"]


def ai_speaks(call):
    """The answer to the first phrase is on its way to the caller's ear."""
    greeted(call)
    wait_for(lambda: len(callers.open_session(call)["said"]) == 2, "the AI answers", 30.0, 0.01)


def silence(call):
    """Both have spoken, and the caller thinks before the next phrase."""
    wait_for(lambda: len(heard(call.report())) == 2, "the first answer was heard")


MOMENTS = {"caller": caller_speaks, "ai": ai_speaks, "silence": silence}
SAID = [COMPLAINT, SHOES, YES]
ANSWERS = [GREETING] + [answer(phrase) for phrase in SAID]
SCRIPT = [{"wait_answer": True}, {"say": COMPLAINT}, {"wait_answer": True}, {"pause": 6000},
          {"say": SHOES}, {"wait_answer": True}, {"say": YES}, {"wait_answer": True},
          callers.HANG_UP]


def ring(stack):
    return place(stack, SCRIPT, stack.businesses["lasting"])


# ---- what must have become of the call ----

def cut_answers(call):
    """Finals of the AI that hold only the beginning of an answer: it was cut, and said again."""
    cut = [text for who, text in words(call) if who == "AI" and text not in ANSWERS]
    for text in cut:
        assert any(whole.startswith(text.rstrip()) for whole in ANSWERS), text
    return cut


def assert_whole(call, lost=()):
    """Every phrase of both sides once, in order; `lost` were said while no stream was open."""
    events = call.wait_closed()
    said = [text for who, text in words(call) if who == "CUSTOMER"]
    assert [text for text in said if text in SAID] == [text for text in SAID if text not in lost]
    if not lost:
        assert said == SAID
    answers = [text for who, text in words(call) if who == "AI"]
    for text in ANSWERS:
        if text != answer(COMPLAINT) or not lost:
            assert answers.count(text) == 1, words(call)
            assert heard(call.report()).count(text) == 1
    assert [bool(e["closed"]) for e in events].count(True) == 1
    assert_finals_once(call)


def assert_finals_once(call):
    ids = [u["utterance_id"] for u in callers.finals(call)]
    assert len(ids) == len(set(ids))
    turns = [u["turn"] for u in callers.finals(call)]
    assert turns == sorted(turns)


def assert_answered_once(call):
    """No two answers to one position of the caller, unless the first was cut."""
    positions = [(u["answers_to"]["number"], u["answers_to"]["offset"], u["answers_to"]["n"])
                 for u in callers.finals(call)
                 if u["speaker"] == "AI" and u["answers_to"] and u["text"] in ANSWERS]
    assert len(positions) == len(set(positions))


# ---- killed ----

@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_conversation_is_not_missed(stack, moment):
    call = ring(stack)
    MOMENTS[moment](call)
    victim = callers.conversation_of(call)
    assert stack.kill(victim)
    stack.start_one(victim, wait=False)
    assert_whole(call)
    assert_answered_once(call)
    assert len(cut_answers(call)) <= 1
    report = call.report()
    assert [s["lost_frames"] for s in report["said"]] == [0] * len(SAID)
    assert len(report["streams"]) == 1, "the telephone network noticed nothing"
    started = [e["session_started"]["cause"] for e in call.events() if e["session_started"]]
    assert started[0] == "first" and len(started) >= 2
    stack.wait_ready(victim)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_ingest_is_replaced_by_another(stack, moment):
    """Twilio asks the action URL. What the caller said while no stream was open is lost for all;
    the call and its record go on."""
    call = ring(stack)
    MOMENTS[moment](call)
    victim = callers.ingest_of(call)
    assert stack.kill(victim)
    stack.start_one(victim, wait=False)
    call.wait_closed()
    assert_whole(call, lost=[COMPLAINT] if moment == "caller" else [])
    report = call.report()
    assert len(report["streams"]) == 2
    numbers = [e["claim"]["number"] for e in call.events() if e["session_started"]]
    assert numbers == sorted(numbers) and numbers[-1] == 2
    stack.wait_ready(victim)


def test_what_was_said_last_survives_the_conversation(stack):
    """Killed between the hang-up and `closed`, with the caller's last phrase not in words: telephony gives
    the call, over as it is, to another conversation, which hears the phrase in the mailbox."""
    call = place(stack, [{"wait_answer": True}, {"say": HOURS}, {"wait_answer": True}, {"say": SHOES},
                         callers.HANG_UP], stack.businesses["lasting"])
    wait_for(lambda: len(heard(call.report())) == 2, "the first answer was heard")
    callers.break_session(call, "late_transcript", delay_ms=60000)
    victim = callers.conversation_of(call)
    wait_for(lambda: call.report()["ended_ms"] is not None, "the caller hangs up", 30.0, 0.01)
    assert stack.kill(victim)
    stack.start_one(victim, wait=False)
    events = call.wait_closed()
    assert words(call) == [("AI", GREETING), ("CUSTOMER", HOURS), ("AI", answer(HOURS)),
                           ("CUSTOMER", SHOES)]
    assert next(e for e in events if e["closed"])["producer"].startswith("conversation")
    assert_finals_once(call)
    stack.wait_ready(victim)


# ---- drained ----

@pytest.mark.parametrize("who", ["conversation", "ingest"])
def test_nobody_notices_a_drain(stack, who):
    """SIGTERM under calls that are in different sentences: all go on elsewhere, exit status 0."""
    calls = [ring(stack) for _ in range(4)]
    silence(calls[0])
    victim = (callers.conversation_of if who == "conversation" else callers.ingest_of)(calls[0])
    assert stack.stop_one(victim) == 0
    stack.start_one(victim)
    for call in calls:
        assert_whole(call)
        assert cut_answers(call) == []
        report = call.report()
        assert [h["dry_ms"] for h in report["heard"] if h["exact"]] == [0] * len(ANSWERS)
        assert [s["whole"] and s["lost_frames"] == 0 for s in report["said"]] == [True] * len(SAID)


# ---- doubled ----

def test_the_older_of_two_conversations_with_one_number_exits(stack):
    call = place(stack, talk(HOURS, SHOES), stack.businesses["lasting"])
    greeted(call)
    victim = callers.conversation_of(call)
    old = stack.services[victim]
    child = stack.processes.children[victim]
    port = stack.layout.port("second-admin")
    env = {**old.command.env, "TRUNKLINE_ADMIN_LISTEN": f"127.0.0.1:{port}"}
    stack.services["second"] = dataclasses.replace(
        old, name="second", port=port, command=dataclasses.replace(old.command, env=env))
    stack.start_one("second")
    wait_for(lambda: child.poll() is not None, "the older one exits")
    call.wait_closed()
    assert heard(call.report()) == [GREETING, answer(HOURS), answer(SHOES)]
    assert words(call) == [("AI", GREETING), ("CUSTOMER", HOURS), ("AI", answer(HOURS)),
                           ("CUSTOMER", SHOES), ("AI", answer(SHOES))]
    assert stack.processes.pid("second")
    assert stack.stop_one("second") == 0
    del stack.services["second"]
    stack.processes.children.pop(victim)
    stack.start_one(victim)
