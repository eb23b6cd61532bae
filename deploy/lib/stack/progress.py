"""What a person sees while deploy/up and tests/run work: each step with its time."""
import contextlib
import os
import subprocess
import threading
import time

SAY_EVERY_S = 10.0  # a long step says what it is at


class Progress:
    """Lines "[elapsed] step: text" on stdout; steps may run in threads."""

    def __init__(self):
        self.began = float(os.environ.get("TL_UP_STARTED", time.time()))
        self.lock = threading.Lock()

    def say(self, text):
        with self.lock:
            print(f"[{time.time() - self.began:6.1f} s] {text}", flush=True)

    @contextlib.contextmanager
    def step(self, name, doing=None):
        if doing:
            self.say(f"{name}: {doing}")
        began = time.monotonic()
        yield
        self.say(f"{name}: done in {time.monotonic() - began:.1f} s")

    def run(self, name, argv, log_path, env=None, cwd=None):
        """Run a command with its output in the log; RuntimeError with the log's end if it fails."""
        os.makedirs(os.path.dirname(log_path), exist_ok=True)
        said = time.monotonic()
        tail = []
        with open(log_path, "ab") as log, subprocess.Popen(
                [str(a) for a in argv], env=env, cwd=cwd, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
            for line in child.stdout:
                log.write(line)
                tail = [*tail[-40:], line.decode("utf-8", "replace").rstrip()]
                if time.monotonic() - said > SAY_EVERY_S:
                    self.say(f"{name}: {tail[-1][:80]}")
                    said = time.monotonic()
        if child.returncode != 0:
            end = "\n".join(tail)
            raise RuntimeError(f"{' '.join(str(a) for a in argv)} failed "
                               f"({child.returncode}), see {log_path}:\n{end}")
