"""The lottery of kills repeats its choices, says what its callers say, and judges a run again."""
import json
import shutil
import sys

import pytest

import support

sys.path.append(f"{support.ROOT}/tests/bench")

from driver import lottery, talk_faults, verdict  # noqa: E402
from history import Finding, History  # noqa: E402
from history.collect import answers_of  # noqa: E402
from history.judge import judge  # noqa: E402

FIXTURE = f"{support.ROOT}/tests/faults/history/fixtures/killed.json"
KINDS = ("conversation", "ingest", "machine")


def test_a_seed_repeats_the_run():
    assert lottery.draws(7, 50, KINDS) == lottery.draws(7, 50, KINDS) != lottery.draws(8, 50, KINDS)
    assert lottery.draws(7, 50, KINDS)[:20] == lottery.draws(7, 20, KINDS)
    assert {d.kind for d in lottery.draws(1, 200, KINDS)} == set(KINDS)
    assert talk_faults.script(1, 3) == talk_faults.script(1, 3) != talk_faults.script(2, 3)


def test_the_ai_knows_what_callers_say():
    answers = answers_of(talk_faults.PHRASES)
    said = {step["say"] for n in range(60) for step in talk_faults.script(1, n) if "say" in step}
    assert said <= answers.keys() and said > set(talk_faults.GOODBYES)
    for phrase in talk_faults.GOODBYES:
        assert answers[phrase]["tool"] == "end_call"


@pytest.mark.parametrize("n", range(12))
def test_a_caller_says_nothing_twice(n):
    said = [step["say"] for step in talk_faults.script(1, n) if "say" in step]
    assert len(said) == len(set(said)) >= 3


def test_the_last_line():
    history = History.load(FIXTURE)
    line = verdict.line_of(judge(history), len(history.faults))
    assert list(line) == [
        "bench", "kills", "calls", "calls_lost", "words_said", "words_lost", "words_doubled",
        "turns_answered_twice", "effects_repeated", "ghosts", "gap_words", "silence_ms"]
    assert (line["bench"], line["kills"], line["calls"], line["gap_words"]) == ("faults", 4, 3, 3)
    assert list(line["silence_ms"]) == list(KINDS)
    assert list(line["silence_ms"]["ingest"]) == ["p50", "p99", "n"]


@pytest.mark.parametrize("kind, member", [
    ("call_lost", "calls_lost"), ("word_lost", "words_lost"), ("answer_not_at_ear", "words_lost"),
    ("word_doubled", "words_doubled"), ("turn_answered_twice", "turns_answered_twice"),
    ("effect_repeated", "effects_repeated"), ("ghost_session", "ghosts")])
def test_findings_are_counted(kind, member):
    judgement = judge(History.load(FIXTURE))
    judgement.findings = [Finding(kind, "a", "", 3, {})]
    assert verdict.line_of(judgement, 4)[member] == 3


def judge_again(folder, check=True):
    return support.run(f"{support.ROOT}/tests/bench/faults", "--judge", folder, check=check)


def test_a_run_is_judged_again(tmp_path):
    history = History.load(FIXTURE)
    history.save(f"{tmp_path}/history.jsonl.gz")
    out = judge_again(tmp_path).stdout.splitlines()
    assert json.loads(out[-1])["words_lost"] == 0


def test_a_finding_makes_it_fail(tmp_path):
    history = History.load(FIXTURE)
    history.calls[0].report["status"] = "failed"
    history.save(f"{tmp_path}/history.jsonl.gz")
    run = judge_again(tmp_path, check=False)
    assert run.returncode == 1 and json.loads(run.stdout.splitlines()[-1])["calls_lost"] == 1
    with open(f"{tmp_path}/findings.json") as f:
        assert json.loads(f.readline())["kind"] == "call_lost"
    shutil.rmtree(tmp_path)
