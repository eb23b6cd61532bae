"""CPU time and memory of processes, from /proc."""
import os

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_ms(pid):
    """User and system time so far."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000.0 / TICKS


def resident_bytes(pid):
    """What the process itself holds in memory: its own pages, not the programs' and libraries'."""
    with open(f"/proc/{pid}/status") as f:
        for line in f:
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/{pid}/status has no RssAnon")


class Group:
    """Processes of one kind, measured together."""

    def __init__(self, pids):
        self.pids = list(pids)

    def cpu_ms(self):
        return sum(cpu_ms(pid) for pid in self.pids)

    def resident_bytes(self):
        return sum(resident_bytes(pid) for pid in self.pids)
