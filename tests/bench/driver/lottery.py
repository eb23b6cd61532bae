"""The lottery of tests/bench/faults: calls at a set rate, faults at random moments, all by one seed."""
import dataclasses
import os
import random
import threading
import time
import uuid

from history import Fault

from . import talk_faults

CALL_NAMESPACE = uuid.UUID("da4fea8e-9f15-483d-83cc-8089accbc5e3")  # lib/base/uuid.c
PAUSE_S = (0.4, 2.0)  # between a victim being back and the next fault
HARVEST_EVERY_S = 20.0
BUSY = 2.0  # load a core at which processes do not get their turn in time


@dataclasses.dataclass
class Draw:
    """One choice of the lottery."""

    kind: str
    victim: float  # 0 … 1: which instance
    pause_s: float


def draws(seed, kills, kinds):
    """The same for the same seed, kinds and number."""
    choice = random.Random(seed)
    return [Draw(choice.choice(kinds), choice.random(), choice.uniform(*PAUSE_S))
            for _ in range(kills)]


@dataclasses.dataclass
class Call:
    sid: str
    script: list

    @property
    def call_id(self):
        return str(uuid.uuid5(CALL_NAMESPACE, self.sid))


class Callers(threading.Thread):
    """Calls at a set rate until told to stop."""

    def __init__(self, stage, seed, rate):
        super().__init__(daemon=True)
        self.stage, self.seed, self.rate = stage, seed, rate
        self.calls = []
        self.error = None
        self.done = threading.Event()

    def run(self):
        due = time.monotonic()
        try:
            while not self.done.wait(max(0.0, due - time.monotonic())):
                due += 1.0 / self.rate
                self._place(len(self.calls) + 1)
        except Exception as e:  # the main thread raises it
            self.error = e

    def _place(self, n):
        script = talk_faults.script(self.seed, n)
        body = {"to": talk_faults.NUMBER, "from": talk_faults.caller(n), "script": script,
                "frames": True}
        sid, = self.stage.telephone("POST", "/calls", body)["calls"]
        self.calls.append(Call(sid, script))

    def check(self):
        if self.error:
            raise self.error

    def stop(self):
        self.done.set()
        self.join()
        self.check()


class Sessions:
    """The AI simulator's sessions, taken from it as they end: it keeps the sound of each."""

    def __init__(self, stage, keep):
        self.stage, self.keep = stage, keep
        self.found = {}
        self.taken_at = time.monotonic()

    def take(self):
        for session in self.stage.ai("GET", "/sessions?full=1")["sessions"]:
            self.found[session["id"]] = {k: session.get(k) for k in self.keep}
        self.stage.ai("DELETE", "/sessions")
        alive = {s["id"] for s in self.stage.ai("GET", "/sessions")["sessions"]}
        now_us = time.monotonic_ns() // 1000
        for key, session in self.found.items():
            if session["is_open"] and key not in alive:  # it closed between the two requests
                session.update(is_open=False, closed_us=now_us)
        self.taken_at = time.monotonic()

    def take_sometimes(self):
        if time.monotonic() - self.taken_at > HARVEST_EVERY_S:
            self.take()


class Lottery:
    """The faults, one after the other."""

    def __init__(self, stage, args, progress, sessions):
        self.stage, self.args, self.progress, self.sessions = stage, args, progress, sessions
        self.callers = Callers(stage, args.seed, args.rate)
        self.faults = []
        self.killed = dict.fromkeys(stage.table, 0)
        self.load = 0.0  # the highest that was seen, per core

    def victims(self, draw):
        """Names. A machine is an ingest and a conversation with one number."""
        kinds = ("ingest", "conversation") if draw.kind == "machine" else (draw.kind,)
        count = min(len(self.stage.names(kind)) for kind in kinds)
        return [f"{kind}-{int(draw.victim * count)}" for kind in kinds]

    def strike(self, draw):
        names = self.victims(draw)
        # A machine without power sends no FIN: then the telephone network notices nothing.
        behaviour = self.args.machine_network if draw.kind == "machine" else "action"
        self.stage.telephone("POST", "/faults", {"after_abrupt": behaviour})
        fault = Fault.now(draw.kind, names)
        pids = self.stage.kill(names)
        for name, pid in zip(names, pids):
            self.stage.wait_back(name, pid)
            self.killed[name] += 1
        fault.over_us = time.monotonic_ns() // 1000
        self.faults.append(fault)

    def run(self):
        plan = draws(self.args.seed, self.args.kills, self.args.faults)
        self.callers.start()
        self._warm()
        said = time.monotonic()
        for draw in plan:
            time.sleep(draw.pause_s)  # the moment is drawn
            self.strike(draw)
            self.callers.check()
            self.sessions.take_sometimes()
            if time.monotonic() - said > 10.0:
                said = time.monotonic()
                self._say()
        time.sleep(PAUSE_S[1])
        self.callers.stop()
        self._say()

    def _warm(self):
        """Until as many calls talk as ever will, about."""
        seconds = min(25.0, 20.0 / self.args.rate)
        self.progress.say(f"calls arrive, {self.args.rate} a second, for {seconds:.0f} s before the first kill")
        time.sleep(seconds)
        self.callers.check()

    def _say(self):
        live = len(self.stage.telephone("GET", "/calls?active=1")["calls"])
        unplanned = sum(self.unplanned().values())
        self.load = max(self.load, os.getloadavg()[0] / os.cpu_count())
        self.progress.say(f"{len(self.faults)} of {self.args.kills} kills, {live} calls talk, "
                          f"{len(self.callers.calls) - live} are over"
                          + (f", load {self.load:.1f} a core" if self.load > BUSY else "")
                          + (f", {unplanned} deaths of their own" if unplanned else ""))

    def unplanned(self):
        """{name: deaths that we did not cause}"""
        return {name: n - self.killed.get(name, 0) for name, n in self.stage.restarts().items()
                if n > self.killed.get(name, 0)}
