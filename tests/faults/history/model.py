"""What is judged, and what the judgement says. Plain data: to JSON and back."""
import dataclasses
import gzip
import json
import time


@dataclasses.dataclass
class Fault:
    """Something that was done to Trunkline. Times: `at_us` on the monotonic clock of the machine, as
    both simulators', just before it was done; `over_us` when its cause was over (restarted, continued)."""

    kind: str  # conversation, ingest, machine … : what the silence is counted under
    victims: list  # names of processes, "conversation-0"; empty for servers and services
    at_us: int
    over_us: int = None
    what: str = "kill"  # kill, stop, drain, half_open …, for people
    calls: list = None  # call ids that it touched, where that is known better than from the log

    @classmethod
    def now(cls, kind, victims=(), **more):
        return cls(kind, list(victims), time.monotonic_ns() // 1000, **more)


@dataclasses.dataclass
class CallHistory:
    """One call as each of the witnesses tells it."""

    call_id: str
    report: dict  # of the telephone simulator, GET /calls/{sid}?frames=1
    network: list  # its events, GET /calls/{sid}/events
    sessions: list  # of the AI simulator that are this call's, oldest first
    events: list  # calls.v1, in order, each with "offset"
    row: dict  # of table calls; None: there is none
    interactions: list  # of call_interactions by sequence
    usage: list  # of call_usage
    script: list = None  # the caller's, where it is known
    effects: list = dataclasses.field(default_factory=list)  # [{"intent_id": …}] at the far end of tools

    @property
    def sid(self):
        return self.report["sid"]


@dataclasses.dataclass
class History:
    calls: list  # CallHistory
    faults: list  # Fault, by time
    answers: dict  # phrase of a caller: {"parts": sentences of the AI, "tool": name or None}
    clock: dict  # {"wall_ms", "mono_us"} of one moment
    sessions: list = dataclasses.field(default_factory=list)  # of the AI simulator that are no call's
    lag: dict = dataclasses.field(default_factory=dict)  # reader: records it has not read
    complete: bool = True  # False: records and lag were not waited for

    def wall_to_us(self, wall_ms):
        """Monotonic microseconds of a wall clock time in milliseconds."""
        return self.clock["mono_us"] + (wall_ms - self.clock["wall_ms"]) * 1000

    def save(self, path):
        """A line of JSON for the history, then one for each call; compressed when the name ends in .gz."""
        with open_text(path, "wt") as f:
            for part in (dataclasses.replace(self, calls=[]), *self.calls):
                json.dump(dataclasses.asdict(part), f, default=str, ensure_ascii=False,
                          separators=(",", ":"))
                f.write("\n")

    @classmethod
    def load(cls, path):
        with open_text(path, "rt") as f:
            raw = json.loads(f.readline())
            return cls(**{**raw, "calls": [CallHistory(**json.loads(line)) for line in f],
                          "faults": [Fault(**fault) for fault in raw["faults"]]})


def open_text(path, mode):
    return gzip.open(path, mode, compresslevel=3) if str(path).endswith(".gz") else open(path, mode)


KINDS = {  # every kind of finding, and what it says
    "call_lost": "a call ended, or was refused, that should live",
    "call_unfinished": "a call had not ended when it was judged",
    "not_closed": "a call that is over has no closed that counts",
    "closed_twice": "more than one closed of one call would count",
    "event_after_closed": "a holder wrote behind closed",
    "word_lost": "words were said, or heard at the ear, and are not in the log",
    "word_doubled": "words stand, or were heard, more often than they were said",
    "word_misplaced": "words stand in another order than they were said in",
    "word_invented": "words stand in the log that nobody said",
    "sound_unknown": "the caller heard sound that is no sentence, nor the beginning of one",
    "answer_missing": "the caller was heard and not answered",
    "answer_not_at_ear": "the log says that the caller heard words that did not arrive",
    "answer_unasked": "the AI spoke where nobody had asked",
    "turn_answered_twice": "one turn of the caller has two answers",
    "effect_repeated": "an effect was asked for or carried out twice",
    "effect_missing": "the caller asked for an effect that never came",
    "final_missing": "a draft that counts has no final",
    "finals_doubled": "an utterance has two finals that count",
    "ghost_session": "an AI session without a living call, or two of one call",
    "record_differs": "PostgreSQL says something else than calls.v1",
    "lag": "a reader of the topics did not come to their end",
}


@dataclasses.dataclass
class Finding:
    kind: str  # of KINDS
    call_id: str  # "" when it is of no call
    words: str  # those it is about, or ""
    count: int  # of words, turns, effects, sessions
    evidence: dict

    def __post_init__(self):
        assert self.kind in KINDS, self.kind

    def __str__(self):
        said = f' "{self.words}"' if self.words else ""
        return f"{self.kind}{said} ({self.count}), call {self.call_id or '-'}: {json.dumps(self.evidence, default=str, ensure_ascii=False)}"
