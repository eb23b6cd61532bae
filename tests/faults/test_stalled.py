"""Who has lost a call without knowing it: a process that was stopped past detection and goes on, two
sockets of one call, a webhook that came twice. One holder remains, nothing is done or said twice."""
import json
import ssl
import urllib.parse
import xml.etree.ElementTree as xml

import pytest
import websockets.sync.client

import callers
import faults
from crowd import CALLS, Crowd, now_us, part, script, story
from history import fence
from support import wait_for

BYE = "Goodbye."


@pytest.fixture(scope="module")
def house(new_house):
    return new_house()


# ---- stalled, and then continued ----

def leaver(n):
    """Says goodbye, so that the AI ends the call, 200 ms after the one before. Should the AI say goodbye
    and its wish to hang up die on its way to us, the caller does it."""
    return [{"wait_answer": True}, {"pause": n * 200}, {"say": "Hello."}, {"wait_answer": True},
            {"say": BYE}, {"wait_answer": True}, {"pause": 15000}, {"hangup": True}]


def mixed(n):
    return leaver(n // 2) if n % 2 else script(n)


def said_goodbye(report):
    return any(s["phrase"] == BYE for s in report["said"])


def wait_about_to_end(crowd, leavers):
    """Until half of those who leave have said goodbye: of some the AI is about to end the call."""
    wait_for(lambda: sum(said_goodbye(call.report()) for call in leavers) * 2 > len(leavers),
             "half of those who leave have said goodbye", 60.0, 0.01)


def lost(house, name):
    return sum(v for k, v in house.metrics(name).items()
               if k.startswith("trunkline_conversation_lost_total"))


def test_a_stalled_conversation_that_goes_on_has_no_effect(house):
    """It was about to end some calls and to write down what it heard; others have its calls now."""
    with Crowd(house, house.log, scripts=mixed) as crowd:
        leavers = crowd.calls[1::2]
        wait_about_to_end(crowd, leavers)
        held = crowd.held_by("conversation-0")
        assert held
        before = lost(house, "conversation-0")
        stall = faults.Stall(house, "conversation-0")
        with crowd.suffers(stall):
            crowd.wait_moved("conversation-0")
        crowd.wait_all(lambda call, report: call not in leavers or report["ended_ms"] is not None,
                       "the AI ends the calls of those who leave")
        wait_for(lambda: lost(house, "conversation-0") > before, "it sees that it has lost them")
        stayers = [call for call in crowd.calls if call not in leavers]
        since = now_us()
        crowd.wait_goes_on(since, calls=stayers)
        part(crowd)
        assert sum(ended_once(crowd, call) for call in leavers) * 2 > len(leavers)


def ended_once(crowd, call):
    """Whether the AI ended it. Of what counts, one result of an intent to end it says that it was done."""
    counting, _ = fence.read(crowd.log.of(call))
    ends = {e["tool_intent"]["intent_id"] for e in counting
            if e["tool_intent"] and e["tool_intent"]["name"] == "end_call"}
    done = [e for e in counting if e["tool_result"] and e["tool_result"]["status"] == "DONE"
            and e["tool_result"]["intent_id"] in ends]
    assert len(done) == len(ends) <= 1, story(call, crowd.log)
    return bool(ends)


def test_a_stalled_ingest_that_goes_on_is_not_heard(house):
    """What lay in its sockets, and what it says about its streams, is of attachments that are over."""
    with Crowd(house, house.log) as crowd:
        crowd.wait_talking()
        with crowd.suffers(faults.Stall(house, "ingest-0")) as since:
            crowd.wait_moved("ingest-0")
        crowd.wait_goes_on(since)
        crowd.assert_alive()
        part(crowd)


# ---- two sockets of one call ----

def test_action_and_watchdog_act_together(house):
    """The ingest stalls until the watchdog has written its first rescue; then it dies, and the
    telephone network asks the action URL while the REST requests are on their way."""
    with Crowd(house, house.log) as crowd:
        crowd.wait_talking()
        held = crowd.held_by("ingest-0")
        assert held
        with crowd.suffers(Stopped(house, "ingest-0")) as since:
            crowd.wait_log(lambda: any(crowd.log.of(call, "rescue") for call in held), "a rescue")
            faults.Kill(house, "ingest-0").inject()
            crowd.wait_moved("ingest-0")
            crowd.wait_goes_on(since)
        crowd.assert_alive()
        part(crowd)


class Stopped(faults.Stall):
    """Healed by a new process."""

    def heal(self):
        faults.start(self.house, self.dies)
        self.house.balance("put_in", self.dies[0])


OVERRIDES = "#rc=2&rp=ct,rt,5xx&ct=2000&rt=5000"


def asked_again(crowd, path):
    """How many webhooks of that path were made more than once."""
    return sum(path in w["url"] and w["attempts"] > 1
               for report in crowd.reports().values() for w in report["webhooks"])


def test_webhooks_come_twice(house):
    """The answers to voice and action URLs are lost on their way, and the network asks again."""
    voice = callers.public_url(house) + "/twilio/voice" + OVERRIDES
    with faults.network_faults(house, answers_lost=CALLS), \
            Crowd(house, house.log, voice_url=voice) as crowd:
        crowd.wait_talking()
        assert asked_again(crowd, "/voice")
        callers.network(house, "POST", "/faults", {"answers_lost": CALLS})
        with crowd.suffers(faults.Kill(house, "ingest-0")) as since:
            crowd.wait_moved("ingest-0")
            crowd.wait_goes_on(since)
        assert asked_again(crowd, "/action")
        crowd.assert_alive()
        part(crowd)


def thinker(n):
    """Says something, then nothing for so long that strangers can speak on another socket."""
    return [{"wait_answer": True}, {"say": "Hello."}, {"wait_answer": True}, {"pause": 6000},
            *script(n)[2:-1], {"again": 4}]


class Second:
    """A second socket of a call: the network asked the action URL although its stream lives, and
    connects as it is told."""

    def __init__(self, house, call):
        hooks = callers.Webhooks(house)
        document = xml.fromstring(call.report()["documents"][-1]["text"])
        action = urllib.parse.urlsplit(document.find("Connect").get("action"))
        form = callers.voice_form(call.sid, house.businesses["crowd"], call.caller,
                                  status="in-progress")
        status, text = hooks.post(f"{action.path}?{action.query}", form)
        hooks.close()
        assert status == 200, text
        self.sid = "MZ" + call.sid[2:]
        self.open(house, hooks, xml.fromstring(text).find("Connect").find("Stream"), call)

    def open(self, house, hooks, stream, call):
        trust = ssl.create_default_context(cafile=house.layout.credentials.ca)
        self.socket = websockets.sync.client.connect(
            stream.get("url"), ssl=trust, additional_headers={
                "X-Twilio-Signature": hooks.signature("/media", {}, scheme="wss")})
        self.send({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        self.send({"event": "start", "sequenceNumber": "1", "streamSid": self.sid, "start": {
            "accountSid": house.env["TWILIO_ACCOUNT_SID"], "streamSid": self.sid,
            "callSid": call.sid, "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {p.get("name"): p.get("value") for p in stream.findall("Parameter")}}})

    def send(self, message):
        self.socket.send(json.dumps(message))

    def drop(self):
        self.socket.socket.close()


def test_two_sockets_of_one_call(house):
    """A stranger's socket, with everything signed, takes the call over; the caller's own, which still
    carries frames, gets it back, whether the other one stays silent or goes."""
    with Crowd(house, house.log, 4, thinker) as crowd:
        crowd.wait_all(lambda _, report: len(callers.heard(report)) >= 2, "all calls talk", 60.0)
        seconds = [Second(house, call) for call in crowd.calls]
        crowd.wait_log(lambda: all(
            any(e["session_started"]["stream_sid"] == second.sid
                for e in crowd.log.of(call, "session_started"))
            for call, second in zip(crowd.calls, seconds)), "the second sockets are taken")
        since = now_us()
        for second in seconds[::2]:
            second.drop()
        crowd.wait_goes_on(since)
        crowd.assert_alive()
        part(crowd)
        for second in seconds[1::2]:
            second.drop()
