"""Each fault in the middle of twenty calls. No call ends, no word is lost or doubled, the AI
knows what was said before, the sinks read everything, and nobody is left holding a call."""
import pytest

import faults
from crowd import Crowd, now_us, part


@pytest.fixture(scope="module")
def house(new_house):
    return new_house()


def survive(house, *stages):
    """Twenty calls live through all of it, one after another, then hang up and leave nothing behind.
    A stage is a fault, or a pair: a fault, and what the telephone network does after an abrupt close."""
    with Crowd(house, house.log) as crowd:
        crowd.wait_talking()
        for stage in stages:
            fault, behaviour = stage if isinstance(stage, tuple) else (stage, "action")
            with faults.after_abrupt(house, behaviour):
                suffer(crowd, fault)
        part(crowd)


def suffer(crowd, fault):
    carriers = [name for name in fault.dies if name.startswith(("ingest", "conversation"))]
    assert all(crowd.held_by(name) for name in carriers), f"{fault} touches no call"
    with crowd.suffers(fault) as since:
        if not fault.blocks:
            if fault.moves:
                crowd.wait_moved(*carriers)
            crowd.wait_goes_on(since)
    if fault.blocks or fault.comes_back:
        crowd.wait_goes_on(now_us())
    crowd.assert_alive()


# ---- processes ----

def test_conversations_are_killed(house):
    """One is missed for long, the other one is back at once under the same number."""
    survive(house, faults.Kill(house, "conversation-0"), faults.Replace(house, "conversation-1"))


def test_ingests_are_killed(house):
    """The telephone network asks at once, holds in silence, notices nothing; at last one is back at
    once under the same number."""
    survive(house, *((faults.Kill(house, f"ingest-{n % 2}"), behaviour)
                     for n, behaviour in enumerate(faults.ABRUPT)),
            (faults.Replace(house, "ingest-1"), "nothing"))


def test_machines_go_without_a_word(house):
    """Sockets stay open towards the telephone network, which sees a reset or nothing at all."""
    survive(house, *((faults.Machine(house, n % 2, told=behaviour != "nothing"), behaviour)
                     for n, behaviour in enumerate(faults.ABRUPT)))


def test_the_watchdog_suffers_too(house):
    """The telephony that would have come first is gone with the ingest, then the other one; at last
    the REST API answers 429, when every call must be fetched by it."""
    survive(house, (faults.Kill(house, "ingest-0", "telephony-0"), "hold"),
            (faults.Kill(house, "ingest-1", "telephony-1"), "nothing"),
            (faults.Storm(house, "ingest-0"), "hold"))


# ---- sockets ----

def test_sockets_fall_silent(house):
    """Some calls' own, then all of one ingest: nobody says anything, nobody closes."""
    with Crowd(house, house.log) as crowd:
        crowd.wait_talking()
        suffer(crowd, faults.HalfOpenTelephone(house, crowd.calls[::3]))
        suffer(crowd, faults.SilentIngest(house, "ingest-0"))
        part(crowd)


def test_the_ai_service_breaks(house):
    """Half-open sockets; all sessions reset and the service away; a storm of 429."""
    survive(house, faults.AiService(house, "half_open"),
            faults.AiService(house, "rst", refuse="refuse_upgrade_503", seconds=2),
            faults.AiService(house, "drop", refuse="refuse_upgrade_429", seconds=2),
            faults.AiService(house, "rate_limit"))


# ---- servers and disk ----

def test_the_broker_is_away_for_a_while(house):
    """Restarted, then paused. No process of ours ends over it."""
    before = {name: house.processes.pid(name) for name in house.services}
    survive(house, faults.Restarted(house, "kafka"), faults.Paused(house, "kafka", 5))
    assert {name: house.processes.pid(name) for name in house.services} == before


def test_calls_need_no_other_server_and_no_disk(house):
    survive(house, *(faults.Away(house, name) for name in ("postgres", "redis", "registry")),
            faults.DiskFull(house), faults.Kill(house, "sink", "telephony-0", "telephony-1"))
