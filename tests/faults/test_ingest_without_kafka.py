"""What ingest answers, and what becomes of its streams, while Kafka is away. The broker is one of its own."""
import contextlib
import os
import secrets
import signal
import xml.etree.ElementTree as xml

import pytest

import callers
import faults
from crowd import Crowd, now_us
from media_socket import Socket
from support import Call, wait_for

ONE_MOMENT = "One moment, please."


@pytest.fixture(scope="module")
def house(new_house):
    return new_house()


@contextlib.contextmanager
def kafka_away(house):
    """Stopped until the end of the block: it answers nobody, and its connections stay."""
    processes = house.servers.processes
    assert processes.kill("kafka", signal.SIGSTOP)
    try:
        yield
    finally:
        processes.kill("kafka", signal.SIGCONT)


def new_sid():
    return "CA" + secrets.token_hex(16)


def voice(house, hooks):
    """A voice webhook of a new call; returns what the document does first."""
    form = callers.voice_form(new_sid(), house.businesses["crowd"])
    status, text = hooks.post("/twilio/voice", form)
    assert status == 200, text
    return xml.fromstring(text)[0].tag


def test_a_call_gets_a_stream_although_its_event_is_on_its_way(house):
    """The own presence came back within the last second: the log is slow, not gone."""
    hooks = callers.Webhooks(house)
    assert voice(house, hooks) == "Connect"

    def just_stopped():
        with kafka_away(house):
            return voice(house, hooks) == "Connect"

    wait_for(just_stopped, "an answer within the second", 60.0, 1.0)  # a busy machine: once more
    hooks.close()


def test_a_call_waits_and_a_status_is_asked_for_again(house):
    hooks = callers.Webhooks(house)
    form = callers.voice_form(new_sid(), house.businesses["crowd"], status="completed")
    with kafka_away(house):
        wait_for(lambda: voice(house, hooks) == "Say", "callers are asked to wait", 30.0, 0.1)
        assert hooks.post("/twilio/status", form)[0] == 503
        call = callers.place(house, callers.talk("Hello."), house.businesses["crowd"])
        wait_for(lambda: call.report()["spoken"], "it is asked to wait")
    wait_for(lambda: hooks.post("/twilio/status", form)[0] == 204, "it is recorded", 30.0, 0.5)
    hooks.close()
    call.wait_closed()
    report = call.report()
    assert {s["text"] for s in report["spoken"]} == {ONE_MOMENT}
    assert callers.heard(report)[0] == callers.GREETING


def test_an_ingest_that_drains_while_kafka_is_away_loses_nothing(house):
    """It waits for the log before it closes a stream at a pause; nothing of what was said is lost."""
    with Crowd(house, house.log, 6) as crowd:
        crowd.wait_talking()
        held = crowd.held_by("ingest-0")
        assert held
        child = house.processes.children["ingest-0"]
        with crowd.suffers(faults.Paused(house, "kafka", 1)):
            os.kill(child.pid, signal.SIGTERM)
        wait_for(lambda: child.poll() is not None, "it leaves", 60.0)
        since = now_us()
        house.start_one("ingest-0")
        assert child.returncode == 0
        crowd.wait_goes_on(since)
        crowd.assert_alive()
        crowd.hang_up()
        crowd.assert_recorded()


def streams(house):
    return {name: house.metrics(name)["trunkline_ingest_streams"] for name in house.names("ingest")}


def test_an_ingest_that_drains_before_a_stream_is_given_gives_it_first(house):
    """Kafka is away when the socket starts, so its leg has no number yet; SIGTERM comes then."""
    hooks, sid = callers.Webhooks(house), new_sid()
    _, text = hooks.post("/twilio/voice", callers.voice_form(sid, house.businesses["crowd"]))
    document = xml.fromstring(text)
    before = streams(house)
    with kafka_away(house):
        socket = Socket(house, hooks, document.find("Connect").find("Stream"), sid)
        name = wait_for(lambda: next((n for n, v in streams(house).items() if v > before[n]), None),
                        "its start is read")
        wait_for(lambda: socket.sent > 30, "it carries frames")
        os.kill(house.processes.pid(name), signal.SIGTERM)
        wait_for(lambda: "drain.began" in log_of(house, name), "it has heard")
    wait_for(lambda: not house.processes.pid(name), f"{name} leaves", 60.0)
    house.start_one(name)
    wait_for(lambda: socket.reason is not None, "the socket is closed")
    assert socket.reason == "drained"
    started = Call(house, sid).wait_event("session_started")["session_started"]
    assert (started["stream_sid"], started["first_n"]) == (socket.sid, 0), "from its first frame on"
    ended = Call(house, sid).wait_event("stream_ended")["stream_ended"]
    assert (ended["reason"], ended["frames_dropped"]) == ("drained", 0)
    socket.stop()
    hooks.post("/twilio/status", callers.voice_form(sid, house.businesses["crowd"], status="completed"))
    hooks.close()


def log_of(house, name):
    with open(house.log_path(name), errors="replace") as log:
        return log.read()
