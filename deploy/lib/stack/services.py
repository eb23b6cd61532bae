"""Which Trunkline processes run on one machine, and how: for deploy/up and for the tests."""
import dataclasses
import hashlib
import json
import os
import re
import urllib.error
import urllib.request

from .java import ROOT
from .ports import is_free
from .process import Command

# Ports that deploy/up tries first. Ingest processes share one public port (SO_REUSEPORT).
USUAL_PORTS = {"ingest": 8443, "sim-openai": 8090, "sim-twilio": 8091, "admin": 9101}


PROGRAMS = ("trunkline", "trunkline-ingest", "trunkline-processor", "trunkline-sink",
            "trunkline-sim-openai", "trunkline-sim-twilio")
PHRASES = f"{ROOT}/tests/sim/phrases.txt"
DEMO = f"{ROOT}/deploy/config/demo-business.yaml"


def demo_numbers():
    """The telephone numbers of the demonstration business."""
    with open(DEMO) as f:
        return re.findall(r'^ +- "(\+\d+)"$', f.read(), re.M)


@dataclasses.dataclass
class Service:
    name: str
    command: Command
    port: int  # of its health and metrics
    health: str = "/readyz"

    def ready(self):
        return answers(f"http://127.0.0.1:{self.port}{self.health}")

    def version(self):
        """Changes when the program, its arguments, settings or configuration file do."""
        digest = hashlib.sha256(json.dumps([self.command.argv, self.command.env],
                                           sort_keys=True, default=str).encode())
        for path in [self.command.argv[0], *self.command.argv[1:]]:
            if os.path.isfile(str(path)):
                with open(path, "rb") as f:
                    digest.update(f.read())
        return digest.hexdigest()[:16]


def answers(url):
    """True when it answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=2.0) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


@dataclasses.dataclass
class Layout:
    """What the table of services is made from."""

    bin: str  # folder of the programs
    config: str  # trunkline.yaml
    ports: object  # Ports
    credentials: object  # Credentials
    servers: dict  # KAFKA_BROKERS …
    processes: object  # to ask which ports are our own
    cache: str = f"{ROOT}/build"  # of synthesised speech
    settings: dict = dataclasses.field(default_factory=dict)  # TRUNKLINE_…, to every service
    real: dict = dataclasses.field(default_factory=dict)  # OPENAI_API_KEY, TWILIO_…, when real
    usual_ports: bool = False
    ingests: int = 2
    conversations: int = 2
    telephonies: int = 2

    def port(self, name, owners=None):
        """The port of that name; another one when a stranger has taken it meanwhile."""
        wanted = None
        if self.usual_ports:
            wanted = USUAL_PORTS.get(name, USUAL_PORTS["admin"])
        port = self.ports.get(name, wanted)
        ours = any(self.processes.pid(owner) for owner in owners or [name])
        if not ours and not is_free(port):
            self.ports.forget(name)
            port = self.ports.get(name, wanted)
        return port

    @property
    def simulates_openai(self):
        return "OPENAI_API_KEY" not in self.real

    @property
    def simulates_twilio(self):
        return "TWILIO_AUTH_TOKEN" not in self.real

    @property
    def public_url(self):
        """Where the telephone network reaches ingest."""
        names = [f"ingest-{n}" for n in range(self.ingests)]
        return f"https://localhost:{self.port('ingest', names)}"

    def environment(self):
        """What every process gets: servers, keys, and where the simulators are."""
        secrets = self.credentials.secrets
        env = {"LANG": "C.UTF-8", **self.servers,
               "OPENAI_API_KEY": secrets["openai_api_key"],
               "TWILIO_ACCOUNT_SID": secrets["twilio_account_sid"],
               "TWILIO_AUTH_TOKEN": secrets["twilio_auth_token"], **self.real}
        return {**env, **self._settings(), **self.settings}

    def tool_environment(self):
        """The same for people's and tests' commands."""
        env = self.environment()
        if self.simulates_twilio:
            env["TRUNKLINE_SIMULATOR_URL"] = self.control_url
        return env

    def _settings(self):
        """What differs from deploy/config/trunkline.yaml on this machine."""
        own = {"TRUNKLINE_INGEST_LISTEN": "127.0.0.1:" + self.public_url.rpartition(":")[2],
               "TRUNKLINE_INGEST_PUBLIC_URL": self.public_url,
               "TRUNKLINE_INGEST_TLS_CERT": self.credentials.cert,
               "TRUNKLINE_INGEST_TLS_KEY": self.credentials.key,
               "TRUNKLINE_INGEST_TOKEN_KEY": self.credentials.secrets["signing_key"]}
        if self.simulates_openai:
            own["TRUNKLINE_OPENAI_URL"] = (
                f"wss://localhost:{self.port('sim-openai')}/v1/realtime")
            own["TRUNKLINE_NET_CA_FILE"] = self.credentials.ca
        if self.simulates_twilio:
            own["TRUNKLINE_TWILIO_API_URL"] = f"http://127.0.0.1:{self.port('sim-twilio')}"
        return own

    def _sim_openai(self):
        """The AI service, and its control API."""
        control = self.port("sim-openai-control", ["sim-openai"])
        argv = [f"{self.bin}/trunkline-sim-openai",
                "--listen", f"127.0.0.1:{self.port('sim-openai')}",
                "--control", f"127.0.0.1:{control}",
                "--cert", self.credentials.cert, "--key", self.credentials.key,
                "--api-key", self.credentials.secrets["openai_api_key"],
                "--phrases", PHRASES, "--speech-cache", f"{self.cache}/speech"]
        return Service("sim-openai", Command(argv, cwd=ROOT), control, "/healthz")

    def _sim_twilio(self):
        """The telephone network: its REST API, and the control API by which calls are placed."""
        secrets = self.credentials.secrets
        hooks = ",".join(f"{self.public_url}/twilio/{h}" for h in ("voice", "status", "fallback"))
        argv = [f"{self.bin}/trunkline-sim-twilio",
                "--listen", f"127.0.0.1:{self.port('sim-twilio')}",
                "--control", self.control_url.removeprefix("http://"),
                "--account-sid", secrets["twilio_account_sid"],
                "--auth-token", secrets["twilio_auth_token"],
                "--ca-file", self.credentials.ca,
                "--phrases", PHRASES, "--speech-cache", f"{self.cache}/speech"]
        for number in demo_numbers():
            argv += ["--number", f"{number}={hooks}"]
        return Service("sim-twilio", Command(argv, cwd=ROOT),
                       int(self.control_url.rpartition(":")[2]), "/healthz")

    @property
    def control_url(self):
        """Where the telephone simulator is told what to do."""
        return f"http://127.0.0.1:{self.port('sim-twilio-control', ['sim-twilio'])}"

    def _daemon(self, name, program, instance, words=()):
        """A process with an admin listener."""
        port = self.port(f"{name}-admin", [name])
        argv = [f"{self.bin}/{program}", "--config", self.config, "--instance", instance, *words]
        env = {**self.environment(), "TRUNKLINE_ADMIN_LISTEN": f"127.0.0.1:{port}"}
        return Service(name, Command(argv, env, cwd=ROOT, stop_timeout_s=30.0), port)

    def services(self):
        """All of them, in the order in which they are started."""
        table = []
        if self.simulates_openai:
            table.append(self._sim_openai())
        if self.simulates_twilio:
            table.append(self._sim_twilio())
        table.append(self._daemon("sink", "trunkline-sink", 0, ["--role", "records,live"]))
        table += [self._daemon(f"telephony-{n}", "trunkline-sink", n, ["--role", "telephony"])
                  for n in range(self.telephonies)]
        table += [self._daemon(f"conversation-{n}", "trunkline-processor", n,
                               ["--role", "conversation"]) for n in range(self.conversations)]
        table += [self._daemon(f"ingest-{n}", "trunkline-ingest", n) for n in range(self.ingests)]
        return table
