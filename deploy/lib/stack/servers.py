"""The four servers Trunkline stands on, together."""
import concurrent.futures

from . import java
from .kafka import Kafka
from .ports import Ports, is_free
from .postgres import Postgres
from .redis import Redis
from .registry import Registry

# The variables that name servers which exist already, and what serves them else.
GIVEN = {"KAFKA_BROKERS": "kafka", "SCHEMA_REGISTRY_URL": "registry",
         "DATABASE_URL": "postgres", "REDIS_URL": "redis"}
USUAL_PORTS = {"kafka": 9092, "kafka-controller": 9093, "registry": 8081, "postgres": 5432,
               "redis": 6379}


class Servers:
    """Kafka, registry, PostgreSQL and Redis with data under `folder`, run by `processes`
    (anything with start, wait_ready, stop, pid). What `given` names is used, not started."""

    def __init__(self, folder, processes, given=None, usual_ports=False, registry_in_memory=False):
        self.folder = folder
        self.processes = processes
        self.given = {k: v for k, v in (given or {}).items() if k in GIVEN and v}
        self.ports = Ports(f"{folder}/ports")
        self.usual_ports = usual_ports
        self.registry_in_memory = registry_in_memory
        self.postgres = self.kafka = self.redis = self.registry = None

    def _wanted(self):
        return [name for variable, name in GIVEN.items() if variable not in self.given]

    def _port(self, name, process=None):
        """A port for `name`; another than last time when a stranger sits on it now."""
        wanted = USUAL_PORTS[name] if self.usual_ports else None
        port = self.ports.get(name, wanted)
        if not self.processes.pid(process or name) and not is_free(port):
            self.ports.forget(name)
            port = self.ports.get(name, wanted)
        return port

    def start(self, progress=lambda name: None):
        """Start what is not running, all at once where nothing depends on another."""
        wanted = self._wanted()
        if "kafka" in wanted or "registry" in wanted:
            java.fetch()
        self._build(wanted)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            work = [pool.submit(self._start_one, server, progress)
                    for server in (self.kafka, self.redis) if server]
            work.append(pool.submit(self._start_sql, progress))
            for job in work:
                job.result()

    def attach(self):
        """Know the addresses of servers that an earlier start() left running."""
        self._build(self._wanted())

    def _build(self, wanted):
        if "kafka" in wanted:
            self.kafka = Kafka(f"{self.folder}/kafka", self._port("kafka"),
                               self._port("kafka-controller", "kafka"))
        if "redis" in wanted:
            self.redis = Redis(f"{self.folder}/redis", self._port("redis"))
        if "postgres" in wanted:
            self.postgres = Postgres(f"{self.folder}/postgres", self._port("postgres"))
        if "registry" in wanted:
            # Beside a database that somebody else runs, the registry keeps its schemas in
            # memory: deploy/up registers them again each time.
            keep = None if self.registry_in_memory else self.postgres
            self.registry = Registry(f"{self.folder}/registry", self._port("registry"), keep)

    def _start_sql(self, progress):
        if self.postgres:
            self._start_one(self.postgres, progress)
            self.postgres.create_database("trunkline")
        if self.registry:
            self._start_one(self.registry, progress)

    def _start_one(self, server, progress):
        server.prepare()
        self.processes.start(server.name, server.command())
        self.processes.wait_ready(server.name, server.ready)
        progress(server.name)

    def environment(self):
        """The variables by which every Trunkline process finds the servers."""
        own = {}
        if self.kafka:
            own["KAFKA_BROKERS"] = self.kafka.brokers
        if self.registry:
            own["SCHEMA_REGISTRY_URL"] = self.registry.url
        if self.postgres:
            own["DATABASE_URL"] = self.postgres.url()
        if self.redis:
            own["REDIS_URL"] = self.redis.url
        return {**self.given, **own}

    def stop(self):
        """Stop in the order in which they need each other."""
        for name in ("registry", "kafka", "redis", "postgres"):
            if name in self.processes.names():
                self.processes.stop(name)
