"""Fixtures: the servers, and a whole Trunkline on them.

    servers   session  Kafka, registry, PostgreSQL and Redis on free ports, in a folder of their own
    topics    session  topics created, schemas registered, tables migrated, demonstration business
    stack     session  two of ingest and of conversation, sinks and simulators, with prefix "trunkline."
    new_stack          a function that makes another one, with a topic prefix and database of its
                       own: for tests that kill processes or want other settings

Everything ends with the test run, also when that is killed; nothing else is ever ended.
"""
import os
import shutil
import tempfile

import pytest

import support
from stack.process import Processes
from stack.servers import Servers


def pytest_configure(config):
    os.environ.setdefault("TL_TEST_BIN", f"{support.ROOT}/build/asan/bin")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Remember whether a test failed, and say where the logs of its stacks are."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        item.session.trunkline_failed = True
        for stack in support.Stack.living:
            report.sections.append((f"logs of {stack.folder}", stack.log_tails()))


@pytest.fixture(scope="session")
def work(request):
    """A folder for this run; it stays when a test failed."""
    folder = tempfile.mkdtemp(prefix="trunkline-tests-")
    os.chmod(folder, 0o755)  # PostgreSQL's user passes through it
    yield folder
    if getattr(request.session, "trunkline_failed", False):
        print(f"\nlogs of this run: {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def servers(work):
    """The four servers; servers.environment() has their addresses."""
    folder = f"{work}/servers"
    made = Servers(folder, Processes(folder, die_with_parent=True), registry_in_memory=True)
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def topics(servers, work):
    """The servers with topics, schemas, tables and the demonstration business on them."""
    support.prepare(servers.environment())
    return servers


@pytest.fixture(scope="session")
def stack(topics, work):
    made = support.Stack(f"{work}/stack", topics.environment())
    made.start()
    yield made
    made.stop()


def stack_maker(servers, work, kind=support.Stack):
    """A function that starts stacks of that class, and the list of what it has started."""
    made = []

    def make(settings=None, arguments=None, **layout):
        number = len(support.Stack.made)
        servers_env = {**servers.environment(),
                       "DATABASE_URL": support.new_database(servers, f"trunkline_{number}")}
        own = {"TRUNKLINE_KAFKA_TOPIC_PREFIX": f"t{number}.", **(settings or {})}
        support.prepare(servers_env, own)
        stack = kind(f"{work}/stack-{number}", servers_env, own, **layout)
        for name, words in (arguments or {}).items():
            stack.services[name].command.argv += words
        made.append(stack)
        stack.start()
        return stack

    return make, made


@pytest.fixture
def new_stack(servers, work):
    """new_stack(settings={"TRUNKLINE_…": …}, arguments={"sim-openai": ["--…"]}, **numbers of
    processes) starts one; it is stopped after the test."""
    make, made = stack_maker(servers, work)
    yield make
    for stack in made:
        stack.stop()


@pytest.fixture(scope="module")
def new_module_stack(servers, work):
    """The same for a file's tests together; stopped after the last one of them."""
    make, made = stack_maker(servers, work)
    yield make
    for stack in made:
        stack.stop()
