"""Apache Kafka: one KRaft node, broker and controller in one process."""
import base64
import os
import socket
import struct
import subprocess
import uuid

from . import java
from .process import Command

LOG4J = """\
appenders = stdout
appender.stdout.type = Console
appender.stdout.name = STDOUT
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = %d{ISO8601} %p %m (%c{1})%n
rootLogger.level = WARN
rootLogger.appenderRefs = stdout
rootLogger.appenderRef.stdout.ref = STDOUT
logger.kafka.name = kafka.server
logger.kafka.level = INFO
"""


class Kafka:
    name = "kafka"

    def __init__(self, folder, port, controller_port):
        self.folder = folder
        self.port = port
        self.controller_port = controller_port
        self.brokers = f"127.0.0.1:{port}"

    def properties(self):
        return {
            "node.id": 1,
            "process.roles": "broker,controller",
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller_port}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},"
                         f"CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": f"{self.folder}/data",
            # One node is all there is.
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            # A small machine: few internal partitions, few threads, a small cleaner.
            "offsets.topic.num.partitions": 8,
            "transaction.state.log.num.partitions": 8,
            "num.network.threads": 2,
            "num.io.threads": 4,
            "background.threads": 4,
            "log.cleaner.threads": 1,
            "log.cleaner.dedupe.buffer.size": 16777216,
            "auto.create.topics.enable": "false",
            "group.initial.rebalance.delay.ms": 0,
        }

    def prepare(self):
        """Write the configuration and format the storage, once."""
        os.makedirs(f"{self.folder}/data", exist_ok=True)
        with open(f"{self.folder}/server.properties", "w") as f:
            f.writelines(f"{k}={v}\n" for k, v in self.properties().items())
        with open(f"{self.folder}/log4j2.properties", "w") as f:
            f.write(LOG4J)
        meta = f"{self.folder}/data/meta.properties"
        if not os.path.exists(meta):
            self._format()

    def _format(self):
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if cluster_id.startswith("-"):  # the tool would take it for an option
            cluster_id = "A" + cluster_id[1:]
        run = subprocess.run(
            self._java("-Xmx128m", "-XX:TieredStopAtLevel=1") +
            ["kafka.tools.StorageTool", "format", "-t", cluster_id,
             "-c", f"{self.folder}/server.properties"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if run.returncode != 0:
            raise RuntimeError(f"Kafka's storage could not be formatted:\n{run.stdout}")

    def _java(self, *options):
        return ["java", *options, "-XX:-UsePerfData", "-Djava.awt.headless=true",
                f"-Dlog4j2.configurationFile={self.folder}/log4j2.properties",
                "-cp", f"{java.home()}/kafka/*"]

    def command(self):
        options = ["-Xms256m", "-Xmx512m", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
                   "-XX:+ExplicitGCInvokesConcurrent"]
        return Command(self._java(*options) + ["kafka.Kafka", f"{self.folder}/server.properties"],
                       stop_timeout_s=30.0)

    def ready(self):
        """A Metadata request (version 1, no topics) names at least one broker."""
        request = struct.pack(">hhih", 3, 1, 1, -1) + struct.pack(">i", 0)
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2.0) as s:
                s.sendall(struct.pack(">i", len(request)) + request)
                head = _read_exactly(s, 12)  # length, correlation id, number of brokers
        except OSError:
            return False
        return struct.unpack(">iii", head)[2] >= 1


def _read_exactly(sock, size):
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise ConnectionError("closed")
        data += piece
    return data
