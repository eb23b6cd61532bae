"""A process among its peers: who lives, what the AI provider allows, what a start needs."""
import contextlib
import signal
import socket

import pytest

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

import callers
from callers import GREETING, answer, heard, place, talk, words
from support import wait_for

HOURS, SHOES, YES = ("What are your opening hours?", "I want to return a pair of shoes.",
                     "Yes, please.")
BUSY = "Everybody is talking already."


@pytest.fixture(scope="module")
def stack(new_module_stack):
    made = new_module_stack()
    callers.apply_business(made, "lasting")
    return made


# ---- metrics ----

def seen(stack, name, kind, state):
    """How many of that kind `name` sees in that state."""
    return stack.metrics(name).get(
        f'trunkline_presence_instances{{kind="{kind}",state="{state}"}}', 0)


def gone(stack, name, cause):
    return stack.metrics(name).get(f'trunkline_presence_gone_total{{cause="{cause}"}}', 0)


def wait_seen(stack, name, kind, living):
    wait_for(lambda: seen(stack, name, kind, "living") == living,
             f"{name} sees {living} of {kind} living")


def forget_records(stack, topic):
    """Delete what stands in the topic's one partition, as retention does."""
    brokers = {"bootstrap.servers": stack.env["KAFKA_BROKERS"]}
    partition = TopicPartition(stack.topic(topic), 0)
    consumer = Consumer({**brokers, "group.id": "unused"})
    _, partition.offset = consumer.get_watermark_offsets(partition, 30)
    consumer.close()
    admin = AdminClient(brokers)
    for done in admin.delete_records([partition]).values():
        done.result(30)


# ---- who lives ----

def test_everybody_sees_everybody(stack):
    for name in ("ingest-0", "ingest-1", "conversation-0", "conversation-1", "telephony-0"):
        for kind in ("INGEST", "CONVERSATION", "TELEPHONY"):
            wait_seen(stack, name, kind, 2)
        rows = stack.metrics(name)
        assert rows["trunkline_presence_beats_total"] > 2
        assert 0 <= rows["trunkline_presence_own_age_seconds"] < 60


def test_a_stopped_process_is_gone_by_missed_records_and_comes_back(stack):
    before = gone(stack, "ingest-0", "missed")
    stack.processes.kill("conversation-1", signal.SIGSTOP)
    try:
        wait_seen(stack, "ingest-0", "CONVERSATION", 1)
        assert gone(stack, "ingest-0", "missed") > before
        assert seen(stack, "ingest-0", "CONVERSATION", "gone") == 1
    finally:
        stack.processes.kill("conversation-1", signal.SIGCONT)
    wait_seen(stack, "ingest-0", "CONVERSATION", 2)
    with open(stack.log_path("ingest-0")) as log:
        lines = [line for line in log if '"presence.gone"' in line and '"missed"' in line]
    assert any('"CONVERSATION"' in line for line in lines)


def test_a_new_run_replaces_a_dead_one_at_once(stack):
    """It names its epoch as soon as it is known: nobody waits for five missed records."""
    before = gone(stack, "ingest-0", "epoch")
    stack.kill("conversation-1")
    stack.start_one("conversation-1")
    wait_for(lambda: gone(stack, "ingest-0", "epoch") + gone(stack, "ingest-0", "missed") > before,
             "the dead run is gone")
    wait_seen(stack, "ingest-0", "CONVERSATION", 2)


def test_a_process_that_lost_its_place_in_the_log_sees_who_lives_now(stack):
    """It slept for longer than presence.v1 keeps: the record that it would read next is not there."""
    stack.processes.kill("conversation-1", signal.SIGSTOP)
    try:
        wait_seen(stack, "ingest-0", "CONVERSATION", 1)
        forget_records(stack, "presence.v1")
    finally:
        stack.processes.kill("conversation-1", signal.SIGCONT)
    wait_for(lambda: '"presence.lost_its_place"' in open(stack.log_path("conversation-1")).read(),
             "it notices")
    beats = stack.metrics("conversation-1")["trunkline_presence_beat_return_seconds_count"]
    wait_for(lambda: stack.metrics("conversation-1")["trunkline_presence_beat_return_seconds_count"]
             > beats + 8, "it hears itself again")
    for kind in ("INGEST", "CONVERSATION", "TELEPHONY"):
        wait_seen(stack, "conversation-1", kind, 2)
    wait_seen(stack, "ingest-0", "CONVERSATION", 2)


def test_a_second_process_with_the_same_number_ends_the_first(stack):
    first = stack.processes.children["conversation-1"]
    second = stack.services["conversation-1"]
    twin = stack.layout._daemon("conversation-twin", "trunkline-processor", 1,
                                ["--role", "conversation"])
    stack.processes.start("conversation-twin", twin.command)
    try:
        assert wait_for(lambda: first.poll() is not None, "the first one leaves")
        assert first.returncode == 1
        stack.processes.wait_ready("conversation-twin", twin.ready, 60.0)
        wait_seen(stack, "ingest-0", "CONVERSATION", 2)
    finally:
        stack.processes.stop("conversation-twin")
        stack.processes.children.pop("conversation-1", None)
        stack.processes.start("conversation-1", second.command)
        stack.wait_ready("conversation-1")


# ---- what a start needs ----

@contextlib.contextmanager
def deaf_server():
    """Takes connections and says nothing; the address of nothing else could be slower."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("registry", ["http://127.0.0.1:{deaf}/apis/ccompat/v7",
                                      "http://registry.nowhere.invalid:8080/apis/ccompat/v7"])
def test_fresh_processes_need_kafka_and_the_ai_alone(new_stack, registry):
    """PostgreSQL, Redis and the registry are away: started now, they answer and hold calls."""
    made = new_stack()
    number = callers.apply_business(made, "alone")
    fresh = [name for name in made.services if name.startswith(("ingest", "conversation", "telephony"))]
    for name in fresh:
        made.kill(name)
    with deaf_server() as deaf:
        away = {"SCHEMA_REGISTRY_URL": registry.format(deaf=deaf),
                "DATABASE_URL": f"postgresql://nobody@127.0.0.1:{deaf}/nothing",
                "REDIS_URL": f"redis://127.0.0.1:{deaf}"}
        for name in fresh:
            made.services[name].command.env.update(away)
            made.start_one(name, wait=False)
        for name in fresh:
            made.wait_ready(name)
        callers.wait_configured(made)
        call = place(made, talk(HOURS, SHOES), number)
        call.wait_closed()
        assert words(call) == [("AI", GREETING), ("CUSTOMER", HOURS), ("AI", answer(HOURS)),
                               ("CUSTOMER", SHOES), ("AI", answer(SHOES))]
        assert heard(call.report()) == [GREETING, answer(HOURS), answer(SHOES)]


# ---- the governor of the AI provider's limits ----

SCRIPT = [{"wait_answer": True}, {"say": HOURS}, {"wait_answer": True}, {"pause": 15000},
          {"say": SHOES}, {"wait_answer": True}, callers.HANG_UP]


def most_sessions_at_once(stack):
    """Of all that the AI service ever had open."""
    moments = []
    for s in callers.service(stack, "GET", "/sessions?full=1")["sessions"]:
        moments.append((s["opened_us"], 1))
        if not s["is_open"]:
            moments.append((s["closed_us"], -1))
    most = now = 0
    for _, step in sorted(moments):
        now += step
        most = max(most, now)
    return most


def test_new_calls_leave_the_reserve_to_those_that_go_on(new_stack):
    """Five sessions are allowed: two and one, and two more for the death of the fullest."""
    made = new_stack(settings={"TRUNKLINE_OPENAI_MAX_SESSIONS": "5"})
    number = callers.apply_business(made, "limited", sentences={"busy": BUSY})
    for name in ("ingest-0", "ingest-1"):
        wait_seen(made, name, "CONVERSATION", 2)
    calls = [place(made, SCRIPT, number) for _ in range(6)]

    def has_decided(call):
        report = call.report()
        return heard(report) or report["spoken"]

    for call in calls:
        wait_for(lambda c=call: has_decided(c), "it is served or refused")
    served = [c for c in calls if not c.report()["spoken"]]
    refused = [c for c in calls if c not in served]
    assert len(served) == 3
    assert [[s["text"] for s in c.wait_ended()["spoken"]] for c in refused] == [[BUSY]] * 3
    for call in served:
        wait_for(lambda c=call: len(heard(c.report())) == 2, "the first answer was heard")

    holders = [callers.conversation_of(c) for c in served]
    fullest = max(set(holders), key=holders.count)
    assert holders.count(fullest) == 2
    made.kill(fullest)
    for call in served:
        call.wait_closed()
        assert [text for who, text in words(call) if who == "CUSTOMER"] == [HOURS, SHOES]
        assert heard(call.report()) == [GREETING, answer(HOURS), answer(SHOES)]
        assert not call.report()["spoken"]
    assert most_sessions_at_once(made) <= 5
    made.start_one(fullest)
