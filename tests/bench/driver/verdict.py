"""What tests/bench/faults prints: findings, a table, a line of JSON."""
import collections
import json

from history.model import KINDS
from history.silence import percentile, summary

from .lottery import BUSY

SHOWN_MAX = 40
PROMISED_MS = {"conversation": 1500, "ingest": 2500, "machine": 3000}
LOST = ("call_lost", "call_unfinished")
WORDS_LOST = ("word_lost", "answer_not_at_ear")
WORDS_DOUBLED = ("word_doubled",)


def line_of(judgement, kills):
    """The last line."""
    return {"bench": "faults", "kills": kills, "calls": judgement.calls,
            "calls_lost": judgement.count(*LOST), "words_said": judgement.words_said,
            "words_lost": judgement.count(*WORDS_LOST),
            "words_doubled": judgement.count(*WORDS_DOUBLED),
            "turns_answered_twice": judgement.count("turn_answered_twice"),
            "effects_repeated": judgement.count("effect_repeated"),
            "ghosts": judgement.count("ghost_session"), "gap_words": judgement.gap_words,
            "silence_ms": summary(judgement.silences)}


def print_findings(judgement):
    for finding in judgement.findings[:SHOWN_MAX]:
        print(f"  {str(finding)[:600]}")
    if len(judgement.findings) > SHOWN_MAX:
        print(f"  … and {len(judgement.findings) - SHOWN_MAX} more: findings.json")


def print_table(judgement, history, unplanned, load=0.0):
    kinds = collections.Counter(f.kind for f in judgement.findings)
    print(f"\n{len(history.faults)} kills, {judgement.calls} calls, {judgement.words_said} words, "
          f"{judgement.gap_words} of them in gaps; {judgement.words_again} words said again\n")
    for kind, meaning in KINDS.items():
        if kinds[kind]:
            print(f"  {kinds[kind]:>6}  {kind}: {meaning}")
    print_silence(judgement)
    if load > BUSY:
        print(f"  the machine was busy, load {load:.1f} a core: silence says nothing, words must be right all the same")
    for name, times in unplanned.items():
        print(f"  {name} died {times} times without being killed")
    print()


def print_silence(judgement):
    rows = [("silence owed, ms", "calls", "noticed", "p50", "p99", "max", "p99 promised")]
    for kind in (*PROMISED_MS, "none"):
        of_kind = [s.ms for s in judgement.silences if s.kind == kind]
        rows.append((kind if kind != "none" else "no fault near", len(of_kind),
                     sum(ms > 0 for ms in of_kind), percentile(of_kind, 0.5),
                     percentile(of_kind, 0.99), max(of_kind, default=None),
                     PROMISED_MS.get(kind, "")))
    for row in rows:
        print("  " + f"{row[0]:<20}" + "".join(f"{'-' if c is None else c:>14}" for c in row[1:]))


def save_findings(judgement, path):
    """Findings, and every silence that was noticed, the longest first."""
    with open(path, "w") as f:
        for finding in judgement.findings:
            f.write(json.dumps(vars(finding), default=str, ensure_ascii=False) + "\n")
        for silence in sorted(judgement.silences, key=lambda s: -s.ms):
            if silence.ms:
                f.write(json.dumps({"silence": vars(silence)}) + "\n")
