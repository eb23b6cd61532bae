"""Deploying is not an event: every process is replaced, one after another, while people talk."""
import pytest

import history
from crowd import Crowd, now_us, part


@pytest.fixture(scope="module")
def house(new_house):
    return new_house()


def test_a_rolling_restart_under_calls(house):
    """Each is asked to end, ends with status 0, and is started again; no call ends, every word is
    heard and recorded once."""
    with Crowd(house, house.log) as crowd:
        crowd.wait_talking()
        for name in house.ours():
            kind = name.partition("-")[0]
            mark = history.Fault.now(kind, [name], what="drain")
            crowd.faults.append(mark)
            assert house.stop_one(name) == 0
            house.start_one(name)
            mark.over_us = now_us()
            crowd.assert_alive()
        crowd.wait_goes_on(now_us())
        part(crowd)
