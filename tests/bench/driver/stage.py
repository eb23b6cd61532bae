"""What runs in a bench: servers, simulators, and two each of ingest and conversation."""
import json
import os
import subprocess
import urllib.request

from stack import services, setup
from stack.credentials import Credentials
from stack.java import ROOT
from stack.ports import Ports
from stack.process import Command, Processes
from stack.services import Layout, demo_numbers
from stack.servers import Servers

from .machine import Group

SETTINGS = {  # the machine is full of calls on purpose
    "TRUNKLINE_CONVERSATION_CALLS_MAX": "2000",
    "TRUNKLINE_INGEST_CALLS_MAX": "2000",
    "TRUNKLINE_LOG_LEVEL": "warn",
}


def sentence(name):
    """A sentence of the demonstration business ("greeting", "busy"); "" when it has none."""
    with open(services.DEMO) as f:
        lines = [line.strip() for line in f if line.strip().startswith(f"{name}:")]
    return lines[0].partition(":")[2].strip() if lines else ""


def ask(method, url, body=None):
    """JSON in, JSON out."""
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data=data, method=method,
                                     headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120.0) as answer:
        return json.loads(answer.read() or b"null")


class Stage:
    """Everything in a folder of its own; stop() ends what start() started. `settings`: TRUNKLINE_…
    beyond or instead of SETTINGS."""

    def __init__(self, folder, bin_folder, phrases, voice_url="", sinks=False, settings=None):
        self.folder = folder
        self.bin = bin_folder
        self.voice_url = voice_url  # of a bridge that is not ours: then only simulators run
        self.sinks = sinks
        self.settings = {**SETTINGS, **(settings or {})}
        self.processes = Processes(folder, die_with_parent=True)
        self.servers = None
        self.groups = {}
        services.PHRASES = phrases
        self.number = demo_numbers()[0]
        self.greeting = "" if voice_url else sentence("greeting")

    def start(self, dbmate, progress):
        addresses = {}
        if not self.voice_url:
            with progress.step("servers", "Kafka, registry, PostgreSQL, Redis"):
                self.servers = Servers(f"{self.folder}/servers", self.processes, os.environ,
                                       registry_in_memory=True)
                self.servers.start()
            addresses = self.servers.environment()
        self.layout = Layout(
            bin=self.bin, config=f"{ROOT}/deploy/config/trunkline.yaml",
            ports=Ports(f"{self.folder}/ports"), credentials=Credentials(f"{self.folder}/keys"),
            servers=addresses, processes=self.processes, settings=self.settings)
        self.brokers = addresses.get("KAFKA_BROKERS", "")
        if not self.voice_url:
            setup.migrate(dbmate, addresses["DATABASE_URL"])
            setup.topics(self.bin, self.layout.environment())
        with progress.step("services"):
            self._start_services()

    def _wanted(self, name):
        if name.startswith("sim-"):
            return True
        if self.voice_url:
            return False
        return self.sinks or name.startswith(("ingest", "conversation"))

    def _start_services(self):
        table = [s for s in self.layout.services() if self._wanted(s.name)]
        for service in table:
            if service.name == "sim-twilio":
                service.command = self._telephone(service.command)
            self.processes.start(service.name, service.command)
            if service.name.startswith("sim-"):  # they share a cache of speech
                self.processes.wait_ready(service.name, service.ready, 600.0)
        for service in table:
            self.processes.wait_ready(service.name, service.ready, 60.0)
        for kind in ("ingest", "conversation", "sim-twilio", "sim-openai"):
            names = [s.name for s in table if s.name.startswith(kind)]
            if names:
                self.groups[kind] = Group(self.processes.pid(n) for n in names)
        if self.processes.pid("kafka"):
            self.groups["broker"] = Group([self.processes.pid("kafka")])

    def _telephone(self, command):
        argv = [*command.argv, "--cps", "0", "--allow-plain"]
        if self.greeting:
            argv += ["--ai-says", self.greeting]
        if self.voice_url:
            argv += ["--number", f"+15550000001={self.voice_url}"]
            self.number = "+15550000001"
        return Command(argv, command.env, cwd=command.cwd)

    def telephone(self, method, path, body=None):
        return ask(method, self.layout.control_url + path, body)

    def ai(self, method, path):
        port = self.layout.port("sim-openai-control", ["sim-openai"])
        return ask(method, f"http://127.0.0.1:{port}{path}")

    def start_hop(self, seconds):
        """A bare hop through the same broker, beside the calls."""
        if not self.brokers:
            return None
        return subprocess.Popen(
            [f"{self.bin}/trunkline-bench-hop", "--brokers", self.brokers, "--topic",
             "trunkline-bench-hop", "--seconds", str(max(1, int(seconds) - 2))],
            stdout=subprocess.PIPE, text=True)

    def stop(self):
        """End everything. Returns the names of services that did not end as they should."""
        badly = []
        for name in reversed(self.processes.names()):
            if name in ("kafka", "postgres", "redis", "registry"):
                continue
            child = self.processes.children.get(name)
            clean = self.processes.stop(name)
            if not clean or (child and child.wait(10) != 0):
                badly.append(name)
        if self.servers:
            self.servers.stop()
        return badly
