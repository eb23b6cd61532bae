"""Processes that outlive the command which started them: pid file, log file, stop by pid."""
import concurrent.futures
import dataclasses
import os
import signal
import subprocess

from .wait import Timeout, wait_for


@dataclasses.dataclass
class Command:
    """How to run one process."""

    argv: list
    env: dict = dataclasses.field(default_factory=dict)  # added to ours
    cwd: str = None
    stop_signal: int = signal.SIGTERM
    stop_timeout_s: float = 30.0


def start_ticks(pid):
    """When the process started, in ticks since boot; None when it is gone. Tells a process from
    a later one that was given the same number."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else int(fields[19])


def spawn(command, log_path, die_with_parent=False):
    """Start it in a session of its own, output appended to the log. Returns the Popen."""
    os.makedirs(os.path.dirname(log_path), exist_ok=True)
    argv = [str(a) for a in command.argv]
    if die_with_parent:
        argv = ["setpriv", "--pdeathsig", "KILL", *argv]
    with open(log_path, "ab") as log:
        return subprocess.Popen(
            argv,
            env={**os.environ, **{k: str(v) for k, v in command.env.items()}},
            cwd=command.cwd,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def log_tail(path, lines=30):
    try:
        with open(path, "rb") as f:
            f.seek(max(0, os.path.getsize(path) - 65536))
            return b"\n".join(f.read().splitlines()[-lines:]).decode("utf-8", "replace")
    except FileNotFoundError:
        return "(no log)"


class Processes:
    """Named processes with their pid and log files in one folder."""

    def __init__(self, folder, die_with_parent=False):
        self.folder = folder
        self.die_with_parent = die_with_parent
        self.children = {}  # those started by this very object: they must be reaped
        # The kernel ties "die with parent" to the thread that forked: this one lives as we do.
        self.spawner = concurrent.futures.ThreadPoolExecutor(1) if die_with_parent else None
        os.makedirs(f"{folder}/run", exist_ok=True)
        os.makedirs(f"{folder}/log", exist_ok=True)

    def log_path(self, name):
        return f"{self.folder}/log/{name}.log"

    def pid(self, name):
        """Its pid while it lives, else None."""
        child = self.children.get(name)
        if child and child.poll() is not None:
            return None
        try:
            with open(f"{self.folder}/run/{name}.pid") as f:
                pid, ticks = (int(word) for word in f.read().split()[:2])
        except (FileNotFoundError, ValueError):
            return None
        return pid if start_ticks(pid) == ticks else None

    def start(self, name, command):
        """Start it unless it runs already. Returns the pid."""
        running = self.pid(name)
        if running:
            return running
        if self.spawner:
            child = self.spawner.submit(spawn, command, self.log_path(name), True).result()
        else:
            child = spawn(command, self.log_path(name))
        self.children[name] = child
        with open(f"{self.folder}/run/{name}.pid", "w") as f:
            f.write(f"{child.pid} {start_ticks(child.pid)} "
                    f"{int(command.stop_signal)} {command.stop_timeout_s}\n")
        return child.pid

    def wait_ready(self, name, ready, timeout_s=120.0, failed=None):
        """Wait for ready(); a death meanwhile, or a reason from failed(), ends the wait."""
        try:
            wait_for(ready, f"{name} ready", timeout_s,
                     failed=failed or (lambda: self._death(name)))
        except (Timeout, RuntimeError) as e:
            path = self.log_path(name)
            raise RuntimeError(f"{e}\n{path}:\n{log_tail(path)}") from None

    def _death(self, name):
        return None if self.pid(name) else "the process ended"

    def names(self):
        return sorted(f[:-4] for f in os.listdir(f"{self.folder}/run") if f.endswith(".pid"))

    def kill(self, name, signum=signal.SIGKILL):
        pid = self.pid(name)
        if pid:
            os.kill(pid, signum)
        if pid and signum == signal.SIGKILL:  # else start() could still find it running
            wait_for(lambda: not self.pid(name), f"{name} is gone", 10.0)
        return pid

    def stop(self, name):
        """Ask it to end, and kill it when it does not in time. True when it ended by itself."""
        clean = True
        pid = self.pid(name)
        path = f"{self.folder}/run/{name}.pid"
        if pid:
            with open(path) as f:
                signum, timeout_s = f.read().split()[2:4]
            os.kill(pid, int(signum))
            try:
                wait_for(lambda: self.pid(name) is None, f"{name} ends", float(timeout_s))
            except Timeout:
                clean = False
                os.kill(pid, signal.SIGKILL)
                wait_for(lambda: self.pid(name) is None, f"{name} ends", 10.0)
        if os.path.exists(path):
            os.unlink(path)
        self.children.pop(name, None)
        return clean

    def exit_status(self, name):
        """The Popen return code of a child of ours that has ended, else None."""
        child = self.children.get(name)
        return child.poll() if child else None
