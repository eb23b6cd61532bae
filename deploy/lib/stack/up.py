"""deploy/up after the packages are there: fetch, build, start, demonstrate."""
import concurrent.futures
import contextlib
import fcntl
import json
import os
import subprocess
import sys

from . import build, java, setup
from .credentials import Credentials
from .postgres import write_private
from .progress import Progress
from .servers import GIVEN, Servers
from .services import PROGRAMS, Layout, demo_numbers
from .supervisor import Supervised

ROOT = java.ROOT
LOCAL = f"{ROOT}/.local"
DEMO_TALK = ("What are your opening hours?", "The lamp that you sent me is broken.",
             "Thank you, that is all.")
REAL_KEYS = ("OPENAI_API_KEY", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN")


def service_base_env():
    """What the supervisor and through it every service inherits: nothing of the caller's shell
    but where programs and certificates are."""
    keep = ("PATH", "HOME", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "JAVA_HOME")
    return {k: os.environ[k] for k in keep if k in os.environ} | {"LANG": "C.UTF-8"}


class Up:
    def __init__(self):
        os.makedirs(f"{LOCAL}/log", exist_ok=True)
        self.progress = Progress()
        self.supervised = Supervised(LOCAL)
        self.environ = foreign(os.environ, f"{LOCAL}/own.json")
        self.servers = Servers(LOCAL, self.supervised, self.environ, usual_ports=True)
        self.bin = f"{ROOT}/build/release/bin"

    # --- steps

    def prepare(self):
        """Fetch, build and start the servers, side by side as far as they can."""
        with concurrent.futures.ThreadPoolExecutor() as pool:
            jobs = [pool.submit(self._servers), pool.submit(self._build), pool.submit(self._npm)]
            for job in jobs:
                job.result()

    def _servers(self):
        if not java.is_fetched():
            with self.progress.step("fetch", "Kafka and the schema registry, by Maven"):
                java.fetch()
        with self.progress.step("servers", "starting" if not self.supervised.names() else None):
            self.servers.start(lambda name: self.progress.say(f"servers: {name} is ready"))

    def _build(self):
        with self.progress.step("build", "release, in build/release"):
            build.compile_preset("release", self.progress, PROGRAMS)

    def _npm(self):
        with self.progress.step("npm"):
            self.dbmate = build.dbmate(self.progress)

    def layout(self):
        real = {k: self.environ[k] for k in REAL_KEYS if self.environ.get(k)}
        settings = {k: v for k, v in self.environ.items()
                    if k.startswith("TRUNKLINE_")}
        return Layout(
            bin=self.bin, config=f"{ROOT}/deploy/config/trunkline.yaml",
            ports=self.servers.ports, credentials=Credentials(f"{LOCAL}/keys"),
            servers=self.servers.environment(), processes=self.supervised, settings=settings,
            real=real, usual_ports=True)

    def tables(self):
        with self.progress.step("database", "migrating"):
            setup.migrate(self.dbmate, self.servers.environment()["DATABASE_URL"])

    def topics(self, layout):
        with self.progress.step("topics", "topics, schemas, demonstration business"):
            setup.topics(self.bin, layout.tool_environment())

    def services(self, layout):
        """Start what is missing; replace what has changed, one by one."""
        running = self.supervised.status()
        table = layout.services()
        with self.progress.step("services", f"{len(table)} processes"):
            for name in set(running) - {s.name for s in table} - set(GIVEN.values()):
                self.supervised.stop(name)
            fresh = [s for s in table if s.name not in running]
            for service in fresh:
                self.supervised.start(service.name, service.command, service.version())
            for service in fresh:
                self.supervised.wait_ready(service.name, service.ready)
            for service in table:
                if service.name in running and running[service.name]["version"] != service.version():
                    self._replace(service)

    def _replace(self, service):
        with self.progress.step(f"services: {service.name} has changed, replacing it"):
            self.supervised.stop(service.name)
            self.supervised.start(service.name, service.command, service.version())
            self.supervised.wait_ready(service.name, service.ready)

    def addresses(self, layout):
        lines = [("ingest, for the telephone network", layout.public_url)]
        for service in layout.services():
            what, path = ("control API", "") if service.name.startswith("sim-") else (
                "metrics", "/metrics")
            lines.append((f"{service.name}, {what}", f"http://127.0.0.1:{service.port}{path}"))
        lines += [(GIVEN[k], without_password(v)) for k, v in sorted(layout.servers.items())]
        lines += [("logs", f"{LOCAL}/log/"), ("for your shell", f"set -a; . {LOCAL}/env; set +a"),
                  ("programs", self.bin), ("once more", "deploy/up --test-call"),
                  ("stop", "deploy/down")]
        print("\nTrunkline is up.")
        for what, where in lines:
            print(f"  {what:<34} {where}")

    def write_env(self, layout):
        """.local/env, for the `trunkline` command and other tools in a person's shell."""
        env = layout.tool_environment()
        write_private(f"{LOCAL}/env", "".join(f"{k}='{v}'\n" for k, v in sorted(env.items())))
        own = {k: v for k, v in env.items() if self.environ.get(k) != v}
        write_private(f"{LOCAL}/own.json", json.dumps(own, indent=1))

    def call(self, layout):
        """The demonstration: somebody rings, and both sides are printed as they speak."""
        number = demo_numbers()[0]
        self.progress.say(f"call: somebody rings {number}, Harbour Lamps")
        run = subprocess.run([f"{self.bin}/trunkline", "call", "--to", number, *DEMO_TALK],
                             env={**os.environ, **layout.tool_environment()}, cwd=ROOT)
        if run.returncode != 0:
            raise RuntimeError(f"the demonstration call failed; logs are in {LOCAL}/log")

    def everything(self, with_call):
        self.supervised.ensure(service_base_env())
        self.prepare()
        layout = self.layout()
        self.tables()
        self.topics(layout)
        self.services(layout)
        self.write_env(layout)
        if with_call and layout.simulates_twilio:
            self.call(layout)
        self.addresses(layout)

    def test_call(self):
        if not self.supervised.is_running():
            raise RuntimeError("nothing runs here: start it with deploy/up")
        self.servers.attach()
        layout = self.layout()
        if not layout.simulates_twilio:
            raise RuntimeError("the real telephone network is in use: ring one of its numbers")
        self.call(layout)


def foreign(environ, own_path):
    """The environment without what an earlier deploy/up gave to this shell by .local/env: our own
    servers are no servers that exist already, the simulator's key is no key."""
    own = {}
    if os.path.exists(own_path):
        with open(own_path) as f:
            own = json.load(f)
    return {k: v for k, v in environ.items() if own.get(k) != v}


@contextlib.contextmanager
def only_one():
    """Two deploy/up at once would start everything twice."""
    with open(f"{LOCAL}/up.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RuntimeError("another deploy/up or deploy/down is at work") from None
        yield


def without_password(url):
    """postgres://user:…@host: what is printed ends up in terminals' histories."""
    scheme, mark, rest = url.partition("://")
    user, at, host = rest.rpartition("@")
    return f"{scheme}{mark}{user.partition(':')[0]}:…@{host}" if at and ":" in user else url


def main():
    up = Up()
    try:
        with only_one():
            if "--test-call" in sys.argv:
                up.test_call()
            else:
                up.everything(with_call="--no-call" not in sys.argv)
    except (RuntimeError, OSError) as e:
        print(f"deploy/up: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
