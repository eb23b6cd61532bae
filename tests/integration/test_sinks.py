"""Sinks against a real broker, PostgreSQL and Redis: exactly once, fenced, nothing lost."""
import json
import os
import uuid

import psycopg
import pytest

from sinks import CLAIM, Sinks
from stack.java import ROOT
from support import bin_folder, migrate, new_database, run, wait_for


@pytest.fixture
def sinks(servers, work, request):
    made = []

    def make(**settings):
        made.append(Sinks(f"{work}/sinks-{request.node.name}-{len(made)}", servers, settings))
        return made[-1]

    yield make
    for house in made:
        house.stop()


def new_call():
    return str(uuid.uuid4())


def test_records_stores_a_call(sinks):
    """CALL-3, CALL-4, CONV-8: what the log says of a call is in the tables."""
    house, call = sinks(), new_call()
    house.send(*house.ring(call), house.said(call, 1, "Hello, Harbour Lamps.", "AI", heard_ms=900),
               house.said(call, 2, "Do you have [EMAIL_1]?", entities=[
                   {"type": "EMAIL", "ordinal": 1, "confidence": 0.9}],
                   metadata={"mood": "calm"}),
               house.said(call, 3, "not final", final=False),
               house.used(call, 1500), house.used(call, 700), house.over(call), house.closed(call))
    house.start("records")
    row, = house.wait_sql("SELECT * FROM calls WHERE id = %s AND closed_at IS NOT NULL", call)
    assert row["state"] == "COMPLETED" and row["direction"] == "INBOUND"
    assert row["from_number"] == "+15550001" and row["to_number"] == "+15559999"
    assert row["business_id"] == "harbour-lamps" and row["business_version"] == 1
    assert row["duration_s"] == 12 and row["answered_at"] > row["started_at"]
    assert (row["utterances"], row["utterances_ai"], row["utterances_customer"]) == (2, 1, 1)
    assert row["cost_microusd"] == 2200 and row["fold"] is None
    said = house.sql("SELECT * FROM call_interactions WHERE call_id = %s ORDER BY sequence", call)
    assert [(s["sequence"], s["speaker"], s["text"]) for s in said] == [
        (1, "AI", "Hello, Harbour Lamps."), (2, "CUSTOMER", "Do you have [EMAIL_1]?")]
    assert said[0]["heard_ms"] == 900 and said[1]["heard_ms"] is None
    assert said[1]["entities"][0]["type"] == "EMAIL" and said[1]["metadata"] == {"mood": "calm"}
    assert said[0]["call_started_at"] == row["started_at"]
    cost, = house.sql("SELECT sum(cost_microusd) AS c, count(*) AS n FROM call_usage")
    assert (cost["c"], cost["n"]) == (2200, 2)
    found = house.sql("SELECT 1 FROM call_interactions WHERE to_tsvector('simple', text) @@ "
                      "websearch_to_tsquery('simple', 'harbour lamps')")
    assert len(found) == 1


def test_records_keeps_out_what_does_not_count(sinks):
    """The fence, also when it was built before a restart: lower claims, another holder, a second
    final, what stands behind `closed`."""
    house, call = sinks(), new_call()
    second = {"number": 1, "offset": 0, "session": 2}
    once = house.said(call, 2, "said once", claim=second, producer="conversation-1")
    house.send(*house.ring(call), house.said(call, 1, "before"),
               house.event(call, claim=second, producer="conversation-1", session_started={
                   "stream_sid": "MZ1", "call_started_at": 1, "cause": "take_over",
                   "call_sid": "CA1", "direction": "INBOUND"}))
    name = house.start("records")
    house.wait_sql("SELECT 1 FROM calls WHERE id = %s AND utterances = 1", call)
    house.kill(name)
    house.send(house.said(call, 2, "of a fenced holder"),
               house.said(call, 2, "of an impostor", claim=second, producer="conversation-9"),
               once, once)
    house.start("records")
    house.wait_sql("SELECT 1 FROM calls WHERE id = %s AND utterances = 2", call)
    house.send(house.event(call, producer="ingest-0", changed={"state": "RINGING"}),
               house.over(call), house.closed(call, claim=None),
               house.said(call, 3, "behind closed", claim=second, producer="conversation-1"))
    house.wait_sql("SELECT 1 FROM calls WHERE id = %s AND closed_at IS NOT NULL", call)
    other = new_call()
    house.send(house.said(call, 4, "long behind closed", claim=None), *house.ring(other))
    house.wait_sql("SELECT 1 FROM calls WHERE id = %s", other)
    wait_for(lambda: house.metric(name, 'trunkline_sink_events_total{sink="records",verdict='
                                        '"behind_closed"') == 2, "both are dropped")
    said = house.sql("SELECT text FROM call_interactions WHERE call_id = %s ORDER BY sequence", call)
    assert [s["text"] for s in said] == ["before", "said once"]
    row, = house.sql("SELECT state, utterances FROM calls WHERE id = %s", call)
    assert (row["state"], row["utterances"]) == ("COMPLETED", 2)


def test_records_survives_kills(sinks):
    """Ten times SIGKILL in mid-stream: every utterance and every cost once."""
    house = sinks(TRUNKLINE_RECORDS_BATCH_RECORDS="40", TRUNKLINE_RECORDS_BATCH="5ms")
    calls = [new_call() for _ in range(30)]
    name = house.start("records")
    expected = 0

    def stored():
        return house.sql("SELECT count(*) AS n FROM call_interactions")[0]["n"]

    for call in calls:
        house.send(*house.ring(call))
    for kill in range(10):
        for turn in range(20):
            for call in calls:
                house.send_later(house.said(call, kill * 20 + turn, f"{kill}-{turn}"),
                                 house.used(call, 1))
        house.flush()
        expected += 20 * len(calls)
        # somewhere in the middle of this round
        wait_for(lambda low=expected - 19 * len(calls): stored() > low, "it goes on")
        house.kill(name)
        house.start("records", wait=False)
    for call in calls:
        house.send(house.over(call), house.closed(call))
    wait_for(lambda: house.sql("SELECT count(*) AS n FROM calls WHERE closed_at IS NOT NULL")[0]["n"]
             == len(calls), "all are closed", 120)
    assert stored() == expected
    rows = house.sql("SELECT id, utterances, cost_microusd FROM calls")
    assert {(r["utterances"], r["cost_microusd"]) for r in rows} == {(200, 200)}
    twice = house.sql("SELECT 1 FROM call_interactions GROUP BY call_id, sequence "
                      "HAVING count(*) > 1")
    gaps = house.sql("SELECT 1 FROM call_interactions GROUP BY call_id HAVING max(sequence) <> 200")
    assert not twice and not gaps


def test_records_puts_poison_aside(sinks):
    """PIPE-7: what cannot be read or stored is a dead letter, and the rest is stored."""
    house, call = sinks(), new_call()
    house.send(*house.ring(call), b"not avro", None,
               house.event(call, at=-5, producer="ingest-0", changed={"state": "FAILED"}),
               {**house.over(call), "event_id": "not a uuid"},
               house.said(call, 1, "after"),
               house.said(call, 2, "no such id", utterance_id="x"),
               house.said(call, 3, "last"))
    house.start("records")
    house.wait_sql("SELECT 1 FROM calls WHERE id = %s AND utterances = 2", call)
    letters = house.decoded("dead-letters.v1")
    assert len(letters) == 5
    assert all(x["topic"] == "calls.v1" and x["reason"].startswith("records: ") for x in letters)
    assert sorted(x["value"] is None or x["value"] == b"not avro" for x in letters)[-2:] == [True,
                                                                                           True]


def test_records_puts_aside_what_the_database_refuses(sinks):
    """A record that only PostgreSQL refuses is found among the others, alone."""
    house, calls = sinks(), [new_call() for _ in range(20)]
    for call in calls:
        house.send(*house.ring(call), house.said(call, 1, "hello"))
    house.sql_do("ALTER TABLE call_interactions ADD CONSTRAINT no_curses CHECK (text <> 'curse')")
    house.send(house.said(calls[3], 2, "curse"))
    for call in calls:
        house.send(house.said(call, 3, "good bye"))
    house.start("records")
    wait_for(lambda: house.sql("SELECT count(*) AS n FROM call_interactions")[0]["n"] == 40,
             "all others are stored")
    letter, = house.decoded("dead-letters.v1")
    assert "no_curses" in letter["reason"]
    assert {r["utterances"] for r in house.sql("SELECT utterances FROM calls")} == {2}


def test_records_stores_nothing_from_where_somebody_else_has_been(sinks):
    """Compare and set: a position that another instance moved is read again, and believed."""
    house, call = sinks(), new_call()
    house.send(*house.ring(call))
    house.start("records")
    house.wait_sql("SELECT 1 FROM sink_offsets WHERE next = 3")
    house.sql_do("UPDATE sink_offsets SET next = 4 WHERE next = 3")  # it has stored the next one
    house.send(house.said(call, 1, "stored by the other"), house.said(call, 2, "mine"))
    house.wait_sql("SELECT 1 FROM sink_offsets WHERE next = 5")
    said = house.sql("SELECT text FROM call_interactions")
    assert [s["text"] for s in said] == ["mine"]


def test_records_takes_over_a_partition(sinks):
    """Two members share the partitions; when one dies its share is read on by the other."""
    house, calls = sinks(), [new_call() for _ in range(40)]
    for call in calls:
        house.send(*house.ring(call))
    first = house.start("records", 0)
    house.start("records", 1)
    for turn in range(5):
        house.send(*(house.said(call, turn, f"{turn}") for call in calls))
    house.kill(first)
    for turn in range(5, 10):
        house.send(*(house.said(call, turn, f"{turn}") for call in calls))
    wait_for(lambda: house.sql("SELECT count(*) AS n FROM call_interactions")[0]["n"] == 400,
             "the other one reads all", 120)
    assert {r["utterances"] for r in house.sql("SELECT utterances FROM calls")} == {10}


def test_records_stops_loudly_outside_the_log(sinks):
    """A position that the log does not have is never reset in silence."""
    house, call = sinks(), new_call()
    house.send(*house.ring(call))
    name = house.start("records")
    house.wait_sql("SELECT 1 FROM calls WHERE id = %s", call)
    house.kill(name)
    house.sql_do("UPDATE sink_offsets SET next = 1000000 WHERE next > 0")
    house.start("records", wait=False)
    wait_for(lambda: house.processes.exit_status(name) not in (None, -9), "it stops", 60)
    assert house.processes.exit_status(name) == 1
    assert "outside the log" in json.dumps(house.log(name)[-3:])
    house.processes.stop(name)


def test_records_waits_for_the_database(sinks, servers):
    """PostgreSQL away: not ready, nothing lost, nothing twice."""
    house, call = sinks(), new_call()
    house.send(*house.ring(call), house.said(call, 1, "before"))
    name = house.start("records")
    house.wait_sql("SELECT 1 FROM calls WHERE id = %s AND utterances = 1", call)
    servers.processes.stop("postgres")
    house.send(*(house.said(call, turn, f"{turn}") for turn in range(2, 50)))
    wait_for(lambda: not house.is_ready(name), "it says that it cannot")
    servers.start()
    house.wait_ready(name)
    house.wait_sql("SELECT 1 FROM calls WHERE id = %s AND utterances = 49", call)
    assert house.sql("SELECT count(*) AS n FROM call_interactions")[0]["n"] == 49


def test_live_shows_a_call_while_it_lasts(sinks):
    """PIPE-3: an active call is in Redis with its newest words, expires, and goes when closed."""
    house, call = sinks(), new_call()
    house.send(*house.ring(call), house.said(call, 1, "Hello."),
               house.said(call, 2, "I would", "AI", final=False), {**house.over(call), "at": 0})
    house.start("live")
    key, active = f"{house.name}:call:{call}", f"{house.name}:calls:harbour-lamps"
    with house.redis() as redis:
        entry = wait_for(lambda: redis.hgetall(key), "the call is there")
        assert entry["state"] == "IN_PROGRESS" and entry["from_number"] == "+15550001"
        assert json.loads(entry["last"])["text"] == "Hello."
        assert json.loads(entry["draft"])["text"] == "I would"
        assert 0 < redis.ttl(key) <= 4 * 3600
        assert redis.zrange(active, 0, -1) == [call]
        house.send(house.said(call, 2, "I would like that.", "AI"),
                   house.said(call, 3, "stale", claim={**CLAIM, "session": 0}))
        wait_for(lambda: redis.hget(key, "draft") == "", "the draft has become final")
        assert json.loads(redis.hget(key, "last"))["text"] == "I would like that."
        house.send(house.over(call), house.closed(call), house.said(call, 4, "late"))
        wait_for(lambda: not redis.exists(key), "it is gone")
        other = new_call()
        house.send(*house.ring(other))
        wait_for(lambda: redis.zrange(active, 0, -1) == [other], "and stays gone")
        assert not redis.exists(key)


def test_live_expires_calls_that_nobody_closed(sinks):
    house, call = sinks(TRUNKLINE_LIVE_EXPIRY="10s"), new_call()
    house.send(*house.ring(call))
    house.start("live")
    with house.redis() as redis:
        key = f"{house.name}:call:{call}"
        wait_for(lambda: redis.exists(key), "it is there")
        assert redis.ttl(key) <= 10
        wait_for(lambda: not redis.exists(key), "it expires")


def test_live_waits_for_redis(sinks, servers):
    """Redis away, and empty when it comes back: what lasts is there again."""
    house, call = sinks(), new_call()
    house.send(*house.ring(call))
    name = house.start("live")
    key = f"{house.name}:call:{call}"
    with house.redis() as redis:
        wait_for(lambda: redis.exists(key), "it is there")
    servers.processes.stop("redis")
    house.send(house.said(call, 1, "Hello?"))
    wait_for(lambda: not house.is_ready(name), "it says that it cannot")
    servers.start()
    house.wait_ready(name)
    with house.redis() as redis:
        wait_for(lambda: redis.hget(key, "utterances") == "1", "it is there, with what was said")


def test_live_survives_kills_and_a_flushed_redis(sinks):
    house, calls = sinks(), [new_call() for _ in range(10)]
    name = house.start("live")
    for kill in range(3):
        for call in calls:
            house.send(*house.ring(call) if kill == 0 else [house.said(call, kill, f"{kill}")])
        house.kill(name)
        house.start("live")
    with house.redis() as redis:
        def counts():
            return {redis.hget(f"{house.name}:call:{call}", "utterances") for call in calls}
        wait_for(lambda: counts() == {"2"}, "all are there")
        for key in redis.scan_iter(f"{house.name}:*"):
            redis.delete(key)
        house.kill(name)
        house.start("live")
        wait_for(lambda: counts() == {"2"}, "all are there again")


def test_migrations_go_both_ways(servers):
    """DB-2: up, down to nothing, up again."""
    url = new_database(servers, f"ways_{uuid.uuid4().hex[:8]}")

    def names():
        with psycopg.connect(url) as db:
            return {row[0] for row in db.execute(
                "SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace "
                "WHERE nspname = 'public' UNION SELECT proname FROM pg_proc JOIN pg_namespace n "
                "ON n.oid = pronamespace WHERE nspname = 'public' UNION SELECT typname FROM pg_type "
                "JOIN pg_namespace n ON n.oid = typnamespace WHERE nspname = 'public'")}

    files = sorted(f for f in os.listdir(f"{ROOT}/migrations") if f.endswith(".sql"))
    migrate(url)
    full = names()
    assert {"calls", "call_interactions", "call_usage", "sink_offsets"} <= full
    for _ in files:
        migrate(url, "rollback")
    assert not {n for n in names() if "schema_migrations" not in n}
    migrate(url)
    assert names() == full


def test_history_has_partitions_ahead_of_time(servers):
    url = new_database(servers, f"months_{uuid.uuid4().hex[:8]}")
    migrate(url)
    call = new_call()
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("INSERT INTO calls (id, started_at, log_partition, log_offset) "
                   "VALUES (%s, '2031-05-06Z', 0, 0)", (call,))
        usage = ("INSERT INTO call_usage SELECT %s, %s, gen_random_uuid(), now(), '', '', '', "
                 "0, 0, 0, 0, 0, 0, 0, 0, 0")
        db.execute(usage, (call, "2031-05-06Z"))  # no such month yet: the default partition
        for _ in range(2):  # twice is no harm, nor a month that has rows elsewhere already
            db.execute("SELECT create_history_partitions('2031-05-01', 2)")
        db.execute(usage, (call, "2031-06-30 23:59:59Z"))
        where = {row[0] for row in db.execute("SELECT tableoid::regclass::text FROM call_usage")}
        assert where == {"call_usage_other", "call_usage_2031_06"}


def test_databases_on_the_loop(servers):
    """The unit tests of lib/db that want servers."""
    tests = f"{os.path.dirname(bin_folder())}/lib/db/test_db_servers"
    run(tests, env=servers.environment(), timeout_s=120)
