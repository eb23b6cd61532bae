"""The AI service fails in every way it knows; the caller hears an answer all the same, or a person
is asked for."""
import json
import re

import pytest

import callers
import support
from callers import GREETING, answer, heard, place, talk, words
from support import wait_for

HOURS, SHOES, YES = ("What are your opening hours?", "I want to return a pair of shoes.",
                     "Yes, please.")
UNAVAILABLE = "Nobody is at the telephone just now."


@pytest.fixture(scope="module")
def stack(new_module_stack):
    made = new_module_stack()
    callers.apply_business(made, "trouble", sentences={"unavailable": UNAVAILABLE})
    return made


def ring(stack, *sentences, business="trouble"):
    return place(stack, talk(*sentences), stack.businesses[business])


def fault(stack, kind, **more):
    """Of the whole service; gone again when it has struck."""
    callers.service(stack, "POST", "/faults", {"kind": kind, **more})


def story(*sentences):
    turns = [("AI", GREETING)]
    for said in sentences:
        turns += [("CUSTOMER", said), ("AI", answer(said))]
    return turns


def assert_unharmed(call, *sentences):
    """Every phrase was heard and recorded once, in order, and answered once."""
    call.wait_closed()
    assert words(call) == story(*sentences)
    assert heard(call.report()) == [text for who, text in story(*sentences) if who == "AI"]


# ---- no session at first ----

@pytest.mark.parametrize("kind", ["refuse_upgrade_429", "refuse_upgrade_503", "drop"])
def test_a_session_that_is_refused_is_tried_again(stack, kind):
    fault(stack, kind, scope={"next": 1})
    call = ring(stack, HOURS)
    assert_unharmed(call, HOURS)
    assert callers.service(stack, "GET", "/faults")["faults"] == []


@pytest.mark.parametrize("kind", ["refuse_upgrade_401", "quota_close"])
def test_without_an_ai_a_sentence_is_spoken_and_a_person_asked_for(stack, kind):
    fault(stack, kind, scope={"next": 1})
    call = ring(stack, HOURS)
    events = call.wait_closed()
    assert [s["text"] for s in call.wait_ended()["spoken"]] == [UNAVAILABLE]
    escalation, = [e["escalation_requested"] for e in events if e["escalation_requested"]]
    assert escalation["trigger"] == "ai_unavailable" and escalation["reason"]
    intent, = [e["tool_intent"] for e in events if e["tool_intent"]]
    assert json.loads(intent["arguments"])["sentence"] == UNAVAILABLE
    assert events[-1]["closed"]["reason"] == "ai_unavailable"


# ---- a session breaks ----

BREAKS = ["close_1011", "drop", "rst", "half_open", "expire"]


@pytest.fixture(scope="module")
def broken(stack):
    """Kind of break → call whose session broke between two phrases. They ring at once."""
    script = [{"wait_answer": True}, {"say": SHOES}, {"wait_answer": True}, {"pause": 2000},
              {"say": YES}, {"wait_answer": True}, {"say": HOURS}, {"wait_answer": True},
              callers.HANG_UP]
    calls = {kind: place(stack, script, stack.businesses["trouble"]) for kind in BREAKS}
    for kind, call in calls.items():
        wait_for(lambda c=call: len(heard(c.report())) == 2, "the first answer was heard", 60.0, 0.02)
        callers.break_session(call, kind)
    return calls


@pytest.mark.parametrize("kind", BREAKS)
def test_a_broken_session_is_replaced_with_its_history(broken, kind):
    """No word is lost, no turn answered twice; the new session knows what was said before."""
    call = broken[kind]
    assert_unharmed(call, SHOES, YES, HOURS)
    first, *_, last = callers.sessions(call)
    assert first["id"] != last["id"]
    assert callers.given_texts(last)[:3] == [GREETING, SHOES, answer(SHOES)]


def test_a_session_that_breaks_in_an_answer_says_it_again(stack):
    """The caller, patient, hears the answer whole, and it stands in the record once."""
    call = place(stack, [{"wait_answer": True}, {"say": HOURS}, {"wait_answer": True},
                         {"wait_quiet": 3000}, {"say": SHOES}, {"wait_answer": True},
                         callers.HANG_UP], stack.businesses["trouble"])
    wait_for(lambda: heard(call.report()), "the greeting is heard")
    callers.break_session(call, "drop_in_audio")
    call.wait_closed()
    assert [text for who, text in words(call) if who == "CUSTOMER"] == [HOURS, SHOES]
    for phrase in (HOURS, SHOES):
        assert heard(call.report()).count(answer(phrase)) == 1
        assert words(call).count(("AI", answer(phrase))) == 1


# ---- events that fail ----

FAILURES = {"rate_limit": {}, "server_error": {}, "no_response": {}, "malformed": {},
            "late_transcript": {"delay_ms": 2500}, "late_created": {"delay_ms": 1000},
            "several_items": {}, "status_details_string": {}}


@pytest.fixture(scope="module")
def failing(stack):
    calls = {kind: ring(stack, HOURS, SHOES) for kind in FAILURES}
    for kind, call in calls.items():
        wait_for(lambda c=call: callers.sessions(c) and callers.sessions(c)[0]["said"],
                 "the greeting begins")
        callers.break_session(call, kind, **FAILURES[kind])
    return calls


@pytest.mark.parametrize("kind", FAILURES)
def test_a_failure_of_one_answer_is_not_one_of_the_call(failing, kind):
    call = failing[kind]
    call.wait_closed()
    assert [text for who, text in words(call) if who == "CUSTOMER"] == [HOURS, SHOES]
    whole = "".join(text for who, text in words(call) if who == "AI").replace(" ", "")
    assert whole == "".join([GREETING, answer(HOURS), answer(SHOES)]).replace(" ", "")
    assert heard(call.report())[0] == GREETING
    assert heard(call.report())[-1] == answer(SHOES)
    assert len(callers.sessions(call)) == 1, "the session was kept"


def test_a_transcript_that_fails_is_marked_and_holds_nothing_up(stack):
    call = ring(stack, HOURS, SHOES)
    wait_for(lambda: heard(call.report()), "the greeting is heard")
    callers.break_session(call, "failed_transcript")
    call.wait_closed()
    assert heard(call.report()) == [GREETING, answer(HOURS), answer(SHOES)]
    failed = [u for u in callers.finals(call) if u["transcript_failed"]]
    assert [u["speaker"] for u in failed] == ["CUSTOMER"]
    assert words(call)[2:] == [("AI", answer(HOURS)), ("CUSTOMER", SHOES), ("AI", answer(SHOES))]


# ---- session limits, memory, money ----

def test_a_session_is_renewed_unheard_before_its_limit(new_stack):
    """CONV-5: a call over two limits; nobody hears it, and the history is kept."""
    stack = new_stack(settings={"TRUNKLINE_OPENAI_SESSION_MAX": "6s"},
                      arguments={"sim-openai": ["--session-limit", "14"]})
    number = callers.apply_business(stack, "long")
    said = ["Hello.", YES, "No, thank you.", "Can you hear me?", "Are you a robot?"]
    steps = [{"wait_answer": True}]
    for phrase in said:
        steps += [{"pause": 1500}, {"say": phrase}, {"wait_answer": True}]
    call = place(stack, steps + [callers.HANG_UP], number)
    assert_unharmed(call, *said)
    renewed = callers.sessions(call)
    assert len(renewed) >= 3
    assert all(s["closed_by"] == "client" for s in renewed), "none of them expired"
    assert [h["dry_ms"] for h in call.report()["heard"]] == [0] * (len(said) + 1)
    assert callers.given_texts(renewed[-1])[:3] == [GREETING, said[0], answer(said[0])]


def test_older_turns_are_summarised(stack):
    """CONV-4: what goes beyond the business's limit is replaced by its summary."""
    number = callers.apply_business(stack, "forgetful", ai={"history_characters": 500})
    said = ["Tell me about your warranty.", HOURS, "What was that again?"]
    call = place(stack, talk(*said), number)
    events = call.wait_closed()
    assert heard(call.report())[-1] == answer(said[-1])
    summaries = [e["summarised"] for e in events if e["summarised"]]
    assert summaries and summaries[0]["to_turn"] >= 1 and summaries[0]["text"]
    session, = callers.sessions(call)
    assert session["deletions"], "the provider forgets them too"


def price_of(model):
    """Row of openai.prices in the configuration of the stack: the longest name that fits counts."""
    with open(support.CONFIG) as file:
        rows = dict(re.findall(r"^ +- ([\w.-]+)=([\d.,]+)$", file.read(), re.M))
    name = max((name for name in rows if model.startswith(name)), key=len)
    return [float(number) for number in rows[name].split(",")]


def test_usage_adds_up_to_the_cost_of_the_price_list(stack):
    """CONV-8."""
    call = ring(stack, HOURS, SHOES)
    usage = [e["usage"] for e in call.wait_closed() if e["usage"]]
    assert {u["kind"] for u in usage} == {"response", "transcription"}
    session, = callers.sessions(call)
    done = [r for r in session["responses"]]
    assert len([u for u in usage if u["kind"] == "response"]) == len(done)
    for u in usage:
        p = price_of(u["model"])
        cost = ((u["input_text_tokens"] - u["cached_text_tokens"]) * p[0]
                + (u["input_audio_tokens"] - u["cached_audio_tokens"]) * p[1]
                + u["cached_text_tokens"] * p[2] + u["cached_audio_tokens"] * p[3]
                + u["output_text_tokens"] * p[4] + u["output_audio_tokens"] * p[5]
                + u["transcription_seconds"] / 60 * p[6] * 1e6)
        assert abs(u["cost_microusd"] - cost) <= 1
    assert sum(u["cost_microusd"] for u in usage) > 0
    sound = sum(s["bytes"] for s in session["said"]) / 8000
    spoken = sum(u["output_audio_tokens"] for u in usage)
    assert abs(spoken - sound * 20) <= len(done), "20 tokens a second of speech"
