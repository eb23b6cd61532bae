"""A Trunkline that can be hurt: on servers of its own, behind a balancer."""
import os
import sys

import support
from stack.process import Command
from stack.services import Service

HERE = os.path.dirname(os.path.abspath(__file__))


class House(support.Stack):
    """A stack whose ingests have ports of their own behind balancer.py. `servers` are its own too:
    they may be stopped."""

    servers = None  # set by the fixture

    def __init__(self, folder, servers_env, settings=None, **layout):
        super().__init__(folder, servers_env, settings, **layout)
        ports = self.layout.ports
        argv = [sys.executable, f"{HERE}/balancer.py", "--listen", self._public()]
        for name in self.names("ingest"):
            own = f"127.0.0.1:{ports.get(f'{name}-listen')}"
            self.services[name].command.env["TRUNKLINE_INGEST_LISTEN"] = own
            argv += ["--to", own]
        for name in self.ours():  # see DiskFull in faults.py
            command = self.services[name].command
            command.argv = ["env", "--ignore-signal=XFSZ", *command.argv]
        control = ports.get("balancer-control")
        argv += ["--control", f"127.0.0.1:{control}"]
        self.services = {"balancer": Service("balancer", Command(argv), control), **self.services}

    def _public(self):
        return "127.0.0.1:" + self.layout.public_url.rpartition(":")[2]

    def names(self, kind):
        """The services of a kind: "ingest", "conversation", "telephony", …"""
        return [name for name in self.services if name.partition("-")[0] == kind]

    def ours(self):
        """The processes of Trunkline."""
        return [name for name in self.services if not name.startswith(("sim-", "balancer"))]

    def balance(self, verb, ingest):
        """Tell the balancer what becomes of an ingest: silence, hang, reset, take_out, put_in."""
        number = ingest.rpartition("-")[2]
        port = self.services["balancer"].port
        status, text = support.request("POST", f"http://127.0.0.1:{port}/{verb}?backend={number}")
        assert status == 200, text
