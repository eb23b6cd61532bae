"""What ingest answers when something is missing, and which of two sockets it believes."""
import contextlib
import json
import secrets
import threading
import urllib.parse
import xml.etree.ElementTree as xml

import pytest
import callers
from callers import GREETING, answer, heard, place, talk, words
from media_socket import Socket
from support import Call, wait_for

HOURS, SHOES = "What are your opening hours?", "I want to return a pair of shoes."
UNAVAILABLE = "Nobody in our shop can answer you now."
ONE_MOMENT = "One moment, please."
RESUMES = 4  # a minute


@pytest.fixture(scope="module")
def stack(new_module_stack):
    made = new_module_stack(settings={"TRUNKLINE_INGEST_RESUMES_PER_MINUTE": str(RESUMES),
                                      "TRUNKLINE_INGEST_DRAIN": "3s",
                                      "TRUNKLINE_LOG_LEVEL": "debug"})
    callers.apply_business(made, "shop", sentences={"unavailable": UNAVAILABLE})
    return made


def new_sid():
    return "CA" + secrets.token_hex(16)


def counted(stack, name, **labels):
    """A counter of all ingests, of the series with these labels."""
    def fits(row):
        return row.startswith(f"trunkline_ingest_{name}") and all(
            f'{k}="{v}"' in row for k, v in labels.items())

    return sum(value for ingest in ("ingest-0", "ingest-1") if stack.processes.pid(ingest)
               for row, value in stack.metrics(ingest).items() if fits(row))


def events_of(stack, sid, part):
    return [e[part] for e in Call(stack, sid).events() if e[part]]


# ---- calls that come back ----

def fallback(hooks, sid, number, error_url=""):
    form = callers.voice_form(sid, number, status="in-progress", ErrorCode="11200", ErrorUrl=error_url)
    status, text = hooks.post("/twilio/fallback", form)
    assert status == 200, text
    return xml.fromstring(text)


def stream_of(document):
    return document.find("Connect").find("Stream")


def action_of(document):
    return document.find("Connect").get("action")


def test_attempts_by_the_fallback_url_are_bounded(stack):
    """As those by the action URL; the reason stands in the log and the metrics."""
    hooks, sid = callers.Webhooks(stack), new_sid()
    before = counted(stack, "resumes_bounded_total", kind="fallback")
    for _ in range(RESUMES):
        assert stream_of(fallback(hooks, sid, stack.businesses["shop"])) is not None
    refused = fallback(hooks, sid, stack.businesses["shop"])
    assert "connection is too bad" in refused.find("Say").text and refused.find("Hangup") is not None
    other = fallback(hooks, new_sid(), stack.businesses["shop"])
    assert stream_of(other) is not None, "the bound is of each call"
    hooks.close()
    call = Call(stack, sid)
    changed = call.wait_event("changed", which=lambda e: e["changed"]["reason"])["changed"]
    assert (changed["state"], changed["reason"]) == ("FAILED", "too_many_resumes")
    known = {e["event_id"]: e["changed"]["state"] for e in call.events() if e["changed"]}
    assert sorted(known.values()) == ["FAILED", "IN_PROGRESS"], "the log knows a call of a fallback"
    assert counted(stack, "resumes_bounded_total", kind="fallback") == before + 1


def test_a_fallback_goes_on_with_the_link_of_the_url_that_failed(stack):
    """Number and attempts count on, by whichever ingest, in whatever order the two URLs are asked."""
    hooks, sid, number = callers.Webhooks(stack), new_sid(), stack.businesses["shop"]
    status, text = hooks.post("/twilio/voice", callers.voice_form(sid, number))
    assert status == 200
    document = xml.fromstring(text)
    for _ in range(RESUMES):
        document = fallback(hooks, sid, number, action_of(document))
        assert stream_of(document) is not None
        hooks.close()  # the next request comes to any of them
    refused = fallback(hooks, sid, number, action_of(document))
    assert "connection is too bad" in refused.find("Say").text
    url = urllib.parse.urlsplit(action_of(document))
    status, text = hooks.post(f"{url.path}?{url.query}",
                              callers.voice_form(sid, number, status="in-progress"))
    hooks.close()
    assert status == 200 and "connection is too bad" in text


def test_the_link_of_another_call_is_of_no_use(stack):
    hooks, sid, number = callers.Webhooks(stack), new_sid(), stack.businesses["shop"]
    _, text = hooks.post("/twilio/voice", callers.voice_form(sid, number))
    foreign = action_of(xml.fromstring(text))
    for _ in range(RESUMES):
        assert stream_of(fallback(hooks, new_sid(), number, foreign)) is not None
    hooks.close()


# ---- nobody there ----

@contextlib.contextmanager
def no_conversation(stack):
    names = ["conversation-0", "conversation-1"]
    for name in names:
        stack.kill(name)
    try:
        yield
    finally:
        for name in names:
            stack.start_one(name)


def ask(stack, query, fits):
    """Voice webhooks, each of a new call, until the document fits; returns it and its call's SID."""
    hooks = callers.Webhooks(stack)

    def asked():
        sid = new_sid()
        status, text = hooks.post("/twilio/voice" + query,
                                  callers.voice_form(sid, stack.businesses["shop"]))
        assert status == 200, text
        return fits in text and (xml.fromstring(text), sid)

    found = wait_for(asked, f"a document with {fits}")
    hooks.close()
    return found


def test_a_call_waits_for_a_conversation(stack):
    """A sentence and a redirect while none lives; then it is answered as ever."""
    with no_conversation(stack):
        document, _ = ask(stack, "", "<Redirect")
        redirect = urllib.parse.urlsplit(document.find("Redirect").text)
        assert redirect.path == "/twilio/voice" and redirect.query == "try=1"
        call = place(stack, talk(HOURS), stack.businesses["shop"])
        wait_for(lambda: call.report()["spoken"], "it is asked to wait", 60.0)
    events = call.wait_closed()
    report = call.report()
    assert {s["text"] for s in report["spoken"]} == {ONE_MOMENT}
    assert heard(report) == [GREETING, answer(HOURS)]
    assert [e["closed"]["state"] for e in events if e["closed"]] == ["COMPLETED"]
    assert counted(stack, "redirects_total", kind="voice", why="no_conversation") >= 2


def test_the_last_redirect_is_an_apology_with_a_reason(stack):
    with no_conversation(stack):
        document, sid = ask(stack, "?try=20", "<Hangup")
    assert document.find("Say").text == UNAVAILABLE
    changed = Call(stack, sid).wait_event(
        "changed", which=lambda e: e["changed"]["reason"] == "unavailable")["changed"]
    assert changed["state"] == "FAILED"
    wait_for(lambda: stack.sql("SELECT 1 FROM calls WHERE id = %s AND reason = 'unavailable'",
                               Call(stack, sid).call_id), "the record has it", 60.0)


# ---- two sockets of one call ----

def sessions(stack, sid):
    """Whose session it is, by the log, the newest last."""
    return [s["stream_sid"] for s in events_of(stack, sid, "session_started")]


def given(stack, sid):
    return len(events_of(stack, sid, "given"))


def test_of_two_sockets_that_both_carry_frames_the_newer_one_remains(stack):
    """A webhook was doubled: both have one document. They do not claim above each other for ever: the
    older one closes, and would come back by its action URL if it were the caller's."""
    hooks, sid = callers.Webhooks(stack), new_sid()
    _, text = hooks.post("/twilio/voice", callers.voice_form(sid, stack.businesses["shop"]))
    stream = stream_of(xml.fromstring(text))
    first = Socket(stack, hooks, stream, sid)
    wait_for(lambda: sessions(stack, sid) == [first.sid], "the first one is held")
    second = Socket(stack, hooks, stream, sid)
    wait_for(lambda: first.reason is not None or second.reason is not None, "one of them yields", 60.0)
    assert (first.reason, second.reason) == ("superseded", None)
    wait_for(lambda: sessions(stack, sid)[-1] == second.sid, "the second one is held")
    before, sent = given(stack, sid), second.sent
    wait_for(lambda: second.sent > sent + 150, "three seconds more")
    assert given(stack, sid) == before, "nobody claims any more"
    assert before <= 8  # two for each of four claims
    assert counted(stack, "streams_ended_total", reason="superseded") == 1
    first.stop()
    second.stop()
    hooks.post("/twilio/status", callers.voice_form(sid, stack.businesses["shop"], status="completed"))
    hooks.close()
    Call(stack, sid).wait_closed()


def test_a_socket_without_frames_loses_to_the_one_that_has_them(stack):
    """The second one has started and is dead: the first one, which carries the call, has it again."""
    hooks, sid = callers.Webhooks(stack), new_sid()
    _, text = hooks.post("/twilio/voice", callers.voice_form(sid, stack.businesses["shop"]))
    stream = stream_of(xml.fromstring(text))
    first = Socket(stack, hooks, stream, sid)
    wait_for(lambda: sessions(stack, sid) == [first.sid], "the first one is held")
    second = Socket(stack, hooks, stream, sid, frames=False)
    wait_for(lambda: second.sid in sessions(stack, sid) and sessions(stack, sid)[-1] == first.sid,
             "the first one is held again", 60.0)
    wait_for(lambda: second.reason is not None, "the second one is closed")
    assert second.reason == "silent" and first.reason is None
    first.stop()
    second.stop()
    hooks.post("/twilio/status", callers.voice_form(sid, stack.businesses["shop"], status="completed"))
    hooks.close()
    Call(stack, sid).wait_closed()


# ---- leaving ----

def log_lines(stack, name, event):
    with open(stack.log_path(name), errors="replace") as log:
        lines = [json.loads(line) for line in log if line.startswith("{")]
    return [line for line in lines if line["event"] == event]


def test_both_ingests_leave_at_once_and_the_call_goes_on(stack):
    """Nobody could take it, so they keep it while they may; its webhooks are answered to the end."""
    call = place(stack, [{"wait_answer": True}, {"say": HOURS}, {"wait_answer": True},
                         {"wait_stream": 2, "timeout_ms": 60000}, {"wait_answer": True},
                         {"pause": 500}, {"say": SHOES}, {"wait_answer": True}, callers.HANG_UP],
                 stack.businesses["shop"])
    wait_for(lambda: len(heard(call.report())) == 2, "both have spoken")
    statuses = {}

    def replace(name):
        statuses[name] = stack.stop_one(name)
        stack.start_one(name, wait=False)

    threads = [threading.Thread(target=replace, args=(name,)) for name in ("ingest-0", "ingest-1")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60.0)
    assert statuses == {"ingest-0": 0, "ingest-1": 0}
    for name in statuses:
        stack.wait_ready(name)
    call.wait_closed()
    report = call.report()
    assert answer(SHOES) in heard(report)
    assert ("CUSTOMER", SHOES) in words(call)
    assert report["streams_started"] == 2


def test_each_move_is_one_line_that_tells_its_story(stack):
    """A conversation dies, then the ingest drains: whose, from where to where, why, how long."""
    call = place(stack, talk(HOURS, SHOES), stack.businesses["shop"])
    wait_for(lambda: heard(call.report()), "the greeting is heard")
    dead = callers.conversation_of(call)
    stack.kill(dead)
    wait_for(lambda: callers.conversation_of(call) != dead, "another one has it")
    assert counted(stack, "claims_total", cause="gone") >= 1
    stack.start_one(dead)
    ingest = callers.ingest_of(call)
    assert stack.stop_one(ingest) == 0
    stack.start_one(ingest)
    call.wait_closed()
    lines = [line for name in ("ingest-0", "ingest-1")
             for event in ("leg.given", "leg.moved", "leg.resumed")
             for line in log_lines(stack, name, event) if line["call_id"] == call.call_id]
    lines.sort(key=lambda line: line["at"])
    assert [(line["event"], line["cause"]) for line in lines] == [
        ("leg.given", "first"), ("leg.moved", "gone"), ("leg.resumed", "resumed")]
    for line in lines:
        assert line["business_id"] == "shop" and line["stream_sid"] and line["took_ms"] >= 0
    moved, resumed = lines[1:]
    assert (moved["from"], moved["resent"] >= 0) == (int(dead[-1]), True)
    assert moved["to"] != moved["from"] and moved["session"] == 2
    assert resumed["number"] == 2 and resumed["gap_ms"] >= 0
    assert resumed["gap_between"] in ("frames", "document")


def test_a_call_comes_back_to_its_last_holder(stack):
    """Its URL names the conversation that had it first. That one died, and lives again; the call is
    another one's since, and stays there when its ingest dies."""
    call = place(stack, talk(HOURS, SHOES), stack.businesses["shop"])
    wait_for(lambda: heard(call.report()), "the greeting is heard")
    first = callers.conversation_of(call)
    stack.kill(first)
    wait_for(lambda: callers.conversation_of(call) != first, "another one has it")
    holder = callers.conversation_of(call)
    stack.start_one(first)
    victim = callers.ingest_of(call)
    stack.kill(victim)
    stack.start_one(victim, wait=False)
    started = call.wait_event("session_started", which=lambda e: e["claim"]["number"] == 2)
    stack.wait_ready(victim)
    call.wait_closed()
    assert f"conversation-{started['session_started']['mailbox']}" == holder
    assert started["session_started"]["cause"] == "attachment", "with its AI session, not from the log"


PARCEL = "When will my parcel arrive?"  # answered with numbers, which are undecided for three seconds


def test_a_conversation_that_dies_behind_the_end_has_a_successor(stack):
    """The caller has hung up, and its last words are still to be written: another one does it."""
    call = place(stack, talk(PARCEL), stack.businesses["shop"])
    call.wait_event("stream_ended")
    victim = callers.conversation_of(call)
    assert not [e for e in call.events() if e["closed"]], "it has not written all yet"
    stack.kill(victim)
    stack.start_one(victim, wait=False)
    events = call.wait_closed()
    stack.wait_ready(victim)
    said = [text for who, text in words(call) if who == "AI" and text]
    assert said[0] == GREETING
    assert said[-1].startswith(answer(PARCEL)[:20]) and len(said) == 2
    assert ("CUSTOMER", PARCEL) in words(call)
    closed = next(e for e in events if e["closed"])
    assert closed["producer"].startswith("conversation"), "no minute was waited for"
