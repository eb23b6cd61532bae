"""The bench of calls counts what the simulators saw, and nothing more."""
import os
import sys

import support

sys.path.append(f"{support.ROOT}/tests/bench")

from driver import talk  # noqa: E402
from driver.result import Result, Samples, pair, sessions_by_opening  # noqa: E402


def said(phrase, first_us, last_us, **more):
    return {"phrase": phrase, "whole": True, "lost_frames": 0, "start_ms": 0,
            "frames_us": [first_us, last_us], **more}


def ai_heard(text, first_us, last_us, exact=True):
    return {"text": text, "exact": exact, "first_us": first_us, "last_us": last_us}


def ai_said(text, deltas_us):
    return {"text": text, "spoken": True, "status": "completed", "deltas_us": deltas_us}


def heard(phrase, rx_from, size, exact=True):
    return {"phrase": phrase, "exact": exact, "rx_from": rx_from, "bytes": size, "dry_ms": 0}


def call(said_=(), heard_=(), arrivals=()):
    return {"sid": "CA1", "said": list(said_), "heard": list(heard_), "arrivals": list(arrivals),
            "errors": []}


def session(heard_=(), said_=()):
    return {"heard": list(heard_), "said": list(said_)}


def result(of_call, of_session, window=(0, 10**12)):
    made = Result(window)
    made.add(of_call, of_session)
    return made


def test_delays_are_from_the_frames_of_one_side_to_those_of_the_other():
    made = result(
        call([said("a", 1000, 5000)], [heard("b", 0, 2000)], [(1600, 21000), (3200, 33000)]),
        session([ai_heard("a", 4000, 9000)], [ai_said("b", [20000, 30000])]))
    assert (made.phrases_sent, made.phrases_heard) == (1, 1)
    assert (made.answers_sent, made.answers_heard) == (1, 1)
    assert made.added_in.values == [3.0, 4.0] and made.added_out.values == [1.0, 3.0]
    assert not made.complaints


def test_delays_outside_the_measurement_are_left_out_but_sentences_count():
    made = result(call([said("a", 1000, 5000)]), session([ai_heard("a", 4000, 9000)]), (2000, 6000))
    assert made.phrases_heard == 1 and made.added_in.values == [4.0]


def test_a_sentence_that_was_cut_or_changed_or_lost_is_not_heard():
    for of_session in (session(), session([ai_heard("a", 4000, 9000, exact=False)]), None):
        made = result(call([said("a", 1000, 5000)]), of_session)
        assert (made.phrases_sent, made.phrases_heard) == (1, 0) and made.complaints
    made = result(call([said("a", 1000, 5000, lost_frames=1)]), session([ai_heard("a", 1, 2)]))
    assert made.phrases_heard == 0
    made = result(call([], [heard("b", 0, 2000, exact=False)]), session([], [ai_said("b", [1])]))
    assert (made.answers_sent, made.answers_heard) == (1, 0) and made.complaints


def test_the_same_sentence_twice_needs_to_be_heard_twice():
    pairs = pair([(1, "a"), (2, "a"), (3, "b")], [(10, "a"), (30, "b")])
    assert pairs == [(1, 10), (2, None), (3, 30)]


def test_padding_behind_the_sound_is_not_waited_for():
    made = result(call([], [heard("b", 160, 1600)], [(160, 1), (1760, 25000)]),
                  session([], [ai_said("b", [20000, 21000])]))
    assert made.added_out.values == [5.0]


def test_percentiles():
    samples = Samples()
    for n in range(100):
        samples.add(n * 1000)
    assert samples.summary() == {"p50": 50.0, "p99": 99.0, "max": 99.0}
    assert Samples().summary()["p99"] is None


def test_a_session_is_found_by_the_first_sentence_of_its_caller():
    mine = session([ai_heard(talk.opening(7)[0], 1, 2)])
    other = session([ai_heard(talk.opening(8)[0], 1, 2, exact=False)])
    found = sessions_by_opening([mine, other], {talk.opening(n)[0] for n in (7, 8)})
    assert list(found.values()) == [mine]


def test_every_caller_has_a_line_of_its_own_in_the_phrase_file():
    lines = talk.phrase_file(3).splitlines()
    assert len(set(lines)) == len(lines)
    assert all(f"{talk.opening(n)[0]} | " in "\n".join(lines) for n in (1, 2, 3))
    assert os.path.exists(f"{support.ROOT}/tests/bench/calls")
