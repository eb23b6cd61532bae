"""A call needs Kafka and the AI service, nothing else: new calls and take-overs, by processes that were
started meanwhile too, with PostgreSQL, Redis and the registry all down. Afterwards the record is whole."""
import pytest

import faults
from crowd import CALLS, Crowd, hang_up, wait_no_ghosts, wait_no_lag

FIRST = ("conversation-0", "ingest-0")
SECOND = ("conversation-1", "ingest-1")


@pytest.fixture(scope="module")
def house(new_house):
    return new_house()


def take_over(crowd, names):
    """These processes die at once, their calls go on elsewhere; then new ones are ready."""
    assert all(crowd.held_by(name) for name in names)
    with crowd.suffers(faults.Kill(crowd.stack, *names)) as since:
        crowd.wait_moved(*names)
        crowd.wait_goes_on(since)
    crowd.assert_alive()


def renew(house, *names):
    """New processes of these names, begun while nothing but Kafka is there."""
    for name in names:
        house.kill(name)
        house.start_one(name, wait=False)


def test_calls_need_kafka_and_the_ai_service_alone(house):
    away = faults.Away(house, "postgres", "redis", "registry")
    with Crowd(house, house.log, CALLS // 2) as old:
        old.wait_talking()
        old.holders()  # the test itself needs the registry, once
        away.inject()
        try:
            take_over(old, FIRST)
            take_over(old, SECOND)  # by those that have just been started
            renew(house, "sink", "telephony-0", "telephony-1")
            for name in ("telephony-0", "telephony-1"):
                house.wait_ready(name)
            with Crowd(house, house.log, CALLS // 2, keep=True) as new:
                new.wait_talking()
                take_over(new, SECOND)
                old.assert_alive()
                hang_up(old, new)
        finally:
            away.heal()
        house.wait_ready("sink")
        wait_no_ghosts(house)
        wait_no_lag(house, house.log)
        new.faults = old.faults = old.faults + new.faults
        old.assert_recorded()
        new.assert_recorded()
