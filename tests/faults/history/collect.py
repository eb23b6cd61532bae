"""Asks all witnesses: the simulators, calls.v1, PostgreSQL. The only part with I/O."""
import json
import re
import time
import urllib.error
import urllib.request

import psycopg
import psycopg.rows
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from stack import services

from .model import CallHistory, History
from .sounds import resolve

SESSION_KEPT = ("id", "is_open", "opened_us", "closed_us", "closed_by", "heard", "said", "items",
                "tool_outputs", "errors", "responses", "instructions", "appends")
DRAFT_KEPT = ("utterance_id", "revision", "final", "turn", "speaker", "text", "answers_to")
LOOK_S = 0.5


def ask(url):
    """JSON, or lines of JSON as a list."""
    with urllib.request.urlopen(url, timeout=120.0) as answer:
        text = answer.read().decode()
        if answer.headers.get("Content-Type") == "application/x-ndjson":
            return [json.loads(line) for line in text.splitlines() if line]
        return json.loads(text)


class Witnesses:
    """Where they are. `stack`: anything with env (KAFKA_BROKERS …), control_url and layout."""

    def __init__(self, stack):
        self.env = stack.env
        self.telephone = stack.control_url
        port = stack.layout.port("sim-openai-control", ["sim-openai"])
        self.ai = f"http://127.0.0.1:{port}"
        self.prefix = self.env.get("TRUNKLINE_KAFKA_TOPIC_PREFIX", "trunkline.")
        self.topic = self.prefix + "calls.v1"

    # ---- the telephone network ----

    def report(self, sid):
        return ask(f"{self.telephone}/calls/{sid}?frames=1")

    def network(self, sid):
        return ask(f"{self.telephone}/calls/{sid}/events")

    def are_over(self, sids):
        return all(c["ended_ms"] is not None for c in ask(f"{self.telephone}/calls")["calls"]
                   if c["sid"] in sids)

    # ---- the AI service ----

    def sessions(self):
        """Of each what is judged."""
        everything = ask(f"{self.ai}/sessions?full=1")["sessions"]
        return [{k: s.get(k) for k in SESSION_KEPT} for s in everything]

    # ---- Kafka ----

    def consumer(self):
        return Consumer({"bootstrap.servers": self.env["KAFKA_BROKERS"], "group.id": "unused",
                         "enable.auto.commit": False, "enable.partition.eof": True,
                         "fetch.wait.max.ms": 20})  # what is asked beside waits behind a fetch

    def ends(self, consumer):
        parts = consumer.list_topics(self.topic, 30).topics[self.topic].partitions
        return {p: consumer.get_watermark_offsets(TopicPartition(self.topic, p), 30)[1] for p in parts}

    def lag(self):
        """{reader: records of calls.v1 that it has not read}: the sinks' consumer groups, and the
        position that records keeps in PostgreSQL."""
        consumer = self.consumer()
        try:
            ends = self.ends(consumer)
        finally:
            consumer.close()
        lag = {"postgres": sum(ends[row["partition"]] - row["next"] for row in self.sql(
            "SELECT partition, next FROM sink_offsets WHERE topic = %s AND next >= 0", self.topic))}
        admin = AdminClient({"bootstrap.servers": self.env["KAFKA_BROKERS"]})
        for group in admin.list_consumer_groups().result(30).valid:
            behind = self._group_lag(admin, group.group_id, ends)
            if behind is not None:
                lag[group.group_id] = behind
        return lag

    def _group_lag(self, admin, group, ends):
        asked = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])
        offsets = {tp.partition: tp.offset for tp in asked[group].result(30).topic_partitions
                   if tp.topic == self.topic and tp.offset >= 0}
        return sum(ends[p] - at for p, at in offsets.items()) if offsets else None

    # ---- PostgreSQL ----

    def sql(self, query, *parameters):
        with psycopg.connect(self.env["DATABASE_URL"], row_factory=psycopg.rows.dict_row) as db:
            return db.execute(query, parameters).fetchall()

    def rows(self, table, key, call_ids, order):
        rows = {}
        for row in self.sql(f"SELECT * FROM {table} WHERE {key} = ANY(%s::uuid[]) ORDER BY {order}",
                            list(call_ids)):
            rows.setdefault(str(row[key]), []).append({k: simple(v) for k, v in row.items()})
        return rows


class Log:
    """Reads calls.v1 from its beginning, and on when asked; keeps the events of some calls."""

    def __init__(self, witnesses, call_ids):
        self.witnesses = witnesses
        self.events = {call_id: [] for call_id in call_ids}
        self.closed = set()
        self.decode = AvroDeserializer(SchemaRegistryClient({"url": witnesses.env["SCHEMA_REGISTRY_URL"]}))
        self.context = SerializationContext(witnesses.topic, MessageField.VALUE)
        self.consumer = witnesses.consumer()
        self.next = {p: 0 for p in witnesses.ends(self.consumer)}
        self.consumer.assign([TopicPartition(witnesses.topic, p, 0) for p in self.next])

    def close(self):
        self.consumer.close()

    def read_on(self):
        """To the end that the log has now."""
        ends = self.witnesses.ends(self.consumer)
        while any(self.next[p] < end for p, end in ends.items()):
            record = self.consumer.poll(30)
            if record is None:
                raise RuntimeError(f"the end of {self.witnesses.topic} does not come")
            if not record.error():
                self.next[record.partition()] = record.offset() + 1
                self._take(record)
            elif record.error().code() != KafkaError._PARTITION_EOF:
                raise RuntimeError(str(record.error()))

    def _take(self, record):
        call_id = (record.key() or b"").decode()
        if call_id in self.events and record.value() is not None:
            event = plain(self.decode(record.value(), self.context), record)
            self.events[call_id].append(event)
            if event.get("closed"):
                self.closed.add(call_id)

    def are_closed(self):
        self.read_on()
        return self.closed >= self.events.keys()


def simple(value):
    """As it stands in JSON."""
    if hasattr(value, "timestamp"):
        return round(value.timestamp() * 1000)
    return value if isinstance(value, (str, int, float, bool, list, dict, type(None))) else str(value)


def plain(event, record):
    """An event as it stands in JSON: what is absent left out, and of drafts what nobody judges; times
    in milliseconds."""
    def walk(value):
        if isinstance(value, dict):
            return {k: walk(v) for k, v in value.items() if v is not None}
        if isinstance(value, list):
            return [walk(v) for v in value]
        return simple(value)

    kept = walk(event)
    draft = kept.get("utterance")
    if draft and not draft["final"]:
        kept["utterance"] = {k: draft[k] for k in DRAFT_KEPT if k in draft}
    return {"claim": None, **kept, "partition": record.partition(), "offset": record.offset()}


def answers_of(path):
    """{phrase: {"parts", "tool"}} of a phrase file: the sentences of its answer, and the function that
    is called before, between or behind them."""
    answers = {}
    with open(path) as f:
        for line in f:
            said, bar, back = line.strip().partition(" | ")
            if bar and not line.startswith("#"):
                tool = re.search(r"\[tool (\w+)", back)
                parts = re.split(r"\[tool \w+ \{.*?\}\]", back)
                answers[said.strip()] = {"parts": [" ".join(p.split()) for p in parts if p.strip()],
                                         "tool": tool.group(1) if tool else None}
    return answers


def of_caller(sessions, number):
    """The AI sessions whose instructions name that caller, oldest first."""
    named = re.compile(re.escape(number) + r"(?!\d)")
    return sorted((s for s in sessions if named.search(s["instructions"] or "")),
                  key=lambda s: s["opened_us"])


def wait(condition, until):
    """Look until it is so, or until that moment; whatever it is then, the judge sees."""
    while not condition() and time.monotonic() < until:
        time.sleep(LOOK_S)


def settle(witnesses, log, sids, timeout_s):
    """Calls over and closed, their AI sessions gone, every reader at the end."""
    until = time.monotonic() + timeout_s
    wait(lambda: witnesses.are_over(sids), until)
    until = max(until, time.monotonic() + 30.0)
    wait(log.are_closed, until)
    wait(lambda: not any(witnesses.lag().values()), until)
    wait(lambda: not any(s["is_open"] for s in ask(f"{witnesses.ai}/sessions")["sessions"]),
         min(until, time.monotonic() + 20.0))


def collect(stack, calls, faults=(), settle_s=120.0, sessions=None, phrases=None):
    """The History of `calls` (anything with sid and call_id; script, if it has one, is believed).
    Waits first until they are over, closed and recorded, settle_s at most; 0: takes what is there.
    `sessions`: reports of AI sessions that the simulator was told to forget meanwhile."""
    witnesses = Witnesses(stack)
    log = Log(witnesses, {call.call_id for call in calls})
    try:
        if settle_s:
            settle(witnesses, log, {call.sid for call in calls}, settle_s)
        log.read_on()
    finally:
        log.close()
    every = {s["id"]: s for s in [*(sessions or ()), *witnesses.sessions()]}.values()
    made = told(witnesses, calls, log.events, every)
    answers = answers_of(phrases or services.PHRASES)
    resolve([c.report for c in made], answers, f"{stack.layout.bin}/trunkline-sim-say")
    return History(
        made, sorted(faults, key=lambda f: f.at_us), answers,
        {"wall_ms": time.time_ns() // 1_000_000, "mono_us": time.monotonic_ns() // 1000},
        lag=witnesses.lag() if settle_s else {}, complete=bool(settle_s))


def told(witnesses, calls, events, sessions):
    """A CallHistory of each call."""
    ids = [call.call_id for call in calls]
    rows = witnesses.rows("calls", "id", ids, "id")
    interactions = witnesses.rows("call_interactions", "call_id", ids, "sequence")
    usage = witnesses.rows("call_usage", "call_id", ids, "log_offset")
    made = []
    for call in calls:
        report = witnesses.report(call.sid)
        made.append(CallHistory(
            call.call_id, report, witnesses.network(call.sid), of_caller(sessions, report["from"]),
            events[call.call_id], (rows.get(call.call_id) or [None])[0],
            interactions.get(call.call_id, []), usage.get(call.call_id, []),
            getattr(call, "script", None)))
    return made
