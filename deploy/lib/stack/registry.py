"""Apicurio Registry, spoken to through its Confluent-compatible API."""
import glob
import os
import urllib.error
import urllib.request

from . import java
from .process import Command


class Registry:
    name = "registry"

    def __init__(self, folder, port, postgres=None):
        """With `postgres`, schemas are kept in its database "registry"; else in memory."""
        self.folder = folder
        self.port = port
        self.postgres = postgres
        self.url = f"http://127.0.0.1:{port}/apis/ccompat/v7"

    def prepare(self):
        os.makedirs(self.folder, exist_ok=True)
        if self.postgres:
            self.postgres.create_database("registry")

    def command(self):
        env = {"QUARKUS_HTTP_HOST": "127.0.0.1", "QUARKUS_HTTP_PORT": self.port,
               "QUARKUS_LOG_LEVEL": "WARN"}
        if self.postgres:
            env |= {"APICURIO_STORAGE_KIND": "sql", "APICURIO_STORAGE_SQL_KIND": "postgresql",
                    "APICURIO_DATASOURCE_URL":
                        f"jdbc:postgresql://127.0.0.1:{self.postgres.port}/registry",
                    "APICURIO_DATASOURCE_USERNAME": self.postgres.user,
                    "APICURIO_DATASOURCE_PASSWORD": self.postgres.password}
        jar, = glob.glob(f"{java.home()}/registry/apicurio-registry-app-*-runner.jar")
        return Command(["java", "-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                        "-XX:-UsePerfData", "-jar", jar], env, cwd=self.folder)

    def ready(self):
        try:
            with urllib.request.urlopen(f"{self.url}/subjects", timeout=5.0) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False
