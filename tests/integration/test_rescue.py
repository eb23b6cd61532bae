"""The watchdog: a call whose stream is gone comes back, though the telephone network does not ask."""
import base64
import contextlib
import json
import os
import signal
import urllib.parse
import uuid
import xml.etree.ElementTree as xml

import pytest

import callers
import phone
from callers import GREETING, answer, heard, network, place, words
from calls_api import CallsApi
from sinks import ACCOUNT, CLAIM, TOKEN, Sinks
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


def test_the_watchdogs_may_die_too(stack, faults):
    """An ingest and an instance of telephony at once, as when a machine dies."""
    faults(after_abrupt="hold")
    call = ring(stack)
    silence(call)
    victim = callers.ingest_of(call)
    assert stack.kill(victim) and stack.kill("telephony-0")
    assert_whole(call)
    assert {e["producer"] for e in call.events() if e["rescue"]} == {"telephony-1"}
    stack.start_one(victim)
    stack.start_one("telephony-0")


def test_a_broken_socket_that_the_network_does_not_mend(stack, faults):
    faults(after_abrupt="hold")
    call = ring(stack)
    silence(call)
    callers.hurt(call, abort=True)
    assert_whole(call)
    assert {r["reason"] for r in rescues(call)} == {"stream_broken"}


def test_a_stream_that_never_comes(stack):
    """Our TwiML went to somebody who did nothing with it: the network still plays what it had."""
    number = stack.businesses["lasting"]
    app = phone.App()
    app.routes["/voice"] = "<Response><Say>Hello?</Say><Pause length=\"60\"/></Response>"
    try:
        call = place(stack, SCRIPT, number, voice_url=app.url("/voice"))
        with contextlib.closing(callers.Webhooks(stack)) as webhooks:
            status, twiml = webhooks.post("/twilio/voice", callers.voice_form(
                call.sid, number, call.caller))
        assert status == 200 and "<Stream" in twiml
        assert_whole(call)
    finally:
        app.stop()
    assert {r["reason"] for r in rescues(call)} == {"no_stream"}
    assert [e["claim"]["number"] for e in call.events() if e["session_started"]] == [1]


def test_a_call_that_was_put_through_is_left_alone(stack):
    """No AI: a sentence, then a person. The stream ends, the call does not, and nobody touches it."""
    person = "+14155550777"
    callers.apply_business(stack, "helped", business={"fallback_number": person})
    network(stack, "POST", "/destinations", {"number": person, "ring_ms": 100, "script": [
        {"pause": 6000}, {"hangup": True}]})
    callers.service(stack, "POST", "/faults", {"kind": "quota_close", "scope": {"next": 1}})
    call = place(stack, [], stack.businesses["helped"])
    events = call.wait_closed()
    ended = next(e["at"] for e in events if e["stream_ended"])
    assert (events[-1]["at"] - ended).total_seconds() > 6, "a person was spoken with"
    assert not rescues(call)
    assert call.report()["streams_started"] == 1


def test_a_call_that_is_over_though_nobody_said_so(stack, faults):
    """The last callback got lost: the watchdog finds out, and the call is closed."""
    faults(callbacks="dropped")
    call = ring(stack, [{"wait_answer": True}, {"pause": 500}, callers.HANG_UP])
    events = call.wait_closed()
    assert {r["reason"] for r in rescues(call)} == {"stream_stopped"}
    found, = [e for e in events if e["changed"] and e["changed"]["reason"] == "found_over"]
    assert found["changed"]["state"] == "COMPLETED" and found["producer"].startswith("telephony-")
    assert len(call.report()["streams"]) == 1



def link_in(twiml):
    """The fields of the signed key of a stream (ingest/webhook/link.c): anybody can read them."""
    key = xml.fromstring(twiml).find("Connect/Stream/Parameter").get("value").partition(".")[0]
    data, fields = base64.urlsafe_b64decode(key + "=" * (-len(key) % 4)), []
    while data:
        fields.append(data[1:1 + data[0]].decode())
        data = data[1 + data[0]:]
    names = ("call_sid", "business", "from", "to", "version", "number", "direction", "started", "offset",
             "hint")
    return dict(zip(names, fields))


@pytest.mark.parametrize("failed", [False, True])
def test_ingest_goes_on_with_what_a_rescue_tells_it(stack, failed):
    """Asked by the URL of a rescue, or by the fallback when that URL could not be had."""
    sid, number = "CA" + uuid.uuid4().hex, stack.businesses["lasting"]
    url = "/twilio/rescue?number=4&business=lasting&version=1&started=1700000000123&offset=77&hint=1"
    form = callers.voice_form(sid, number, status="in-progress")
    with contextlib.closing(callers.Webhooks(stack)) as webhooks:
        if failed:
            form |= {"ErrorCode": "11200", "ErrorUrl": callers.public_url(stack) + url + "#rc=2"}
        status, twiml = webhooks.post("/twilio/fallback" if failed else url, form)
    assert status == 200
    assert link_in(twiml) == {
        "call_sid": sid, "business": "lasting", "from": form["From"], "to": number, "version": "1",
        "number": "5", "direction": "1", "started": "1700000000123", "offset": "77", "hint": "1"}


# ---- one telephone network that does not move by itself: what telephony alone does ----

SHORT = {"TRUNKLINE_TELEPHONY_RESCUE_BROKEN": "300ms", "TRUNKLINE_TELEPHONY_RESCUE_STOPPED": "500ms",
         "TRUNKLINE_TELEPHONY_RESCUE_NO_STREAM": "1s"}


@pytest.fixture
def api():
    made = CallsApi(ACCOUNT, TOKEN)
    yield made
    made.stop()


@pytest.fixture
def house(servers, work, request, api):
    made = Sinks(f"{work}/{request.node.originalname}", servers, {
        "TWILIO_API_URL": api.url, "TRUNKLINE_INGEST_PUBLIC_URL": "https://voice.example.com",
        **SHORT, **getattr(request, "param", {})})
    yield made
    made.stop()


class Silent:
    """A call in the log. No ingest lives in this house, so that every stream in it is lost."""

    def __init__(self, house, api, attached=True):
        self.house, self.api, self.call_id = house, api, str(uuid.uuid4())
        self.sid = "CA" + uuid.UUID(self.call_id).hex
        api.status[self.sid] = "in-progress"
        self.events = house.ring(self.call_id, self.sid)
        if not attached:
            del self.events[2]  # session_started
        self.house.send(*self.events)

    def tell(self, claim=None, producer="ingest-0", **parts):
        self.house.send(self.house.event(self.call_id, producer=producer, claim=claim, **parts))

    def give(self, number):
        self.tell({"number": number, "offset": -1, "session": 0}, given={
            "stream_sid": f"MZ{number}", "ingest": 0})

    def intend(self, **arguments):
        intent_id = str(uuid.uuid4())
        self.tell(CLAIM, "conversation-0", tool_intent={
            "intent_id": intent_id, "name": "end_call",
            "arguments": json.dumps({"reason": "done", **arguments})})
        return intent_id

    def logged(self, part):
        return [(e["producer"], e[part]) for e in self.house.decoded("calls.v1", self.call_id)
                if e[part]]

    def turns(self):
        """(producer, attempt) of its rescues, in the order of the log, the first of each attempt."""
        first = {}
        for producer, rescue in self.logged("rescue"):
            first.setdefault(rescue["attempt"], producer)
        return [(producer, attempt) for attempt, producer in first.items()]

    def redirects(self):
        return [form for form in self.api.forms(self.sid) if "Url" in form]

    def wait_redirects(self, n=1):
        return wait_for(lambda: len(self.redirects()) >= n and self.redirects(),
                        f"{n} redirects of {self.sid}")


def test_a_rescue_tells_ingest_what_the_log_knows(house, api):
    house.start("telephony")
    call = Silent(house, api)
    form = call.wait_redirects()[0]
    url = urllib.parse.urlsplit(form.pop("Url"))
    assert (url.scheme, url.netloc, url.path) == ("https", "voice.example.com", "/twilio/rescue")
    assert url.fragment.startswith("rc=2&rp=ct,rt,5xx")
    offset = house.offset_of(call.events[0])
    assert dict(urllib.parse.parse_qsl(url.query)) == {
        "number": str(CLAIM["number"]), "business": "harbour-lamps", "version": "1",
        "started": str(call.events[0]["at"]), "offset": str(offset), "hint": "0"}
    assert form.pop("FallbackUrl").startswith("https://voice.example.com/twilio/fallback#")
    assert form == {"Method": "POST", "FallbackMethod": "POST"}
    assert call.logged("rescue")[0][1]["reason"] == "ingest_gone"


def test_a_call_whose_stream_never_came(house, api):
    house.start("telephony")
    call = Silent(house, api, attached=False)
    form = call.wait_redirects()[0]
    assert "number=0&" in form["Url"]
    assert call.logged("rescue")[0][1]["reason"] == "no_stream"


def test_one_acts_then_the_next(house, api):
    """Two instances: each attempt acts once; a higher attachment, and only that, stops them."""
    names = [house.start("telephony", n) for n in range(2)]
    call = Silent(house, api)
    call.wait_redirects(3)
    call.give(1)  # claimed anew by whoever had it: the call is as silent as before
    call.wait_redirects(4)
    call.give(2)
    wait_for(lambda: sum(house.metric(n, 'trunkline_sink_telephony_rescues_total{step="resumed"')
                         for n in names) == 1, "the story of the rescue is told, once")
    turns = call.turns()
    assert [attempt for _, attempt in turns] == list(range(1, len(turns) + 1))
    assert {producer for producer, _ in turns} == {"telephony-0", "telephony-1"}
    assert len(call.redirects()) == len(turns)
    told = [line for n in names for line in house.log(n) if line.get("event") == "call.rescued"]
    assert len(told) == 1 and told[0]["attempts"] == len(turns) and told[0]["end"] == "resumed"


def test_the_next_one_acts_when_the_first_dies(house, api):
    """It had written its rescue, and its request had not been answered."""
    names = [house.start("telephony", n) for n in range(2)]
    api.gate.clear()
    call = Silent(house, api)
    wait_for(lambda: call.redirects(), "the first one asks")
    (first, _), = call.turns()
    house.kill(first)
    api.gate.set()
    call.wait_redirects(2)
    survivor = next(n for n in names if n != first)
    assert call.turns()[1] == (survivor, 2)
    house.start("telephony", int(first[-1]))
    assert dict((a, p) for p, a in call.turns())[1] == first


def test_one_that_was_stopped_leaves_alone_what_others_did(house, api):
    """SIGSTOP, and on again when the call it would have had the first turn for is over."""
    names = [house.start("telephony", n) for n in range(2)]
    pid = house.processes.pid(names[0])
    os.kill(pid, signal.SIGSTOP)
    try:
        call = Silent(house, api)
        call.wait_redirects()
        house.send(house.over(call.call_id))
    finally:
        os.kill(pid, signal.SIGCONT)
    asked = len(call.redirects())
    other = wait_for(lambda: (c := Silent(house, api)).wait_redirects() and
                     c.turns()[0] == (names[0], 1) and c, "it takes part again")
    assert other.redirects()
    assert len(call.redirects()) == asked
    assert {producer for producer, _ in call.turns()} == {names[1]}


def test_what_is_over_is_not_rescued(house, api):
    """Its end stands in the log; or the network knows it, and then the log learns it."""
    over, closed, unsaid, unknown = [Silent(house, api) for _ in range(4)]
    house.send(house.over(over.call_id), house.over(closed.call_id), house.closed(closed.call_id))
    api.status[unsaid.sid] = "busy"
    del api.status[unknown.sid]
    house.start("telephony")
    alive = Silent(house, api)  # those before it had their turn before
    alive.wait_redirects()
    for call, state in ((unsaid, "FAILED"), (unknown, "COMPLETED")):
        changed = wait_for(lambda: [c for p, c in call.logged("changed") if p == "telephony-0"],
                           "its end is written")
        assert [c["state"] for c in changed] == [state]
    assert not over.redirects() and not closed.redirects()
    assert not over.logged("rescue") and not closed.logged("rescue")
    alive.wait_redirects(3)
    assert len(unsaid.redirects()) == len(unknown.redirects()) == 1


def test_a_call_that_we_end_is_not_rescued(house, api):
    """A sentence is said, a person is spoken with: no stream, and none is wanted. One whose end failed
    goes on."""
    house.start("telephony", settings={"TRUNKLINE_TELEPHONY_ATTEMPTS": "1"})
    calls = [Silent(house, api, attached=False) for _ in range(3)]
    put_through, ended, failed = calls
    api.ends = False
    api.script = [(403, {})]
    failed.tell(CLAIM, "conversation-0", session_started={"call_sid": failed.sid, "call_started_at": 1})
    failed.intend(dial_number="+15557777")
    wait_for(lambda: failed.logged("tool_result"), "it has failed")
    put_through.tell(CLAIM, "conversation-0",
                     session_started={"call_sid": put_through.sid, "call_started_at": 1})
    put_through.intend(sentence="One moment.", dial_number="+15557777")
    house.send(house.command(ended.call_id, end={"reason": "x", "sentence": "Bye."}),
               topic="commands.v1")
    for call in (put_through, ended):
        wait_for(lambda: api.forms(call.sid), "it is ended by us")
        call.tell({**CLAIM, "session": 0}, stream_ended={"stream_sid": "", "reason": "stop"})
    late = Silent(house, api)  # loses its stream as they did, and later
    late.tell({**CLAIM, "session": 0}, stream_ended={"stream_sid": "MZ1", "reason": "stop"})
    late.wait_redirects(2)
    failed.wait_redirects(1)
    for call in (put_through, ended):
        assert not call.redirects() and not call.logged("rescue")


@pytest.mark.parametrize("house", [{"TRUNKLINE_TELEPHONY_RESCUE_NEXT": "20s"}], indirect=True)
def test_a_network_that_is_busy_is_asked_again_when_it_says(house, api):
    """429 with Retry-After, within the same turn."""
    name = house.start("telephony")
    api.script = [(429, {"Retry-After": "1"}), (429, {})]
    call = Silent(house, api)
    call.wait_redirects(3)
    assert len(call.logged("rescue")) == 1
    assert house.metric(name, 'trunkline_sink_telephony_rescues_total{step="again"') == 2


def test_whoever_starts_knows_what_was_lost_before(house, api):
    """And needs neither PostgreSQL nor Redis nor the registry for it."""
    calls = [Silent(house, api) for _ in range(3)]
    calls[0].give(2)
    nowhere = "127.0.0.1:1"
    house.start("telephony", settings={
        "DATABASE_URL": f"postgres://nobody@{nowhere}/nothing", "REDIS_URL": f"redis://{nowhere}/0",
        "SCHEMA_REGISTRY_URL": f"http://{nowhere}"})
    assert "number=2&" in calls[0].wait_redirects()[0]["Url"]
    assert "number=1&" in calls[1].wait_redirects()[0]["Url"]


def test_it_can_be_switched_off(house, api):
    name = house.start("telephony", settings={"TRUNKLINE_TELEPHONY_RESCUE": "false"})
    silent, ended = Silent(house, api), Silent(house, api)
    ended.intend()
    wait_for(lambda: ended.logged("tool_result"), "telephony works")
    assert not silent.redirects() and house.metric(name, "trunkline_sink_telephony_calls_lost") == 0
