"""Sink processes on topics and tables of their own, fed with events that a test writes by itself."""
import contextlib
import json
import time
import uuid

import psycopg
import psycopg.rows
import redis
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

import support
from stack.ports import Ports
from stack.process import Command, Processes
from stack.services import answers

ACCOUNT = "AC" + "5" * 32
TOKEN = "0123456789abcdef0123456789abcdef"
CLAIM = {"number": 1, "offset": 0, "session": 1}
START_MS = int(time.time() * 1000) - 60_000


def record_names(schema, part):
    """Fields of a nullable part, with their defaults for those that a test leaves out."""
    field = next(f for f in schema["fields"] if f["name"] == part)
    return next(t for t in field["type"] if isinstance(t, dict))


def zero(kind):
    """A value for a required field that no test looks at."""
    if isinstance(kind, list):
        return None
    if isinstance(kind, dict):
        if kind["type"] == "enum":
            return kind["symbols"][0]
        if kind["type"] in ("array", "map"):
            return [] if kind["type"] == "array" else {}
        return zero(kind["type"])
    return {"string": "", "int": 0, "long": 0, "double": 0.0, "boolean": False}.get(kind, "UNKNOWN")


class Sinks:
    """A house of sinks."""

    made = 0

    def __init__(self, folder, servers, settings=None):
        Sinks.made += 1
        self.name = f"sinks{Sinks.made}-{uuid.uuid4().hex[:6]}"
        self.folder = folder
        self.processes = Processes(folder, die_with_parent=True)
        self.ports = Ports(f"{folder}/ports")
        self.env = {**servers.environment(),
                    "DATABASE_URL": support.new_database(servers, self.name),
                    "TRUNKLINE_KAFKA_TOPIC_PREFIX": f"{self.name}.",
                    "TRUNKLINE_LIVE_PREFIX": f"{self.name}:",
                    "TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN,
                    **(settings or {})}
        # Few partitions, and gone after the test: a broker has files for each.
        support.prepare(servers.environment() | {"DATABASE_URL": self.env["DATABASE_URL"]},
                        {"TRUNKLINE_KAFKA_TOPIC_PREFIX": f"{self.name}.",
                         "TRUNKLINE_TOPICS_CALL_PARTITIONS": "3",
                         "TRUNKLINE_TOPICS_MAILBOXES": "1"})
        self.registry = SchemaRegistryClient({"url": self.env["SCHEMA_REGISTRY_URL"]})
        self.producer = Producer({"bootstrap.servers": self.env["KAFKA_BROKERS"],
                                  "partitioner": "murmur2_random", "enable.idempotence": True})
        self.schemas, self.serialisers = {}, {}
        for topic in ("calls.v1", "commands.v1"):
            latest = self.registry.get_latest_version(f"{self.name}.{topic}-value")
            self.schemas[topic] = json.loads(latest.schema.schema_str)
            self.serialisers[topic] = AvroSerializer(
                self.registry, latest.schema.schema_str,
                conf={"auto.register.schemas": False, "use.latest.version": True})

    # ---- processes ----

    def start(self, roles, instance=0, wait=True, settings=None):
        """Start a sink; returns its name."""
        name = f"{roles.replace(',', '-')}-{instance}"
        port = self.ports.get(name)
        env = {**self.env, **(settings or {}), "TRUNKLINE_ADMIN_LISTEN": f"127.0.0.1:{port}"}
        argv = [f"{support.bin_folder()}/trunkline-sink", "--config", support.CONFIG,
                "--role", roles, "--instance", str(instance)]
        self.processes.start(name, Command(argv, env, cwd=support.ROOT))
        if wait:
            self.wait_ready(name)
        return name

    def wait_ready(self, name):
        port = self.ports.get(name)
        self.processes.wait_ready(name, lambda: answers(f"http://127.0.0.1:{port}/readyz"), 60.0)

    def is_ready(self, name):
        return answers(f"http://127.0.0.1:{self.ports.get(name)}/readyz")

    def metric(self, name, row):
        """Sum of a metric's series whose text begins so."""
        rows = support.metrics(self.ports.get(name))
        return sum(value for key, value in rows.items() if key.startswith(row))

    def kill(self, name):
        """SIGKILL, as a machine dies, and wait until it is gone."""
        self.processes.kill(name)
        support.wait_for(lambda: self.processes.pid(name) is None, f"{name} is gone")

    def log(self, name):
        with open(self.processes.log_path(name), encoding="utf-8") as f:
            return [json.loads(line) for line in f if line.startswith("{")]

    def stop(self):
        bad = []
        for name in list(self.processes.children):
            child = self.processes.children[name]
            self.processes.stop(name)
            if child.poll() not in (0, -9):
                with open(self.processes.log_path(name), encoding="utf-8") as f:
                    bad.append(f"{name} ended with {child.poll()}:\n{f.read()[-4000:]}")
        self._delete_topics()
        assert not bad, "\n".join(bad)

    def _delete_topics(self):
        admin = AdminClient({"bootstrap.servers": self.env["KAFKA_BROKERS"]})
        topics = [t for t in admin.list_topics(timeout=30).topics if t.startswith(f"{self.name}.")]
        for done in admin.delete_topics(topics).values():
            done.result(30)

    # ---- what they read ----

    def event(self, call_id, at=None, producer="conversation-0", claim=None, **parts):
        """A CallEvent; the fields of its part that are not given are zero."""
        value = {"event_id": str(uuid.uuid4()), "call_id": call_id,
                 "at": at or int(time.time() * 1000), "producer": producer, "epoch": 7,
                 "leg": "caller", "business_id": "harbour-lamps", "claim": claim}
        return {**value, **self._filled("calls.v1", parts)}

    def _filled(self, topic, parts):
        filled = {}
        for part, given in parts.items():
            fields = record_names(self.schemas[topic], part)["fields"]
            value = {f["name"]: f["default"] if "default" in f else zero(f["type"])
                     for f in fields}
            filled[part] = {**value, **given}
        return filled

    def command(self, call_id, command_id=None, at=None, **parts):
        value = {"command_id": command_id or str(uuid.uuid4()), "call_id": call_id,
                 "business_id": None, "at": at or int(time.time() * 1000), "by": "test"}
        return {**value, **self._filled("commands.v1", parts)}

    def send(self, *values, topic="calls.v1"):
        """Write records, in order, and wait until they are in the log."""
        self.send_later(*values, topic=topic)
        self.flush()

    def flush(self):
        assert self.producer.flush(60) == 0

    def send_later(self, *values, topic="calls.v1"):
        """Write records, in order; flush() waits for them."""
        name = f"{self.name}.{topic}"
        for value in values:
            body = value if isinstance(value, bytes) or value is None else self.serialisers[topic](
                value, SerializationContext(name, MessageField.VALUE))
            key = value["call_id"] if isinstance(value, dict) else "broken"
            while True:
                try:
                    self.producer.produce(name, body, key)
                    break
                except BufferError:
                    self.producer.poll(0.1)

    def ring(self, call_id, sid=None, at=START_MS):
        """The first events of a call that came in."""
        sid = sid or "CA" + uuid.UUID(call_id).hex
        identity = {"call_sid": sid, "direction": "INBOUND", "from_number": "+15550001",
                    "to_number": "+15559999", "business_version": 1}
        return [self.event(call_id, at, "ingest-0", changed={"state": "RINGING", **identity}),
                self.event(call_id, at + 1000, "ingest-0", changed={"state": "IN_PROGRESS"}),
                self.event(call_id, at + 1200, claim=CLAIM, session_started={
                    **identity, "stream_sid": "MZ1", "call_started_at": at, "cause": "first"})]

    def said(self, call_id, turn, text, speaker="CUSTOMER", claim=CLAIM, **more):
        """A final utterance."""
        words = {"utterance_id": str(uuid.uuid4()), "revision": 1, "final": True, "turn": turn,
                 "speaker": speaker, "text": text, "start_ms": turn * 1000,
                 "end_ms": turn * 1000 + 900, "language": "en-US", "media_mailbox": -1,
                 "media_offset": -1, "heard_ms": -1}
        event = {k: more.pop(k) for k in ("producer", "at") if k in more}
        return self.event(call_id, claim=claim, utterance={**words, **more}, **event)

    def used(self, call_id, cost, claim=CLAIM):
        return self.event(call_id, claim=claim, usage={
            "provider": "openai", "model": "gpt-realtime", "kind": "response",
            "input_audio_tokens": 120, "output_audio_tokens": 80, "cost_microusd": cost})

    def over(self, call_id, duration_s=12):
        return self.event(call_id, producer="ingest-0", changed={
            "state": "COMPLETED", "status": "completed", "duration_s": duration_s})

    def closed(self, call_id, claim=CLAIM):
        return self.event(call_id, claim=claim, closed={
            "state": "COMPLETED", "reason": "caller_hung_up", "duration_s": 12, "utterances": 0})

    # ---- what they made ----

    def sql(self, query, *parameters):
        with psycopg.connect(self.env["DATABASE_URL"], row_factory=psycopg.rows.dict_row) as db:
            return db.execute(query, parameters).fetchall()

    def sql_do(self, statement):
        with psycopg.connect(self.env["DATABASE_URL"], autocommit=True) as db:
            db.execute(statement)

    def wait_sql(self, query, *parameters, what=None, timeout_s=60.0):
        """Wait for rows; returns them."""
        return support.wait_for(lambda: self.sql(query, *parameters), what or query, timeout_s)

    @contextlib.contextmanager
    def redis(self):
        with redis.Redis.from_url(self.env["REDIS_URL"], decode_responses=True) as client:
            yield client

    def offset_of(self, event):
        """Where an event of calls.v1 stands."""
        body = self.serialisers["calls.v1"](
            event, SerializationContext(f"{self.name}.calls.v1", MessageField.VALUE))
        return next(r.offset() for r in support.read_all(self.env["KAFKA_BROKERS"],
                                                         f"{self.name}.calls.v1")
                    if r.value() == body)

    def decoded(self, topic, key=None):
        """Values of a topic, decoded by what is in the registry."""
        decode = support.AvroDeserializer(self.registry)
        name = f"{self.name}.{topic}"
        return [decode(r.value(), SerializationContext(name, MessageField.VALUE))
                for r in support.read_all(self.env["KAFKA_BROKERS"], name)
                if r.value() is not None and key in (None, (r.key() or b"").decode())]
