"""The judgement: History in, findings out. No I/O, no clock."""
import dataclasses

from . import truth
from .dialogue import check_dialogue
from .life import check_effects, check_life, check_sessions, check_strangers
from .model import Finding
from .record import check_record
from .silence import silences
from .spoken import Words
from .told import check_log


@dataclasses.dataclass
class Judgement:
    findings: list
    calls: int
    words_said: int
    gap_words: int
    words_again: int  # of sentences that were cut by a death and begun again
    silences: list  # Silence

    def count(self, *kinds):
        return sum(f.count for f in self.findings if f.kind in kinds)


def check_call(call, history):
    """(findings, Count) of one call."""
    said, heard = truth.said(call, history.faults), truth.heard(call)
    words = Words(call, said, heard, truth.gap_windows(call, history.faults))
    rests = words.rests()
    found, count = words.check()
    found += check_life(call, history)
    found += check_sessions(call, history)
    found += check_effects(call, history)
    found += check_dialogue(call, history, said, [h for h in heard if h not in rests])
    found += check_log(call)
    if history.complete:
        found += check_record(call)
    return found, count


def check_lag(history):
    for reader, behind in history.lag.items():
        if behind:
            yield Finding("lag", "", "", behind, {"reader": reader})


def judge(history):
    """Everything that is to be said of it."""
    findings, counts = [], []
    for call in history.calls:
        found, count = check_call(call, history)
        findings += found
        counts.append(count)
    findings += [*check_strangers(history), *check_lag(history)]
    return Judgement(findings, len(history.calls), sum(c.said for c in counts),
                     sum(c.gap for c in counts), sum(c.again for c in counts), silences(history))


def check(history):
    """The findings: empty when every promise was kept."""
    return judge(history).findings
