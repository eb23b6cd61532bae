"""Silence that we owed the caller: README.md, "Silence"."""
import collections
import dataclasses
import statistics

from . import truth

JITTER_US = 40_000  # two frames: where one sound ends and another begins
SAME_MIN = 5
REACH_US = 5_000_000  # a wait that begins later than this behind a fault is not of that fault


@dataclasses.dataclass
class Silence:
    """What a fault cost a call that its victims held: 0 when the caller noticed nothing."""

    kind: str  # of the fault; "none": no fault was near
    call_id: str
    fault: int  # index in history.faults; -1 for none
    ms: int
    parts: list  # [(from us, to us, why)]


@dataclasses.dataclass
class Wait:
    """The caller waited: from the end of a phrase, or the cut of a sentence, to the AI's sound."""

    from_us: int
    to_us: int
    why: str  # answer, greeting, cut, line
    phrase: str = ""  # that was to be answered

    @property
    def us(self):
        return self.to_us - self.from_us


# ---- at the ear ----

class Ear:
    """Silences at one caller's ear and whose turn it was."""

    def __init__(self, call, faults):
        self.call = call
        self.said = truth.said(call, faults)
        self.windows = truth.gap_windows(call, faults)
        created = call.report["created_us"]
        self.gaps = [(created + g["start_ms"] * 1000, created + g["end_ms"] * 1000)
                     for g in call.report["gaps"]]
        self.pieces = [truth.piece_of(h) for h in sorted(call.report["heard"],
                                                         key=lambda h: h["rx_from"])]
        started = truth.streams(call)
        self.started_us = started[0]["from_us"] if started else None
        self.ended_us = created + (call.report["ended_ms"] or 0) * 1000

    def waits(self):
        for gap in self.gaps:
            yield from self._waits_in(*gap)

    def _waits_in(self, begin, end):
        before = next((p for p in reversed(self.pieces) if p.end_us <= begin + JITTER_US), None)
        after = next((p for p in self.pieces if p.end_us > begin + JITTER_US), None)
        spoken = [s for s in self.said if begin - JITTER_US <= s.end_us <= end]
        begun = [s.start_us for s in self.said if begin - JITTER_US <= s.start_us <= end]
        if before is None and self.started_us and not spoken and after:
            yield Wait(max(begin, self.started_us), end, "greeting")
        elif self._is_cut(before, after, begin, end):
            yield Wait(begin, min([end, *begun]), "cut")
        for phrase in spoken:
            until = min([end, *(at for at in begun if at > phrase.start_us)])
            yield from self._wait_of(phrase, until, answered=until == end and bool(after))

    def _is_cut(self, before, after, begin, end):
        """Sound stopped within a sentence, and not because the caller spoke."""
        inside = after and after.end_us - end < after.end_us - after.start_us - JITTER_US
        unfinished = before and before.text and before.pieces[-1][1] < before.size
        if not inside and not unfinished:
            return False
        return not any(s.start_us < begin - JITTER_US and s.end_us > begin - JITTER_US
                       for s in self.said)

    def _wait_of(self, phrase, until, answered):
        if answered or not phrase.is_gap:
            if not answered and until >= self.ended_us - JITTER_US:
                return  # nobody waited: the call is over
            yield Wait(phrase.end_us, until, "answer", phrase.text)
            return
        back = [to for frm, to in self.windows if frm <= phrase.end_us and to < truth.NEVER]
        if back:  # what was lost for all is not answered: owed until the line is back
            yield Wait(phrase.end_us, max(phrase.end_us, min(until, back[-1])), "line")


# ---- faults ----

def holders(call, history):
    """[(monotonic us, names of those who hold the call from then on)]"""
    ingest, conversation, found = None, None, []
    for event in call.events:
        part = event.get("session_started") or event.get("given")
        if part:
            ingest = f"ingest-{part['ingest']}"
            conversation = f"conversation-{part['mailbox']}"
            found.append((history.wall_to_us(event["at"]), {ingest, conversation}))
    return found


def held_at(call, history, at_us):
    """Who holds the call at that moment; those between two holders both."""
    names = set()
    for since_us, who in holders(call, history):
        if since_us <= at_us:
            names = who
    return names


def touches(fault, call, history):
    """Whether its victims held the call when it struck."""
    created, ended = call.report["created_us"], call.report["ended_ms"]
    if fault.at_us < created or (ended is not None and fault.at_us > created + ended * 1000):
        return False
    if fault.calls is not None:
        return call.call_id in fault.calls
    if held_at(call, history, fault.at_us) & set(fault.victims):
        return True
    return truth.takes_the_line(fault) and any(
        s["died"] and 0 <= s["to_us"] - fault.at_us < 500_000 for s in truth.streams(call))


class Usual:
    """How long callers wait undisturbed: the median of the run, which most turns belong to; of answers
    to the same phrase where there are enough, for some take longer than others."""

    def __init__(self, ears):
        self.waits = collections.defaultdict(list)
        for ear in ears:
            for wait in ear.waits():
                self.waits[wait.why].append(wait.us)
                self.waits[wait.why, wait.phrase].append(wait.us)

    def us(self, wait):
        if wait.why in ("cut", "line"):
            return 0
        same = self.waits[wait.why, wait.phrase]
        return statistics.median(same if len(same) >= SAME_MIN else self.waits[wait.why])


def shares(begin, end, faults):
    """Who owes [begin, end]: [(index of a fault, or -1, us)]. `faults`: [(us, index)] by time that struck
    before its end; each owes what lies between it and the next one."""
    times = [(begin, -1), *((max(at, begin), i) for at, i in faults), (end, None)]
    return [(i, until - at) for (at, i), (until, _) in zip(times, times[1:]) if until > at]


def silences(history):
    """One for each call that a fault touched, and one for each call with silence that none explains."""
    ears = [Ear(call, history.faults) for call in history.calls]
    normal = Usual(ears)
    found = []
    for ear in ears:
        touched = [(f.at_us, i) for i, f in enumerate(history.faults)
                   if touches(f, ear.call, history)]
        made = {i: Silence(history.faults[i].kind, ear.call.call_id, i, 0, []) for _, i in touched}
        for wait in ear.waits():
            begin = wait.from_us + normal.us(wait)
            near = [(at, i) for at, i in touched if wait.from_us - REACH_US < at <= wait.to_us]
            if wait.to_us - begin <= JITTER_US:
                continue
            for key, us in shares(begin, wait.to_us, near):
                silence = made.setdefault(key, Silence("none", ear.call.call_id, -1, 0, []))
                silence.ms += round(us / 1000)
                silence.parts.append((wait.from_us, wait.to_us, wait.why))
        found += made.values()
    return found


def percentile(values, share):
    """The value below or at which that share lies; None of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def summary(found, kinds=("conversation", "ingest", "machine")):
    """{kind: {"p50", "p99", "n"}}, milliseconds, over all calls that the faults touched."""
    out = {}
    for kind in kinds:
        values = [s.ms for s in found if s.kind == kind]
        out[kind] = {"p50": percentile(values, 0.5), "p99": percentile(values, 0.99),
                     "n": len(values)}
    return out
