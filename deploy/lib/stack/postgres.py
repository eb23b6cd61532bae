"""PostgreSQL: a cluster of our own, on TCP, never the system's."""
import glob
import os
import secrets
import shutil
import signal
import subprocess

from .process import Command

CONFIG = """\
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 60
shared_buffers = 64MB
log_line_prefix = '%m [%p] '
timezone = 'UTC'
log_timezone = 'UTC'
"""


class Postgres:
    name = "postgres"
    user = "trunkline"

    def __init__(self, folder, port):
        self.folder = folder
        self.port = port
        self.data = f"{folder}/data"

    @property
    def password(self):
        with open(f"{self.folder}/password") as f:
            return f.read().strip()

    def url(self, database="trunkline"):
        return (f"postgres://{self.user}:{self.password}@127.0.0.1:{self.port}/{database}"
                "?sslmode=disable")

    def prepare(self):
        """Make the cluster, once: it asks for a password, which only our user can read."""
        os.makedirs(self.folder, exist_ok=True)
        if os.path.exists(f"{self.data}/trunkline.conf"):
            return
        shutil.rmtree(self.data, ignore_errors=True)  # of an initdb that was interrupted
        os.makedirs(self.data, mode=0o700)
        secret = secrets.token_hex(16)
        write_private(f"{self.folder}/password", secret)
        pwfile = f"{self.folder}/password.initdb"  # a copy that the server's user can read
        write_private(pwfile, secret)
        if os.geteuid() == 0:
            shutil.chown(self.data, "postgres", "postgres")
            shutil.chown(pwfile, "postgres", "postgres")
        run = subprocess.run(
            self._as_server([f"{bin_folder()}/initdb", "-D", self.data, "-U", self.user,
                             "--auth=scram-sha-256", f"--pwfile={pwfile}", "--encoding=UTF8",
                             "--locale=C.UTF-8", "--no-sync"]),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/")
        os.unlink(pwfile)
        if run.returncode != 0:
            raise RuntimeError(f"initdb failed:\n{run.stdout}")
        with open(f"{self.data}/postgresql.conf", "a") as f:
            f.write("include = 'trunkline.conf'\n")
        with open(f"{self.data}/trunkline.conf", "w") as f:  # last: it says that all is done
            f.write(CONFIG)
        os.chmod(f"{self.data}/trunkline.conf", 0o644)

    def _as_server(self, argv):
        """PostgreSQL refuses to run as root: Debian's user postgres does it then. When a folder
        above the data is closed to that user (/root is), it gets the one capability that lets
        it pass."""
        if os.geteuid() != 0:
            return argv
        become = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups",
                  "--pdeathsig", "keep"]
        if subprocess.run([*become, "test", "-x", self.folder]).returncode == 0:
            return [*become, *argv]
        for capability in ("dac_read_search", "dac_override"):
            able = [*become, "--inh-caps", f"+{capability}", "--ambient-caps", f"+{capability}"]
            if subprocess.run([*able, "test", "-x", self.folder],
                              stderr=subprocess.DEVNULL).returncode == 0:
                return [*able, *argv]
        raise RuntimeError(f"user postgres cannot reach {self.folder}: move the checkout to a "
                           "folder that others may pass, or set DATABASE_URL")

    def command(self):
        return Command(self._as_server([f"{bin_folder()}/postgres", "-D", self.data,
                                        "-p", self.port]),
                       cwd="/", stop_signal=signal.SIGINT)  # fast shutdown

    def ready(self):
        return self.psql("postgres", "SELECT 1", check=False) == "1"

    def create_database(self, name):
        if self.psql("postgres", f"SELECT 1 FROM pg_database WHERE datname = '{name}'") != "1":
            self.psql("postgres", f'CREATE DATABASE "{name}"')

    def psql(self, database, sql, check=True):
        run = subprocess.run(
            [f"{bin_folder()}/psql", "-XAtq", "-h", "127.0.0.1", "-p", str(self.port),
             "-U", self.user, "-d", database, "-v", "ON_ERROR_STOP=1", "-c", sql],
            env={**os.environ, "PGPASSWORD": self.password, "PGCONNECT_TIMEOUT": "5"},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if check and run.returncode != 0:
            raise RuntimeError(f"psql: {run.stderr}")
        return run.stdout.strip()


def write_private(path, text):
    """Write a file that only we can read."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w") as f:
        f.write(text + "\n")


def bin_folder():
    """Debian keeps initdb and postgres beside each other, outside the PATH."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda p: int(p.split("/")[4]))
    if found:
        return found[-1]
    initdb = shutil.which("initdb")
    if not initdb:
        raise RuntimeError("PostgreSQL is not installed (apt install postgresql)")
    return os.path.dirname(os.path.realpath(initdb))
