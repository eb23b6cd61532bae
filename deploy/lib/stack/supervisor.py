"""A small supervisor: restarts a dead process at once, keeps its log bounded.

One loop waits on a pidfd for each process, so that a death is seen as it happens, be it a child's
or that of a process which an earlier supervisor started: after a crash of the supervisor itself
the next one takes the living over (services.json, pid files). Commands come as JSON lines on the
Unix socket supervisor.sock; class Supervised below is their client.
"""
import dataclasses
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time

from .process import Command, Processes
from .wait import wait_for

LOG_BYTES_MAX = 8 << 20  # then it becomes <name>.log.1, and the .1 before it goes
LOG_CHECK_S = 1.0
FAST_CRASH_S = 5.0  # who lives shorter crashed fast
FREE_CRASHES = 3  # so many fast ones in a row are restarted at once
BACKOFF_MAX_S = 10.0


def backoff_s(crashes):
    """Delay before the restart that follows `crashes` fast crashes in a row."""
    if crashes <= FREE_CRASHES:
        return 0.0
    return min(BACKOFF_MAX_S, 0.25 * 2 ** (crashes - FREE_CRASHES - 1))


@dataclasses.dataclass
class Service:
    """One supervised process and what the loop knows of it."""

    name: str
    command: Command
    version: str = ""  # of what it runs; deploy/up compares it
    pid: int = None
    pidfd: int = None
    started: float = 0.0
    crashes: int = 0  # fast ones in a row
    restarts: int = 0
    start_at: float = None  # a restart waits until then
    kill_at: float = None  # being stopped; killed then
    waiters: list = dataclasses.field(default_factory=list)  # connections that asked for the stop


class Supervisor:
    def __init__(self, folder):
        self.folder = folder
        self.processes = Processes(folder)
        self.services = {}
        self.selector = selectors.DefaultSelector()
        self.ending = False  # TERM came: quit when all have stopped
        self.quitting = False

    # --- processes

    def start(self, service):
        service.pid = self.processes.start(service.name, service.command)
        service.started = time.monotonic()
        service.start_at = None
        self._watch(service)

    def _watch(self, service):
        try:
            service.pidfd = os.pidfd_open(service.pid)
        except ProcessLookupError:  # dead and gone already
            self._ended(service)
            return
        self.selector.register(service.pidfd, selectors.EVENT_READ,
                               lambda: self._ended(service))

    def _ended(self, service):
        if service.pidfd is not None:
            self.selector.unregister(service.pidfd)
            os.close(service.pidfd)
            service.pidfd = None
        child = self.processes.children.pop(service.name, None)
        status = child.wait() if child else None
        lived = time.monotonic() - service.started
        note(f"{service.name} ended", pid=service.pid, status=status, lived_s=round(lived, 3))
        service.pid = None
        if service.kill_at is not None:
            self._stopped(service)
            return
        service.crashes = service.crashes + 1 if lived < FAST_CRASH_S else 1
        service.restarts += 1
        delay = backoff_s(service.crashes)
        if delay:
            service.start_at = time.monotonic() + delay
        else:
            self.start(service)

    def stop(self, service):
        if service.kill_at is not None:
            return
        service.kill_at = time.monotonic() + service.command.stop_timeout_s
        service.start_at = None
        if service.pid is None:
            self._stopped(service)
        else:
            os.kill(service.pid, service.command.stop_signal)

    def _stopped(self, service):
        self.services.pop(service.name, None)
        self._save()
        pid_file = f"{self.folder}/run/{service.name}.pid"
        if os.path.exists(pid_file):
            os.unlink(pid_file)
        for connection in service.waiters:
            answer(connection, {"ok": True})
        if self.ending and not self.services:
            self.quitting = True

    # --- what is to run, kept over a crash of our own

    def _save(self):
        specs = {s.name: {"command": dataclasses.asdict(s.command), "version": s.version}
                 for s in self.services.values()}
        path = f"{self.folder}/services.json"
        fd = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w") as f:
            json.dump(specs, f, indent=1)
        os.replace(f"{path}.new", path)

    def adopt(self):
        """Take over what an earlier supervisor ran and what lives still. What has died since, as
        after a restart of the machine, deploy/up starts again, in the order of its needs."""
        path = f"{self.folder}/services.json"
        if not os.path.exists(path):
            return
        with open(path) as f:
            specs = json.load(f)
        for name, spec in specs.items():
            pid = self.processes.pid(name)
            if not pid:
                note(f"{name} was gone when the supervisor came")
                continue
            service = Service(name, Command(**spec["command"]), spec["version"], pid,
                              started=time.monotonic() - FAST_CRASH_S)
            self.services[name] = service
            self._watch(service)
        self._save()

    # --- commands

    def on_request(self, connection, request):
        verb, name = request["verb"], request.get("name")
        service = self.services.get(name)
        if verb == "start":
            if not service:
                service = Service(name, Command(**request["command"]), request["version"])
                self.services[name] = service
                self._save()
                self.start(service)
            answer(connection, {"pid": service.pid})
        elif verb == "stop" and service:
            service.waiters.append(connection)
            self.stop(service)
        elif verb == "stop":
            answer(connection, {"ok": True})
        elif verb == "status":
            answer(connection, {s.name: self.describe(s) for s in self.services.values()})
        elif verb == "whoami":
            answer(connection, {"pid": os.getpid()})
        elif verb == "quit":
            answer(connection, {"ok": True})
            self.quitting = True
        else:
            answer(connection, {"error": f"unknown verb {verb}"})

    def describe(self, service):
        return {"pid": service.pid, "version": service.version, "restarts": service.restarts,
                "crashes": service.crashes,
                "waits_s": max(0.0, (service.start_at or 0.0) - time.monotonic())
                if service.start_at else 0.0}

    # --- loop

    def run(self):
        """Serve until told to quit, or a TERM, which stops everything."""
        listener = self._listen()
        wake_read, wake_write = socket.socketpair()
        wake_write.setblocking(False)
        signal.set_wakeup_fd(wake_write.fileno())
        signal.signal(signal.SIGTERM, lambda *_: self._stop_all())
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self.selector.register(wake_read, selectors.EVENT_READ, lambda: wake_read.recv(64))
        self.selector.register(listener, selectors.EVENT_READ, lambda: self._accept(listener))
        self.adopt()
        next_log_check = 0.0
        while not self.quitting:
            for key, _ in self.selector.select(self._timeout()):
                key.data()
            self._run_timers()
            if time.monotonic() >= next_log_check:
                self._bound_logs()
                next_log_check = time.monotonic() + LOG_CHECK_S

    def _stop_all(self):
        self.ending = True
        self.quitting = not self.services
        for service in list(self.services.values()):
            self.stop(service)

    def _timeout(self):
        due = [t for s in self.services.values() for t in (s.start_at, s.kill_at) if t]
        return max(0.0, min([*due, time.monotonic() + LOG_CHECK_S]) - time.monotonic())

    def _run_timers(self):
        now = time.monotonic()
        for service in list(self.services.values()):
            if service.start_at and now >= service.start_at:
                self.start(service)
            if service.kill_at and service.pid and now >= service.kill_at:
                note(f"{service.name} does not end, killed", pid=service.pid)
                os.kill(service.pid, signal.SIGKILL)
                service.kill_at = now + 3600.0

    def _bound_logs(self):
        """Copy and cut: the processes go on writing to the same file, at its new end."""
        for name in [*self.services, "supervisor"]:
            path = self.processes.log_path(name)
            if os.path.exists(path) and os.path.getsize(path) > LOG_BYTES_MAX:
                shutil.copyfile(path, f"{path}.1")
                os.truncate(path, 0)

    def _listen(self):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        path = f"{self.folder}/supervisor.sock"
        if os.path.exists(path):
            os.unlink(path)
        old = os.umask(0o177)
        here = os.open(self.folder, os.O_PATH | os.O_DIRECTORY)
        listener.bind(short_path(here))
        os.close(here)
        os.umask(old)
        listener.listen(16)
        return listener

    def _accept(self, listener):
        connection, _ = listener.accept()
        connection.settimeout(5.0)
        try:
            request = json.loads(connection.makefile().readline())
            self.on_request(connection, request)
        except (OSError, ValueError, KeyError, TypeError) as e:
            answer(connection, {"error": str(e)})


def answer(connection, value):
    """Send it and close; the asker may have left."""
    try:
        connection.sendall(json.dumps(value).encode() + b"\n")
    except OSError:
        pass
    connection.close()


def short_path(folder_fd):
    """The socket through a descriptor of its folder: names of sockets end at 107 bytes."""
    return f"/proc/self/fd/{folder_fd}/supervisor.sock"


def note(event, **fields):
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    print(json.dumps({"at": stamp, "event": event, **fields}), flush=True)


class Supervised:
    """The supervisor seen from a command: the verbs of Processes, done by the supervisor."""

    def __init__(self, folder):
        self.folder = folder
        self.local = Processes(folder)

    def ask(self, request, timeout_s=60.0):
        fd = os.open(self.folder, os.O_PATH | os.O_DIRECTORY)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
                s.settimeout(timeout_s)
                s.connect(short_path(fd))
                s.sendall(json.dumps(request).encode() + b"\n")
                reply = json.loads(s.makefile().readline())
        finally:
            os.close(fd)
        if "error" in reply:
            raise RuntimeError(f"supervisor: {reply['error']}")
        return reply

    def is_running(self):
        try:
            self.ask({"verb": "status"}, 5.0)
            return True
        except (OSError, ValueError):
            return False

    def ensure(self, env):
        """Start the supervisor, detached, unless it runs. Services inherit `env`."""
        if self.is_running():
            return
        with open(self.local.log_path("supervisor"), "ab") as log:
            subprocess.Popen(
                [sys.executable, "-m", "stack.supervisor", self.folder], env=env,
                cwd=os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        wait_for(self.is_running, "the supervisor answers", 15.0)

    def start(self, name, command, version=""):
        return self.ask({"verb": "start", "name": name, "command": dataclasses.asdict(command),
                         "version": version})["pid"]

    def stop(self, name):
        self.ask({"verb": "stop", "name": name}, 120.0)

    def status(self):
        return self.ask({"verb": "status"})

    def pid(self, name):
        return self.local.pid(name)

    def names(self):
        return sorted(self.status())

    def log_path(self, name):
        return self.local.log_path(name)

    def wait_ready(self, name, ready, timeout_s=120.0):
        """Gives up early when the process keeps crashing."""
        def failed():
            crashes = self.status().get(name, {}).get("crashes", 0)
            return f"it crashed {crashes} times" if crashes > FREE_CRASHES else None

        self.local.wait_ready(name, ready, timeout_s, failed)

    def quit(self):
        self.ask({"verb": "quit"})


if __name__ == "__main__":
    Supervisor(os.path.abspath(sys.argv[1])).run()
