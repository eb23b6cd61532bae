"""Whole calls, as caller and analyst notice them. All callers of this file ring at once."""
import itertools
import re
import secrets

import pytest

import callers
from callers import GREETING, answer, finals, heard, place, talk, words
from support import wait_for

HOURS, PRICE = "What are your opening hours?", "How much does express shipping cost?"
WARRANTY, WAIT = "Tell me about your warranty.", "Wait a moment, please."
STILL_THERE = "Are you still there?"
NEAR_MS = 300
CARD = "4111111111111111"

SAID = [HOURS, PRICE, "Is this Harbour Lamps?"]
ANSWERS = [GREETING] + [answer(phrase) for phrase in SAID]


@pytest.fixture(scope="module")
def calls(stack):
    """Name → Call. They ring here, and are spoken while the tests look at one after the other."""
    plain = callers.apply_business(stack, "plain")
    quiet = callers.apply_business(stack, "quiet", silence={"prompt": "2s", "end": "4s"})
    beta = callers.apply_business(stack, "older-dialect", ai={"dialect": "beta", "temperature": 0.7})
    callers.known(stack, STILL_THERE)
    barge = [{"wait_answer": True}, {"say": WARRANTY}, {"barge_in": 3000}, {"say": WAIT},
             {"wait_answer": True}, callers.HANG_UP]
    keys = [{"wait_answer": True}, {"dtmf": "12#"}, {"pause": 500}, {"dtmf": CARD + "#"},
            {"pause": 500}, {"say": HOURS}, {"wait_answer": True}, callers.HANG_UP]
    made = {
        "whole": place(stack, talk(*SAID), plain),
        "barge_in": place(stack, barge, plain),
        "goodbye": place(stack, talk(HOURS, "Goodbye.", end=None), plain),
        "silence": place(stack, [{"wait_answer": True}], quiet),
        "keys": place(stack, keys, plain),
        "beta": place(stack, talk(HOURS), beta),
        "gap": place(stack, [{"wait_answer": True}, {"pause": 3000}, {"say": HOURS},
                             {"wait_answer": True}, callers.HANG_UP], plain),
    }
    wait_for(lambda: heard(made["gap"].report()), "the greeting is heard")
    callers.hurt(made["gap"], lose_frames=50)
    return made


@pytest.fixture(scope="module")
def whole(calls):
    calls["whole"].wait_closed()
    return calls["whole"]


# ---- a call from greeting to goodbye ----

def test_every_phrase_of_both_sides_arrives_byte_for_byte(whole):
    report = whole.report()
    assert heard(report) == ANSWERS
    assert [h["dry_ms"] for h in report["heard"]] == [0] * len(ANSWERS)
    session, = callers.sessions(whole)
    assert [(h["text"], h["exact"]) for h in session["heard"]] == [(s, True) for s in SAID]
    assert session["errors"] == [] and report["errors"] == []


def test_finals_stand_in_turn_order(whole):
    turns = [("AI", GREETING)]
    for said, answered in zip(SAID, ANSWERS[1:]):
        turns += [("CUSTOMER", said), ("AI", answered)]
    assert words(whole) == turns
    assert [u["turn"] for u in finals(whole)] == sorted({u["turn"] for u in finals(whole)})


def test_every_utterance_has_drafts_before_its_one_final(whole):
    seen = {}
    for u in callers.utterances(whole):
        seen.setdefault(u["utterance_id"], []).append(u)
    for revisions in seen.values():
        assert [u["final"] for u in revisions].count(True) == 1
        assert revisions[-1]["final"]
        assert len(revisions) > 1
        numbers = [u["revision"] for u in revisions]
        assert numbers == sorted(set(numbers))


def spoken_ms(call, report):
    """(speaker, start, end) of what the telephone network carried, from the first webhook on."""
    rang = next(w for w in report["webhooks"] if w["kind"] == "voice")["at_ms"]
    both = [("CUSTOMER", s) for s in report["said"]] + [("AI", h) for h in report["heard"]]
    times = [(who, s["start_ms"] - rang, s["end_ms"] - rang) for who, s in both]
    return sorted(times, key=lambda t: t[1])


def assert_times(call):
    report = call.report()
    told = [(u["speaker"], u["start_ms"], u["end_ms"]) for u in finals(call)]
    really = spoken_ms(call, report)
    assert [t[0] for t in told] == [r[0] for r in really]
    far = [(t, r) for t, r in zip(told, really)
           if abs(t[1] - r[1]) > NEAR_MS or abs(t[2] - r[2]) > NEAR_MS]
    assert not far, f"(in the log, on the line): {far}"


def test_times_are_those_of_the_line(whole):
    assert_times(whole)


def test_answers_name_the_turn_that_they_answer(whole):
    """An answer's answers_to is the caller's position up to which it has listened."""
    positions = []
    for u in finals(whole):
        if u["speaker"] == "CUSTOMER":
            positions.append(u["media_to"])
        elif positions:
            assert u["answers_to"] == positions[-1]
        else:
            assert u["answers_to"] is None


def test_media_to_rises(whole):
    places = [u["media_to"] for u in finals(whole) if u["media_to"]]
    assert len(places) >= 2 * len(SAID)
    order = [(p["number"], p["offset"], p["n"]) for p in places]
    assert order == sorted(order)
    assert len(set(order)) >= len(SAID)


def test_a_draft_is_in_the_log_before_its_sound(stack, whole):
    """No piece of sound was sent before the first draft of its utterance was written."""
    drafts = {}
    for e in whole.events():
        u = e["utterance"]
        if u and u["speaker"] == "AI" and not u["final"]:
            drafts.setdefault(u["utterance_id"], e["at"])
    session, = callers.sessions(whole)
    begins = list(itertools.accumulate((s["bytes"] for s in session["said"]), initial=0))
    sent, sounds = 0, []
    for batch in stack.events("playback.v1"):
        for item in batch["items"]:
            if item["kind"] == "AUDIO" and call_of(item) == whole.call_id:
                if sent == begins[len(sounds)]:
                    sounds.append(batch["at"])
                sent += len(item["audio"])
    assert len(sounds) == len(drafts) == len(ANSWERS)
    assert all(draft <= sound for draft, sound in zip(sorted(drafts.values()), sounds))


def call_of(item):
    """call_id of a mailbox item: 16 bytes there."""
    raw = item["call_id"]
    text = raw.hex() if isinstance(raw, bytes) else str(raw)
    return re.sub(r"^(.{8})(.{4})(.{4})(.{4})(.{12})$", r"\1-\2-\3-\4-\5", text)


def test_closed_is_the_last_event(whole):
    events = whole.events()
    assert [bool(e["closed"]) for e in events].count(True) == 1
    closed = events[-1]["closed"]
    assert closed["state"] == "COMPLETED"
    assert closed["reason"] == "caller_hung_up"
    assert closed["utterances"] == len(finals(whole))


def test_every_event_names_call_business_and_claim(whole):
    for e in whole.events():
        assert e["call_id"] == whole.call_id
        if e["utterance"] or e["session_started"] or e["usage"]:
            assert e["business_id"] == "plain"
            assert e["claim"]["session"] >= 1


# ---- barge-in ----

def test_barge_in_cuts_the_ai_where_the_caller_stopped_hearing(calls):
    """CALL-4: `clear` to the telephone, truncate to the AI, and a final that is what was heard."""
    call = calls["barge_in"]
    call.wait_closed()
    report = call.report()
    cut = next(h for h in report["heard"] if not h["exact"])
    assert [s["clears_received"] for s in report["streams"]] == [1]
    session, = callers.sessions(call)
    truncated, = session["truncations"]
    assert abs(truncated["audio_end_ms"] - cut["bytes"] / 8) <= 250
    final = next(u for u in finals(call) if u["interrupted"])
    assert final["speaker"] == "AI"
    assert final["item_id"] == truncated["item_id"]
    assert final["text"] and answer(WARRANTY).startswith(final["text"])
    assert len(final["text"]) < len(answer(WARRANTY)) / 2
    assert abs(final["heard_ms"] - cut["bytes"] / 8) <= 250


def test_behind_a_barge_in_the_call_goes_on(calls):
    call = calls["barge_in"]
    call.wait_closed()
    assert heard(call.report())[-1] == answer(WAIT)
    said = words(call)
    assert said[-2:] == [("CUSTOMER", WAIT), ("AI", answer(WAIT))]
    assert said[2][1].split()[:3] == answer(WARRANTY).split()[:3]


# ---- how calls end ----

def test_the_ai_ends_the_call_once_goodbye_was_heard(calls):
    """CALL-6: end_call by the AI; the goodbye before it is heard to its end."""
    call = calls["goodbye"]
    events = call.wait_closed()
    report = call.report()
    assert heard(report) == [GREETING, answer(HOURS), answer("Goodbye.")]
    assert report["status"] == "completed"
    intents = [e["tool_intent"] for e in events if e["tool_intent"]]
    assert [i["name"] for i in intents] == ["say_goodbye", "end_call"]
    results = {e["tool_result"]["intent_id"]: e["tool_result"]["status"] for e in events
               if e["tool_result"]}
    assert results == {i["intent_id"]: "DONE" for i in intents}
    assert events[-1]["closed"]["reason"] == "ended_by_ai"


def test_a_silent_caller_is_asked_and_then_the_call_ends(calls):
    call = calls["silence"]
    events = call.wait_closed()
    assert heard(call.report())[:2] == [GREETING, STILL_THERE]
    assert [u["speaker"] for u in finals(call)].count("CUSTOMER") == 0
    assert events[-1]["closed"]["reason"] == "silence"


# ---- keys ----

def test_keys_are_in_the_log(calls):
    events = calls["keys"].wait_closed()
    assert [e["keyed"]["digits"] for e in events if e["keyed"]][0] == "12#"


def test_a_keyed_card_number_is_masked(calls):
    events = calls["keys"].wait_closed()
    keyed = [e["keyed"]["digits"] for e in events if e["keyed"]]
    assert len(keyed) == 2
    assert "CARD" in keyed[1] and not re.search(r"\d{5}", keyed[1])
    assert heard(calls["keys"].report())[-1] == answer(HOURS)


# ---- other calls ----

def test_the_older_dialect_by_configuration(calls):
    call = calls["beta"]
    call.wait_closed()
    session, = callers.sessions(call)
    assert session["dialect"] == "beta"
    assert session["errors"] == []
    assert heard(call.report()) == [GREETING, answer(HOURS)]
    assert words(call) == [("AI", GREETING), ("CUSTOMER", HOURS), ("AI", answer(HOURS))]


def test_lost_frames_do_not_shift_times(calls):
    """A second of the caller's silence never arrives: what is said behind it keeps its time."""
    call = calls["gap"]
    call.wait_closed()
    assert words(call)[:2] == [("AI", GREETING), ("CUSTOMER", HOURS)]
    assert_times(call)


# ---- calls that are not taken ----

def refused(call):
    report = call.wait_ended()
    assert report["streams_started"] == 0
    assert len(report["spoken"]) == 1
    changed = call.wait_event("changed")["changed"]
    return report["spoken"][0]["text"], changed


def test_an_unknown_number_hears_a_sentence(stack, calls):
    sentence, changed = refused(place(stack, [{"pause": 100}], "+15550299999"))
    assert "not in service" in sentence
    assert (changed["state"], changed["reason"]) == ("FAILED", "unknown_number")


def test_an_inactive_business_hears_its_own_sentence(stack, calls):
    closed = "We are on holiday until Monday."
    number = callers.apply_business(stack, "holiday", business={"active": False},
                                    sentences={"closed": closed})
    sentence, changed = refused(place(stack, [{"pause": 100}], number))
    assert sentence == closed
    assert (changed["state"], changed["reason"]) == ("FAILED", "business_inactive")


def test_when_all_lines_are_busy_the_next_caller_hears_a_sentence(new_stack):
    """One of two conversations must be free to take the other's calls when it dies."""
    stack = new_stack(settings={"TRUNKLINE_CONVERSATION_CALLS_MAX": "1"})
    busy = "All twelve lines are busy."
    number = callers.apply_business(stack, "busy", sentences={"busy": busy})
    held = []

    def refused_one():
        call = place(stack, [], number)
        report = wait_for(lambda: (r := call.report())["streams_started"] or r["spoken"], "it rings")
        if isinstance(report, list):
            return call
        call.wait_event("session_started")
        held.append(call)
        return None

    sentence, changed = refused(wait_for(refused_one, "a call is refused"))
    assert sentence == busy
    assert changed["reason"] == "capacity"
    assert len(held) <= 2
    for call in held:
        wait_for(lambda: heard(call.report()), "a call that was taken is unharmed")
        call.hang_up()
    for call in held:
        call.wait_ended()


# ---- webhooks ----

def new_sid():
    return "CA" + secrets.token_hex(16)


def test_a_repeated_voice_webhook_gets_the_same_document(stack, calls):
    """Twilio repeats a request with its I-Twilio-Idempotency-Token: one call, one record id."""
    hooks = callers.Webhooks(stack)
    form = callers.voice_form(new_sid(), stack.businesses["plain"])
    first = hooks.post("/twilio/voice", form, I_Twilio_Idempotency_Token="one")
    again = hooks.post("/twilio/voice", form, I_Twilio_Idempotency_Token="one")
    hooks.close()
    assert first[0] == 200 and "<Stream" in first[1]
    assert again == first
    other = callers.Webhooks(stack)  # perhaps the other ingest: then only the call is the same
    assert other.post("/twilio/voice", form, I_Twilio_Idempotency_Token="one")[0] == 200
    other.close()
    ids = {e["event_id"] for e in stack.events("calls.v1") if e["changed"]
           and e["changed"]["call_sid"] == form["CallSid"]}
    assert len(ids) == 1


def test_status_callbacks_in_any_order_lead_to_the_same_end(stack, calls):
    call = place(stack, talk(HOURS), stack.businesses["plain"])
    call.wait_event("utterance")
    hooks = callers.Webhooks(stack)

    def status(word, sequence):
        form = callers.voice_form(call.sid, stack.businesses["plain"], call.caller, word,
                                  SequenceNumber=str(sequence))
        assert hooks.post("/twilio/status", form)[0] == 204

    for word, sequence in (("in-progress", 2), ("initiated", 0), ("ringing", 1), ("ringing", 1)):
        status(word, sequence)
    call.wait_ended()
    status("in-progress", 2)
    events = call.wait_closed()
    hooks.close()
    assert heard(call.report()) == [GREETING, answer(HOURS)]
    closed = [e["closed"] for e in events if e["closed"]]
    assert [c["state"] for c in closed] == ["COMPLETED"]
    ringing = {e["event_id"] for e in events if e["changed"] and e["changed"]["sequence"] == 1}
    assert len(ringing) == 1, "what is told twice has one id"


# ---- configuration ----

def test_a_change_of_configuration_is_in_the_next_call(stack, calls):
    before, after = "Hello from the old shop.", "Hello from the new shop."
    callers.known(stack, before, after)
    pids = {name: stack.processes.pid(name) for name in stack.services}
    for greeting, voice in ((before, "marin"), (after, "cedar")):
        number = callers.apply_business(stack, "moving", ai={"greeting": greeting, "voice": voice})
        call = place(stack, talk(), number)
        call.wait_ended()
        assert heard(call.report()) == [greeting]
        session, = callers.sessions(call)
        assert session["session"]["audio"]["output"]["voice"] == voice
    assert pids == {name: stack.processes.pid(name) for name in stack.services}
