"""The history checker finds each kind of damage, and nothing in histories that are whole. The fixtures
were recorded: three undisturbed calls, and three whose ingest and conversation were killed."""
import copy
import itertools
import os
import uuid

import pytest

from history import Fault, History, check
from history.dialogue import are_prompts, is_part_of_one
from history.fence import read
from history.judge import judge
from history.model import KINDS
from history.silence import percentile, shares, silences, summary
from history.sounds import name_pieces
from history.truth import heard, said, text_to, words_of
from history.words import match

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "history", "fixtures")
COMPLAINT, SHOES, YES = ("This is the third time I am calling about this!",
                         "I want to return a pair of shoes.", "Yes, please.")
NO_PROBLEM = "No problem. You have thirty days to return them. Shall I send you a label?"
SORRY = "I am sorry, I did not understand that."


def load(name):
    return History.load(f"{FIXTURES}/{name}.json")


WHOLE = {name: load(name) for name in ("undisturbed", "killed")}


@pytest.fixture
def history():
    """Three undisturbed calls: small talk; ended by the AI; an answer that the caller interrupts."""
    return copy.deepcopy(WHOLE["undisturbed"])


@pytest.fixture
def killed():
    """Three calls through kills: a conversation; a conversation, then an ingest in mid-answer; an
    ingest while the caller spoke, a conversation, and an ingest."""
    return copy.deepcopy(WHOLE["killed"])


# ---- doing damage ----

def finals(call, text=None):
    return [e for e in call.events if e.get("utterance") and e["utterance"]["final"]
            and text in (None, e["utterance"]["text"])]


def drop(call, events):
    """Events that were never written, and so were never recorded."""
    gone = {e["event_id"] for e in events}
    call.events = [e for e in call.events if e["event_id"] not in gone]


def drop_utterance(call, text):
    """As if the words had not been understood as an utterance at all: drafts and final."""
    ids = {e["utterance"]["utterance_id"] for e in finals(call, text)}
    drop(call, [e for e in call.events if e.get("utterance")
                and e["utterance"]["utterance_id"] in ids])


def put_behind(call, event, behind):
    """A copy of `event` with ids of its own, next to `behind` in the log."""
    made = copy.deepcopy(event)
    made["event_id"] = str(uuid.uuid4())
    if made.get("utterance"):
        made["utterance"]["utterance_id"] = str(uuid.uuid4())
        made["utterance"]["turn"] = behind["utterance"]["turn"]
    call.events.insert(call.events.index(behind) + 1, made)
    return made


def renumber(call):
    """Offsets and turns as the log would have them: the damage is to be the only one."""
    offsets = sorted(e["offset"] for e in call.events)
    if len(set(offsets)) < len(offsets):
        offsets = range(len(offsets))
    turns = {}
    for event, offset in zip(call.events, offsets):
        event["offset"] = offset
        if event.get("utterance"):
            event["utterance"]["turn"] = turns.setdefault(event["utterance"]["utterance_id"],
                                                          len(turns) + 1)


def record(call):
    """PostgreSQL as a right sink would have it after the damage to the log."""
    from history import record as rules
    from history import told
    renumber(call)
    events, _ = read(call.events)
    call.row.update(rules.expected_row(events))
    call.interactions = [rules.expected_interaction(f, i)
                         for i, f in enumerate(told.finals(events), 1)]
    call.usage = [{"event_id": e["event_id"]} for e in events if e.get("usage")]


def found(history):
    return sorted({f.kind for f in check(history)})


def only(history, kind):
    """The findings, which are all of that kind."""
    findings = check(history)
    assert findings and {f.kind for f in findings} == {kind}, "\n".join(map(str, findings))
    return findings


# ---- whole histories ----

@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_history_has_no_finding(name):
    judgement = judge(WHOLE[name])
    assert judgement.findings == []
    assert judgement.calls == 3 and judgement.words_said > 100


def test_what_was_said_while_an_ingest_died_is_counted_apart(killed):
    judgement = judge(killed)
    assert judgement.gap_words == 3  # "calling about this!"
    assert judge(WHOLE["undisturbed"]).gap_words == 0


def test_an_answer_cut_by_a_death_goes_on_where_it_was_cut(killed):
    sentences = [h for call in killed.calls for h in heard(call) if len(h.pieces) > 1]
    assert [h.text for h in sentences] == [NO_PROBLEM]
    assert sentences[0].is_whole and sentences[0].repeated_ms() == 100


def test_histories_survive_their_file(history, tmp_path):
    history.save(f"{tmp_path}/history.json")
    assert History.load(f"{tmp_path}/history.json") == history


# ---- words ----

def test_a_lost_phrase(history):
    drop_utterance(history.calls[0], SHOES)
    record(history.calls[0])
    finding, = only(history, "word_lost")
    assert finding.words == "i want to return a pair of shoes" and finding.count == 8
    assert finding.evidence["speaker"] == "CUSTOMER"


def test_a_lost_word(history):
    finals(history.calls[0], SHOES)[0]["utterance"]["text"] = "I want to return a pair of"
    record(history.calls[0])
    finding, = only(history, "word_lost")
    assert finding.words == "shoes" and finding.count == 1


def test_a_lost_phrase_in_a_gap_is_no_finding(history):
    call = history.calls[0]
    drop_utterance(call, SHOES)
    record(call)
    line = next(s for s in call.report["said"] if s["phrase"] == SHOES)
    line["lost_frames"] = 1
    judgement = judge(history)
    assert judgement.findings == [] and judgement.gap_words == 8


@pytest.mark.parametrize("before_ms, in_gap", [(99, True), (101, False)])
def test_the_gap_begins_a_tenth_of_a_second_before_the_death(history, before_ms, in_gap):
    call = history.calls[0]
    line = next(s for s in call.report["said"] if s["phrase"] == SHOES)
    victim = next(e["given"]["ingest"] for e in call.events if e.get("given"))
    history.faults = [Fault("ingest", [f"ingest-{victim}"], line["end_us"] + before_ms * 1000,
                            over_us=line["end_us"] + 2_000_000)]
    assert [s.is_gap for s in said(call, history.faults) if s.text == SHOES] == [in_gap]
    drop_utterance(call, SHOES)
    record(call)
    assert found(history) == ([] if in_gap else ["word_lost"])


def test_a_death_of_another_ingest_excuses_nothing(history):
    call = history.calls[0]
    line = next(s for s in call.report["said"] if s["phrase"] == SHOES)
    history.faults = [Fault("ingest", ["ingest-99"], line["end_us"])]
    assert not any(s.is_gap for s in said(call, history.faults))


def test_an_answer_that_was_heard_and_not_recorded(history):
    drop_utterance(history.calls[0], NO_PROBLEM)
    record(history.calls[0])
    finding, = only(history, "word_lost")
    assert finding.evidence["speaker"] == "AI" and finding.count == 15


def test_a_doubled_phrase(history):
    call = history.calls[0]
    final, = finals(call, SHOES)
    put_behind(call, final, final)
    record(call)
    finding, = only(history, "word_doubled")
    assert finding.words == "i want to return a pair of shoes"


def test_a_piece_of_a_phrase_that_stands_twice(history):
    call = history.calls[0]
    final, = finals(call, SHOES)
    put_behind(call, final, finals(call, COMPLAINT)[0])["utterance"]["text"] = "I want to return"
    record(call)
    assert only(history, "word_doubled")[0].words == "i want to return"


def test_misplaced_phrases(history):
    call = history.calls[0]
    first, second = finals(call, SHOES)[0], finals(call, YES)[0]
    a, b = first["utterance"], second["utterance"]
    a["text"], b["text"] = b["text"], a["text"]
    record(call)
    assert all(f.evidence["speaker"] == "CUSTOMER" for f in only(history, "word_misplaced"))


def test_an_answer_before_its_question(history):
    call = history.calls[0]
    question, answer = finals(call, SHOES)[0], finals(call, NO_PROBLEM)[0]
    i, j = call.events.index(question), call.events.index(answer)
    call.events[i], call.events[j] = answer, question
    drop(call, [e for e in call.events if e.get("utterance") and not e["utterance"]["final"]])
    record(call)
    assert found(history) == ["word_misplaced"]


def test_turns_that_do_not_rise(history):
    call = history.calls[0]
    final, = finals(call, SHOES)
    final["utterance"]["turn"] = 1
    next(r for r in call.interactions if r["text"] == SHOES)["turn"] = 1
    assert only(history, "word_misplaced")[0].evidence["turn"] == 1


def test_words_that_nobody_said(history):
    call = history.calls[0]
    final, = finals(call, SHOES)
    put_behind(call, final, final)["utterance"]["text"] = "Where is my parrot?"
    record(call)
    assert only(history, "word_invented")[0].words == "where is my parrot"


def test_sound_damaged_without_a_gap(history):
    call = history.calls[0]
    final, = finals(call, SHOES)
    put_behind(call, final, final)["utterance"]["text"] = "(unintelligible)"
    record(call)
    assert only(history, "word_invented")[0].words == "unintelligible"


def test_a_mask_stands_for_what_it_hides(history):
    finals(history.calls[0], SHOES)[0]["utterance"]["text"] = "I want to return [ITEM_1]."
    record(history.calls[0])
    assert found(history) == []


# ---- the ear ----

def sentence(call, text):
    return next(h for h in call.report["heard"] if h["phrase"] == text)


def hear_again(call, text, behind_us, **changes):
    """The ear hears a sentence once more, in the silence that begins there."""
    entry = copy.deepcopy(sentence(call, text))
    entry.update(start_us=behind_us, end_us=behind_us + entry["bytes"] * 125,
                 rx_from=entry["rx_to"], **changes)
    call.report["heard"].insert(call.report["heard"].index(sentence(call, text)) + 1, entry)


def test_an_answer_that_did_not_arrive(history):
    call = history.calls[0]
    call.report["heard"].remove(sentence(call, NO_PROBLEM))
    findings = check(history)
    assert sorted(f.kind for f in findings) == ["answer_missing", "answer_not_at_ear"]
    assert {f.words for f in findings} >= {NO_PROBLEM}


def test_a_sentence_with_a_hole(killed):
    call = next(c for c in killed.calls if any(h.get("from_bytes") for h in c.report["heard"]))
    rest = next(h for h in call.report["heard"] if h.get("from_bytes"))
    rest["from_bytes"] += 1600
    rest["bytes"] -= 1600
    assert only(killed, "answer_not_at_ear")[0].evidence["why"] == "a part was left out"


def test_silence_between_pieces_is_no_hole(killed):
    """The ear leaves out silence before sound; a frame is the least that can be lost."""
    call = next(c for c in killed.calls if any(h.get("from_bytes") for h in c.report["heard"]))
    rest = next(h for h in call.report["heard"] if h.get("from_bytes"))
    cut = next(h for h in call.report["heard"] if h["phrase"] == rest["phrase"] and not h.get("from_bytes"))
    for hole, kinds in ((159, []), (160, ["answer_not_at_ear"])):
        rest["from_bytes"] = cut["bytes"] + hole
        rest["bytes"] = rest["of_bytes"] - rest["from_bytes"]
        assert found(killed) == kinds


def test_unknown_sound_without_any_answer(history):
    call = history.calls[0]
    sentence(call, NO_PROBLEM).update(phrase=None, voice="unknown", exact=False, sha1="00")
    assert "sound_unknown" in found(history)


def test_a_sentence_that_goes_back_too_far(killed):
    call = next(c for c in killed.calls if any(h.get("from_bytes") for h in c.report["heard"]))
    rest = next(h for h in call.report["heard"] if h.get("from_bytes"))
    rest["from_bytes"] -= 4800
    rest["bytes"] += 4800
    assert only(killed, "word_doubled")[0].evidence["why"] == "goes on before where it was cut"


def test_sound_that_nobody_knows(history):
    call = history.calls[0]
    hear_again(call, NO_PROBLEM, sentence(call, NO_PROBLEM)["end_us"], phrase=None,
               voice="unknown", exact=False, sha1="00", bytes=800)
    only(history, "sound_unknown")


def test_a_sentence_heard_twice(history):
    call = history.calls[0]
    hear_again(call, NO_PROBLEM, sentence(call, NO_PROBLEM)["end_us"])
    assert found(history) == ["turn_answered_twice", "word_doubled"]


def test_a_sentence_that_begins_again(history):
    call = history.calls[0]
    hear_again(call, NO_PROBLEM, sentence(call, NO_PROBLEM)["end_us"], exact=False, bytes=16000,
               of_bytes=30879)
    assert found(history) == ["word_doubled"]


# ---- answers ----

def answer_twice(call, text, behind, **position):
    """The AI says a whole sentence behind another one: at the ear and in the log."""
    last = sentence(call, behind)
    entry = {**copy.deepcopy(last), "phrase": text, "start_us": last["end_us"], "bytes": 1600,
             "end_us": last["end_us"] + 200_000, "rx_from": last["rx_to"]}
    call.report["heard"].insert(call.report["heard"].index(last) + 1, entry)
    final, = finals(call, behind)
    made = put_behind(call, final, final)
    made["utterance"]["text"] = text
    if position:
        made["utterance"]["answers_to"] = {**final["utterance"]["answers_to"], **position}
    record(call)


@pytest.mark.parametrize("position", [{}, {"n": 700}])
def test_a_turn_answered_twice(history, position):
    answer_twice(history.calls[0], NO_PROBLEM, NO_PROBLEM, **position)
    assert only(history, "turn_answered_twice")[0].words == NO_PROBLEM


def test_what_a_gap_left_of_a_phrase_is_not_understood_twice(history):
    """Each fragment has its answer, and the caller cuts the second one off."""
    call = history.calls[0]
    line = next(s for s in call.report["said"] if s["phrase"] == SHOES)
    final, = finals(call, NO_PROBLEM)
    sentence(call, NO_PROBLEM)["phrase"] = final["utterance"]["text"] = SORRY
    answer_twice(call, SORRY, SORRY, n=700)
    again = call.report["heard"][call.report["heard"].index(sentence(call, SORRY)) + 1]
    again.update(exact=False, of_bytes=3000)
    finals(call, SORRY)[1]["utterance"].update(text="I am sorry, I did", interrupted=True)
    record(call)
    assert "word_doubled" in found(history)
    line["lost_frames"] = 1
    assert "word_doubled" not in found(history)


def test_an_earlier_turn_answered_again(history):
    call = history.calls[0]
    again = history.answers[COMPLAINT]["parts"][0]
    answer_twice(call, again, NO_PROBLEM, n=700)
    assert {f.words for f in only(history, "turn_answered_twice")} == {again}


def test_two_answers_to_one_position(history):
    call = history.calls[0]
    answer_twice(call, "Are you still there?", NO_PROBLEM)
    assert found(history) == ["answer_unasked", "turn_answered_twice"]


def test_a_prompt_that_a_death_cut_off_is_asked_again():
    asked = [("No problem.", True, 0, 1), ("Are you", False, 30_000_000, 30_400_000),
             ("Are you still there?", True, 33_000_000, 34_000_000),
             ("Are you still there?", True, 36_000_000, 37_000_000)]
    assert are_prompts(asked, 0) == [False, False, True, False]


def test_a_cut_answer_said_again_is_one_answer(history):
    call = history.calls[0]
    whole = sentence(call, NO_PROBLEM)
    cut = {**whole, "exact": False, "bytes": 5600, "of_bytes": 30879, "end_us": whole["start_us"],
           "rx_from": whole["rx_from"] - 1}
    call.report["heard"].insert(call.report["heard"].index(whole), cut)
    final, = finals(call, NO_PROBLEM)
    put_behind(call, final, finals(call, SHOES)[0])["utterance"]["text"] = "No problem."
    record(call)
    judgement = judge(history)
    assert judgement.findings == [] and judgement.words_again == 2


@pytest.mark.parametrize("texts, one", [
    (["No problem. You have [DIGITS_1] days to return", NO_PROBLEM], True),
    (["No problem. You have [DIGITS_1]", NO_PROBLEM.replace("thirty", "[DIGITS_1]")], True),
    (["No problem. You have thirty days", "to return them. Shall I send you a label?"], True),
    ([NO_PROBLEM, NO_PROBLEM.replace("thirty", "[DIGITS_1]")], False),
    ([NO_PROBLEM, SORRY], False)])
def test_what_is_one_answer(history, texts, one):
    assert is_part_of_one(texts, history.answers) is one


def test_an_answer_that_nobody_asked_for(history):
    answer_twice(history.calls[0], SORRY, NO_PROBLEM, n=700)
    only(history, "answer_unasked")


def test_a_phrase_without_an_answer(history):
    call = history.calls[0]
    call.report["heard"].remove(sentence(call, NO_PROBLEM))
    drop_utterance(call, NO_PROBLEM)
    record(call)
    assert only(history, "answer_missing")[0].evidence["to"] == SHOES


# ---- calls ----

def test_a_call_that_is_not_over(history):
    history.calls[0].report["ended_ms"] = None
    assert found(history) == ["call_unfinished"]


def test_a_call_that_the_network_ended(history):
    call = history.calls[0]
    call.network = [n for n in call.network if n["event"] != "hung_up"]
    assert only(history, "call_lost")[0].call_id == call.call_id


def test_a_call_that_was_refused(history):
    history.calls[0].report["streams"] = []
    assert "call_lost" in found(history)


def test_a_call_that_failed(history):
    history.calls[0].report["status"] = "failed"
    assert found(history) == ["call_lost"]


def test_a_call_that_we_ended_too_early(history):
    call = next(c for c in history.calls if "hung_up" not in [n["event"] for n in c.network])
    call.script = [*call.script, {"say": "One more thing."}]
    assert only(history, "call_lost")[0].evidence["not_said"] == ["One more thing."]


# ---- effects ----

def ended_by_ai(history):
    return next(c for c in history.calls if any(e.get("tool_intent") for e in c.events))


def test_an_intent_written_twice(history):
    call = ended_by_ai(history)
    intent = next(e for e in call.events if e.get("tool_intent"))
    made = copy.deepcopy(intent)
    made["event_id"] = made["tool_intent"]["intent_id"] = str(uuid.uuid4())
    call.events.insert(call.events.index(intent) + 1, made)
    record(call)
    assert only(history, "effect_repeated")[0].evidence["tool"] == "end_call"


def test_an_end_asked_for_twice(history):
    call = ended_by_ai(history)
    asked = next(n for n in call.network if n["event"] == "rest.update")
    call.network.insert(call.network.index(asked), dict(asked))
    assert only(history, "effect_repeated")[0].evidence["rest"] == "end"


def test_a_rescue_that_the_log_does_not_know(history):
    call = history.calls[0]
    call.network.insert(2, {"at_ms": 9000, "event": "rest.update", "status": None, "url": None,
                            "twiml": True})
    assert only(history, "effect_repeated")[0].evidence["rest"] == "rescue"


def test_a_tool_called_twice(history):
    history.calls[0].effects = [{"intent_id": "a"}, {"intent_id": "b"}, {"intent_id": "a"}]
    assert only(history, "effect_repeated")[0].evidence["intent_id"] == "a"


def test_a_goodbye_that_was_heard_in_vain(history):
    call = ended_by_ai(history)
    call.network = [n for n in call.network if n["event"] != "rest.update"]
    call.network.append({"at_ms": 99000, "event": "hung_up"})
    drop(call, [e for e in call.events if e.get("tool_intent") or e.get("tool_result")])
    record(call)
    call.report["ended_ms"] += 20_000
    call.sessions[-1]["closed_us"] += 20_000_000
    assert only(history, "effect_missing")[0].evidence["tool"] == "end_call"


# ---- AI sessions ----

def test_a_session_that_stayed_open(history):
    history.calls[0].sessions[0].update(is_open=True, closed_us=None)
    assert only(history, "ghost_session")[0].evidence["open"]


def test_a_session_that_outlived_its_call(history):
    history.calls[0].sessions[0]["closed_us"] += 30_000_000
    only(history, "ghost_session")


def test_two_sessions_of_one_call(history):
    call = history.calls[0]
    call.sessions.append({**call.sessions[0], "id": "another"})
    assert only(history, "ghost_session")[0].evidence["together_ms"] > 20_000


def test_a_process_that_stands_still_cannot_close_its_session(history):
    call = history.calls[0]
    session = call.sessions[0]
    history.faults = [Fault("conversation", [], session["opened_us"],
                            over_us=session["closed_us"], what="stop")]
    call.sessions.append({**session, "id": "another"})
    assert found(history) == []


def test_a_session_of_no_call(history):
    history.sessions = [{**history.calls[0].sessions[0], "is_open": True}]
    only(history, "ghost_session")


# ---- the log ----

def test_a_draft_without_a_final(history):
    call = history.calls[0]
    draft = next(e for e in call.events if e.get("utterance") and not e["utterance"]["final"]
                 and e["utterance"]["speaker"] == "CUSTOMER")
    made = copy.deepcopy(draft)
    made["event_id"], made["utterance"]["utterance_id"] = str(uuid.uuid4()), str(uuid.uuid4())
    call.events.insert(call.events.index(draft), made)
    record(call)
    assert only(history, "final_missing")[0].evidence["producer"].startswith("conversation-")


def test_two_finals_of_one_utterance(history):
    call = history.calls[0]
    final, = finals(call, SHOES)
    made = copy.deepcopy(final)
    made["event_id"] = str(uuid.uuid4())
    call.events.insert(call.events.index(final) + 1, made)
    record(call)
    assert only(history, "finals_doubled")[0].words == SHOES


def test_one_record_that_stands_twice_is_one_record(history):
    call = history.calls[0]
    final, = finals(call, SHOES)
    call.events.insert(call.events.index(final) + 1, copy.deepcopy(final))
    record(call)
    assert found(history) == []


def closed(call):
    return next(e for e in call.events if e.get("closed"))


def test_no_closed(history):
    call = history.calls[0]
    drop(call, [closed(call)])
    record(call)
    only(history, "not_closed")


def test_two_closed(history):
    call = history.calls[0]
    made = copy.deepcopy(closed(call))
    made.update(event_id=str(uuid.uuid4()), producer="telephony-0", claim=None)
    call.events.append(made)
    record(call)
    assert only(history, "closed_twice")[0].count == 1


def test_words_behind_closed(history):
    call = history.calls[0]
    final, = finals(call, YES)
    made = copy.deepcopy(final)
    made["event_id"] = str(uuid.uuid4())
    call.events.append(made)
    record(call)
    assert only(history, "event_after_closed")[0].words == YES


# ---- PostgreSQL ----

def test_a_call_without_a_row(history):
    history.calls[0].row = None
    only(history, "record_differs")


@pytest.mark.parametrize("column, value", [
    ("state", "IN_PROGRESS"), ("utterances", 3), ("utterances_ai", 9), ("cost_microusd", 1),
    ("closed_at", None)])
def test_a_row_that_differs(history, column, value):
    history.calls[0].row[column] = value
    assert list(only(history, "record_differs")[0].evidence["calls"]) == [column]


def test_an_interaction_that_is_missing(history):
    call = history.calls[0]
    call.interactions = [r for r in call.interactions if r["text"] != SHOES]
    assert only(history, "record_differs")[0].words == SHOES


def test_an_interaction_too_many(history):
    call = history.calls[0]
    call.interactions.append({**call.interactions[0], "utterance_id": "another", "sequence": 99})
    only(history, "record_differs")


@pytest.mark.parametrize("column, value", [("text", "Other words."), ("sequence", 9),
                                           ("speaker", "AGENT"), ("event_id", "another")])
def test_an_interaction_that_differs(history, column, value):
    history.calls[0].interactions[2][column] = value
    evidence = only(history, "record_differs")[0].evidence
    assert list(evidence["call_interactions"]) == [column]


def test_usage_that_was_counted_twice(history):
    call = history.calls[0]
    call.usage.append(call.usage[0])
    only(history, "record_differs")


def test_a_record_that_was_not_waited_for_is_not_judged(history):
    history.complete, history.calls[0].row = False, None
    assert found(history) == []


def test_a_reader_that_is_behind(history):
    history.lag["trunkline.records"] = 3
    finding, = only(history, "lag")
    assert finding.count == 3 and finding.evidence["reader"] == "trunkline.records"


def test_every_kind_is_tested():
    """Each kind of finding has a test above that expects it."""
    with open(__file__) as f:
        text = f.read()
    assert [kind for kind in KINDS if f'"{kind}"' not in text] == []


# ---- the fence ----

def event(part, claim, producer="conversation-0", epoch=1, leg="caller", **more):
    return {"event_id": str(uuid.uuid4()), "producer": producer, "epoch": epoch, "leg": leg,
            "claim": claim and dict(zip(("number", "offset", "session"), claim)),
            part: more.pop("value", {"x": 1}), **more}


def counting(*events):
    kept, _ = read(list(events))
    return [events.index(e) for e in kept]


def test_events_of_a_lower_claim_are_dropped():
    assert counting(event("session_started", (1, 5, 1)), event("keyed", (1, 5, 1)),
                    event("session_started", (1, 5, 2), "conversation-1"),
                    event("keyed", (1, 5, 1)), event("keyed", (1, 5, 2), "conversation-1")
                    ) == [0, 1, 2, 4]


def test_claims_are_compared_number_first_then_offset_then_session():
    assert counting(event("keyed", (1, 9, 9)), event("keyed", (2, 1, 1)), event("keyed", (2, 3, 1)),
                    event("keyed", (2, 1, 7))) == [0, 1, 2]


def test_under_one_claim_only_the_first_holder_counts():
    assert counting(event("session_started", (1, 5, 1)),
                    event("keyed", (1, 5, 1), "conversation-1"),
                    event("keyed", (1, 5, 1), epoch=2)) == [0]


def test_events_of_ingest_do_not_raise_the_fence_and_are_dropped_below_it():
    assert counting(event("given", (2, 7, 1), "ingest-0"), event("session_started", (1, 5, 1)),
                    event("session_started", (2, 7, 1)), event("given", (1, 5, 2), "ingest-1"),
                    event("stream_ended", (2, 7, 0), "ingest-0")) == [0, 1, 2, 4]


def test_each_leg_has_a_fence_of_its_own():
    assert counting(event("keyed", (3, 1, 1)), event("keyed", (1, 1, 1), leg="agent-1")) == [0, 1]


def test_a_result_counts_with_its_intent_and_once():
    intent, result = {"intent_id": "a"}, {"intent_id": "a"}
    stale = {"intent_id": "b"}
    assert counting(event("session_started", (1, 1, 2)), event("tool_intent", (1, 1, 2), value=intent),
                    event("tool_intent", (1, 1, 1), "conversation-9", value=stale),
                    event("tool_result", None, "telephony-0", value=result),
                    event("tool_result", (1, 1, 2), value=result),
                    event("tool_result", None, "telephony-0", value=stale)) == [0, 1, 3]


def test_nothing_counts_behind_closed_but_what_would_have_is_told():
    late = event("changed", None)
    kept, behind = read([event("keyed", (1, 1, 1)), event("closed", None, "telephony-0"), late,
                         event("keyed", (1, 1, 0 + 1), "conversation-1")])
    assert [bool(e.get("closed")) for e in kept] == [False, True] and behind == [late]


# ---- silence ----

def test_silence_is_what_a_fault_adds(killed):
    found_ = silences(killed)
    assert {s.kind for s in found_} == {"conversation", "ingest"} and len(found_) == 6
    noticed = [s for s in found_ if s.ms]
    assert [(s.kind, s.ms) for s in noticed] == [("conversation", 361)]
    assert summary(found_)["conversation"] == {"p50": 0, "p99": 361, "n": 3}
    assert summary(found_)["machine"] == {"p50": None, "p99": None, "n": 0}


def hold_back(call, from_us, us):
    """What began there or later came so much later."""
    ms = (from_us - call.report["created_us"]) // 1000
    for gap in call.report["gaps"]:
        gap["start_ms"] += us // 1000 * (gap["start_ms"] >= ms)
        gap["end_ms"] += us // 1000 * (gap["end_ms"] >= ms - 40)
    for line in [*call.report["heard"], *call.report["said"]]:
        if line["start_us"] >= from_us:
            line["start_us"] += us
            line["end_us"] += us
    call.report["ended_ms"] += us // 1000


def test_a_late_answer_is_silence_of_the_fault_before_it(history):
    call = history.calls[0]
    began_us = sentence(call, NO_PROBLEM)["start_us"]
    history.faults = [Fault("conversation", ["conversation-7"], began_us - 400_000, calls=[call.call_id])]
    hold_back(call, began_us, 1_200_000)
    found_ = {(s.kind, s.call_id): s.ms for s in silences(history) if s.kind != "none"}
    assert 1150 <= found_["conversation", call.call_id] <= 1250


def test_silence_in_mid_sentence_is_owed_whole(killed):
    call = next(c for c in killed.calls if any(h.get("from_bytes") for h in c.report["heard"]))
    rest = next(h for h in call.report["heard"] if h.get("from_bytes"))
    cut_ms = (rest["start_us"] - call.report["created_us"]) // 1000
    hold_back(call, rest["start_us"], 900_000)
    call.report["gaps"].append({"start_ms": cut_ms, "end_ms": cut_ms + 900})
    silence, = [s for s in silences(killed) if s.call_id == call.call_id and s.ms]
    assert silence.kind == "ingest" and silence.ms == 900 and silence.parts[0][2] == "cut"


def test_silence_without_a_fault_is_told_apart(history):
    call = history.calls[0]
    hold_back(call, sentence(call, NO_PROBLEM)["start_us"], 2_000_000)
    assert any(s.kind == "none" and 1950 <= s.ms <= 2050 for s in silences(history))


def test_each_fault_owes_the_silence_behind_it():
    assert shares(100, 500, [(50, 7), (300, 8)]) == [(7, 200), (8, 200)]
    assert shares(100, 500, [(200, 7)]) == [(-1, 100), (7, 300)]
    assert shares(100, 500, []) == [(-1, 400)]


def test_percentiles():
    assert percentile([], 0.99) is None
    assert percentile([3, 1, 2], 0.5) == 2 and percentile(range(100), 0.99) == 99


# ---- parts ----

def test_turns_are_matched_before_words():
    made = match([["a", "b"], ["c", "d", "e"]], [["c", "d", "e"], ["a", "b"]])
    assert made.pairs == [(1, 0)]
    assert made.left_said == {0: ["a", "b"]} and made.left_told == {1: ["a", "b"]}


def test_a_mask_takes_no_words_that_are_there():
    made = match([["at", "two", "street", "right"], ["every", "product"]],
                 [["at", "[ADDRESS_1]", "right"], ["every"]])
    assert made.left_told == {} and made.left_said == {1: ["product"]}


def test_a_piece_of_sound_is_named_by_its_bytes():
    import hashlib
    sound = bytes(range(1, 241)) * 2 + b"\xff\xff" + bytes(range(1, 239)) + bytes(range(1, 241))
    rest = sound[482:] + b"\xff" * 32

    def entry(data):
        return {"phrase": None, "exact": False, "voice": "unknown", "bytes": len(data),
                "sha1": hashlib.sha1(data).hexdigest(), "rx_from": next(order)}

    order = itertools.count()
    begun = {"phrase": "Two.", "exact": False, "voice": "ai", "bytes": 100, "rx_from": next(order)}
    heard_ = [entry(rest), entry(sound[160:480]), begun, entry(sound[168:480]), entry(b"noise")]
    name_pieces(heard_, {"One.": b"other", "Two.": sound})
    assert [h["phrase"] for h in heard_] == ["Two.", "Two.", "Two.", "Two.", None]
    assert [h.get("from_bytes") for h in heard_] == [482, 160, None, 168, None]
    assert begun["of_bytes"] == len(sound)


def test_words():
    assert words_of("It's 5, [CARD_1] OK?") == ["it's", "5", "[CARD_1]", "ok"]
    assert text_to("one two three", 6, 10) == "one two" and text_to("one two", 10, 10) == "one two"


def test_a_sentence_that_was_said_three_times_and_cut_once():
    """The whole ones are not matched crosswise, which would leave a cut one and a whole one alone."""
    sorry = "i am sorry i did not understand that".split()
    found = match([sorry[:7], sorry, sorry, ["yes"]], [sorry, sorry, sorry, ["yes"]])
    assert (found.left_said, found.left_told) == ({}, {0: ["that"]})
