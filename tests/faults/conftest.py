"""Fixtures of the tests of faults: servers of their own, which may be stopped, and a house on them.

    own_servers  session  Kafka, registry, PostgreSQL, Redis; what is in them outlives a stop
    new_house    module   a function that makes a house (house.py) on them
"""

import pytest

import crowd
import follow
import house
from shared_fixtures import stack_maker
from stack.process import Processes
from stack.servers import Servers


@pytest.fixture(scope="session")
def own_servers(work):
    folder = f"{work}/own-servers"
    made = Servers(folder, Processes(folder, die_with_parent=True))
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def new_house(own_servers, work):
    """new_house(settings={…}, ingests=2, …): as new_stack, with a business for crowds and `log`."""
    house.House.servers = own_servers
    make, made = stack_maker(own_servers, work, house.House)

    def make_house(**more):
        stack = make(**more)
        stack.businesses = {}
        crowd.open_business(stack)
        stack.log = follow.Log(stack)
        return stack

    yield make_house
    for stack in made:
        if hasattr(stack, "log"):
            stack.log.close()
        stack.stop()
