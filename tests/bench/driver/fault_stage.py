"""The stage of tests/bench/faults: more instances, sinks, and a supervisor that restarts the killed."""
import json
import os
import signal
import subprocess
import sys

from history.sounds import ALWAYS
from stack import setup
from stack.credentials import Credentials
from stack.java import ROOT
from stack.ports import Ports
from stack.process import Processes
from stack.servers import Servers
from stack.services import Layout
from stack.supervisor import Supervised
from stack.wait import wait_for

from . import talk_faults
from .stage import ask

SETTINGS = {"TRUNKLINE_CONVERSATION_CALLS_MAX": "200", "TRUNKLINE_INGEST_CALLS_MAX": "200"}


class FaultStage:
    """Everything in a folder of its own; stop() ends what start() started. Has what the history
    checker asks of a stack: env, control_url, layout."""

    def __init__(self, folder, bin_folder, ingests=3, conversations=3):
        self.folder = folder
        self.processes = Processes(folder, die_with_parent=True)  # the servers
        self.servers = Servers(f"{folder}/servers", self.processes, os.environ,
                               registry_in_memory=True)
        self.supervised = Supervised(f"{folder}/services")
        self.supervisor = None
        self.bin = bin_folder
        self.counts = {"ingests": ingests, "conversations": conversations, "telephonies": 2}
        self.table = {}

    def start(self, dbmate, progress):
        with progress.step("servers", "Kafka, registry, PostgreSQL, Redis"):
            self.servers.start()
        addresses = self.servers.environment()
        self.layout = Layout(
            bin=self.bin, config=f"{ROOT}/deploy/config/trunkline.yaml",
            ports=Ports(f"{self.folder}/ports"), credentials=Credentials(f"{self.folder}/keys"),
            servers=addresses, processes=self.supervised, settings=SETTINGS, **self.counts)
        setup.migrate(dbmate, addresses["DATABASE_URL"])
        setup.topics(self.bin, self.env)
        self._apply_business()
        with progress.step("services"):
            self._start_supervisor()
            self._start_services()

    def _apply_business(self):
        run = subprocess.run([f"{self.bin}/trunkline", "config", "apply", "-"], cwd=ROOT, text=True,
                             input=json.dumps(talk_faults.BUSINESS), env={**os.environ, **self.env},
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if run.returncode != 0:
            raise RuntimeError(f"config apply failed:\n{run.stdout}")

    def _start_supervisor(self):
        """It ends, and what it runs, when we do."""
        with open(self.supervised.log_path("supervisor"), "ab") as log:
            self.supervisor = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", sys.executable, "-m", "stack.supervisor",
                 self.supervised.folder], cwd=f"{ROOT}/deploy/lib", stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True)
        wait_for(self.supervised.is_running, "the supervisor answers", 15.0)

    def _start_services(self):
        self.table = {s.name: s for s in self.layout.services()}
        for service in self.table.values():
            if service.name == "sim-twilio":
                hooks = ",".join(f"{self.layout.public_url}/twilio/{h}"
                                 for h in ("voice", "status", "fallback"))
                service.command.argv += ["--cps", "0", "--number", f"{talk_faults.NUMBER}={hooks}"]
            self.supervised.start(service.name, service.command)
            if service.name.startswith("sim-"):  # they share a cache of speech
                self.supervised.wait_ready(service.name, service.ready, 600.0)
        for service in self.table.values():
            self.supervised.wait_ready(service.name, service.ready, 60.0)
        for text in (talk_faults.GREETING, *ALWAYS):  # no answers of the phrase file
            self.telephone("POST", "/phrases", {"text": text, "voice": "ai"})

    @property
    def env(self):
        return self.layout.environment()

    @property
    def control_url(self):
        return self.layout.control_url

    def names(self, kind):
        return [name for name in self.table if name.startswith(f"{kind}-")]

    def telephone(self, method, path, body=None):
        return ask(method, self.control_url + path, body)

    def ai(self, method, path):
        port = self.layout.port("sim-openai-control", ["sim-openai"])
        return ask(method, f"http://127.0.0.1:{port}{path}")

    def kill(self, names):
        """SIGKILL to all of them at once; returns their pids."""
        pids = [self.supervised.pid(name) for name in names]
        if None in pids:
            raise RuntimeError(f"{names}: not all of them run")
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        return pids

    def wait_back(self, name, old_pid):
        """Until another process of that name is ready."""
        def is_back():
            return self.supervised.pid(name) not in (None, old_pid) and self.table[name].ready()

        wait_for(is_back, f"{name} is back", 60.0, 0.02)

    def restarts(self):
        """{name: how often the supervisor has started it again}"""
        return {name: s["restarts"] for name, s in self.supervised.status().items()}

    def stop(self):
        if self.supervisor:
            self.supervisor.terminate()  # it stops all that it runs
            self.supervisor.wait(120)
        self.servers.stop()
