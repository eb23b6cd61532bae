"""Faults: each is injected in the middle of calls, and healed when it has been survived.

A fault knows the house (house.py) that it hurts. `inject()` returns when the harm is done, `heal()`
when everything is there again and ready. `dies` names the processes whose calls must move
elsewhere; `blocks` says that no call can go on before it is healed.
"""
import contextlib
import os
import resource
import signal
import time

import callers
from support import wait_for


class Fault:
    kind = "other"  # what the silence that it costs is counted under: conversation, ingest, machine
    dies = ()
    victims = ()  # processes that it struck, dead or not
    calls = ()  # that it touched, where it touched some only
    moves = True  # their calls must be held by others meanwhile
    blocks = False
    comes_back = False  # what it hurt lives on when it is healed, and may do harm then

    def __init__(self, house):
        self.house = house

    def __str__(self):
        return " ".join([type(self).__name__, *self.dies])

    def inject(self):
        raise NotImplementedError

    def heal(self):
        pass


# ---- processes ----

class Kill(Fault):
    """SIGKILL, all of them at once; healed by new ones."""

    def __init__(self, house, *names):
        super().__init__(house)
        self.dies = names
        self.kind = kind_of(names)

    def inject(self):
        send(self.house, self.dies, signal.SIGKILL)
        wait_gone(self.house, self.dies)

    def heal(self):
        start(self.house, self.dies)


class Storm(Kill):
    """And the REST API of the telephone network refuses the next twenty requests with 429."""

    def inject(self):
        callers.network(self.house, "POST", "/faults", {"rest_429": 20})
        super().inject()

    def heal(self):
        callers.network(self.house, "POST", "/faults", {"rest_429": 0})
        super().heal()


class Replace(Kill):
    """SIGKILL, and a supervisor that starts them again at once."""

    moves = False  # they may come back to the same number

    def inject(self):
        super().inject()
        for name in self.dies:
            self.house.start_one(name, wait=False)


class Stall(Fault):
    """SIGSTOP; SIGCONT heals. Its sockets stay open, its kernel goes on taking what is sent. The
    balancer sees that an ingest does not answer and sends it nothing new."""

    comes_back = True

    def __init__(self, house, *names):
        super().__init__(house)
        self.dies = names
        self.kind = kind_of(names)

    def inject(self):
        send(self.house, self.dies, signal.SIGSTOP)
        for name in self.ingests():
            self.house.balance("take_out", name)

    def heal(self):
        send(self.house, self.dies, signal.SIGCONT)
        for name in self.dies:
            self.house.wait_ready(name)
        for name in self.ingests():
            self.house.balance("put_in", name)

    def ingests(self):
        return [name for name in self.dies if name.startswith("ingest")]


class Machine(Fault):
    """An ingest and a conversation at once, and no FIN to the telephone network. With `told` it
    hears of it after all, by a reset, as soon as the machine is gone: what it does then is its
    `after_abrupt`."""

    kind = "machine"

    def __init__(self, house, number, told):
        super().__init__(house)
        self.dies = (f"ingest-{number}", f"conversation-{number}")
        self.told = told

    def inject(self):
        self.house.balance("silence", self.dies[0])
        send(self.house, self.dies, signal.SIGKILL)
        wait_gone(self.house, self.dies)
        if self.told:
            self.house.balance("reset", self.dies[0])

    def heal(self):
        self.house.balance("reset", self.dies[0])
        start(self.house, self.dies)
        self.house.balance("put_in", self.dies[0])


def kind_of(names):
    """What the calls of these processes suffer."""
    kinds = {name.partition("-")[0] for name in names}
    if kinds >= {"ingest", "conversation"}:
        return "machine"
    return next((kind for kind in ("ingest", "conversation") if kind in kinds), "other")


def start(house, names):
    for name in names:
        house.start_one(name, wait=False)
    for name in names:
        house.wait_ready(name)


def send(house, names, signum):
    """The same signal to all, as close together as can be."""
    pids = [house.processes.pid(name) for name in names]
    for pid in pids:
        os.kill(pid, signum)


def wait_gone(house, names):
    for name in names:
        wait_for(lambda n=name: not house.processes.pid(n), f"{name} is gone", 10.0, 0.01)


# ---- sockets ----

class HalfOpenTelephone(Fault):
    """The telephone network's side of some calls' sockets neither writes nor reads any more."""

    kind = "socket"

    def __init__(self, house, calls):
        super().__init__(house)
        self.calls = calls

    def inject(self):
        for call in self.calls:
            callers.hurt(call, half_open=True)


class SilentIngest(Fault):
    """Between the telephone network and one ingest nothing passes any more; both live."""

    kind = "ingest"
    comes_back = True

    def __init__(self, house, name):
        super().__init__(house)
        self.name = name
        self.victims = (name,)

    def inject(self):
        self.house.balance("silence", self.name)

    def heal(self):
        self.house.balance("reset", self.name)
        self.house.balance("put_in", self.name)


class AiService(Fault):
    """Every open session is hurt; with `refuse`, new ones are refused for so many seconds: the fault is
    its length."""

    kind = "ai"

    def __init__(self, house, hurt, refuse=None, seconds=0):
        super().__init__(house)
        self.hurt, self.refuse, self.seconds = hurt, refuse, seconds

    def inject(self):
        if self.refuse:
            self.strike(self.refuse, {"next": 100_000})
        self.strike(self.hurt, "open")
        if self.refuse:
            time.sleep(self.seconds)
            callers.service(self.house, "DELETE", "/faults")

    def strike(self, kind, scope):
        callers.service(self.house, "POST", "/faults", {"kind": kind, "scope": scope})

    def heal(self):
        callers.service(self.house, "DELETE", "/faults")


# ---- servers ----

class Restarted(Fault):
    """A server is stopped and started again; its data stay."""

    blocks = True

    def __init__(self, house, *names):
        super().__init__(house)
        self.names = names

    def inject(self):
        for name in reversed(self.names):
            self.house.servers.processes.stop(name)

    def heal(self):
        servers = self.house.servers
        for name in self.names:  # in this order: the registry needs PostgreSQL
            servers.processes.start(name, getattr(servers, name).command())
            servers.processes.wait_ready(name, getattr(servers, name).ready)


class Away(Restarted):
    """Servers without which calls go on."""

    blocks = False


class Paused(Fault):
    """A server is stopped by SIGSTOP for so many seconds of its own: the fault is its length."""

    blocks = True

    def __init__(self, house, name, seconds):
        super().__init__(house)
        self.name, self.seconds = name, seconds

    def inject(self):
        self.house.servers.processes.kill(self.name, signal.SIGSTOP)
        time.sleep(self.seconds)

    def heal(self):
        self.house.servers.processes.kill(self.name, signal.SIGCONT)


# ---- the disk ----

class DiskFull(Fault):
    """Nothing more fits where our processes write their logs. A limit of file size does it: it
    needs no privilege, strikes in the middle, and can be taken back. (write() fails with EFBIG, not
    ENOSPC; house.py has the processes ignore the signal that comes with it.)"""

    def inject(self):
        for name in self.house.ours():
            size = os.path.getsize(self.house.log_path(name))
            self.limit(name, size + 10)  # the next line is cut in its middle

    def heal(self):
        for name in self.house.ours():
            self.limit(name, resource.RLIM_INFINITY)

    def limit(self, name, size):
        pid = self.house.processes.pid(name)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


# ---- the telephone network ----

ABRUPT = ("action", "hold", "nothing")  # what it does when a socket died without a close frame


@contextlib.contextmanager
def after_abrupt(house, behaviour):
    callers.network(house, "POST", "/faults", {"after_abrupt": behaviour})
    try:
        yield
    finally:
        callers.network(house, "POST", "/faults", {"after_abrupt": "action"})


@contextlib.contextmanager
def network_faults(house, **counts):
    """Faults of its REST API: rest_429, rest_500 (so many requests), rest_delay_ms."""
    callers.network(house, "POST", "/faults", counts)
    try:
        yield
    finally:
        callers.network(house, "POST", "/faults", dict.fromkeys(counts, 0))
