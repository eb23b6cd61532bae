"""What ingest answers, and what becomes of its streams, while Kafka is away. The broker is one of its own."""
import contextlib
import os
import secrets
import signal
import threading
import xml.etree.ElementTree as xml

import pytest

import callers
import faults
from crowd import Crowd, now_us
from support import wait_for

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
        status = []
        leaving = threading.Thread(target=lambda: status.append(house.stop_one("ingest-0")))
        with crowd.suffers(faults.Paused(house, "kafka", 1)):
            pid = house.processes.pid("ingest-0")
            os.kill(pid, signal.SIGTERM)
        leaving.start()
        leaving.join(60.0)
        assert status == [0]
        since = now_us()
        house.start_one("ingest-0")
        crowd.wait_goes_on(since)
        crowd.assert_alive()
        crowd.hang_up()
        crowd.assert_recorded()
