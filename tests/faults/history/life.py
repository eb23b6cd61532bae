"""Whether calls lived as long as they should, AI sessions no longer, and effects happened once."""
import collections
import itertools

from . import fence, truth
from .model import Finding

SETTLE_US = 20_000_000  # a hand-over may take so long: two sessions of one call
OVER_US = 25_000_000  # 20 s without a claim end a session whose stream's end was never told
CLOSES_CALL = "end_call"
PATIENCE_US = 15_000_000  # who asked us to end the call has waited so long before hanging up


# ---- calls ----

def steps_said(script):
    return [step["say"] for step in script if "say" in step]


def wants_end(call, answers):
    """The caller said something that the AI answers with an end of the call."""
    return any(answers.get(line["phrase"], {}).get("tool") == CLOSES_CALL
               for line in call.report["said"])


def check_life(call, history):
    how = truth.ended_how(call)
    if how is None:
        yield Finding("call_unfinished", call.call_id, "", 1, {"status": call.report["status"]})
        return
    evidence = {"ended": how, "status": call.report["status"], "ended_ms": call.report["ended_ms"],
                "streams": len(call.report["streams"]), "errors": call.report["errors"][:5],
                "spoken": call.report["spoken"][:3]}
    if call.report["status"] != "completed" or not call.report["streams"]:
        yield Finding("call_lost", call.call_id, "", 1, evidence)
        return
    if how != "caller" and not wants_end(call, history.answers):
        yield Finding("call_lost", call.call_id, "", 1, evidence)
        return
    missing = steps_said(call.script)[len(call.report["said"]):] if call.script else []
    if missing and how != "caller":
        yield Finding("call_lost", call.call_id, "", 1, {**evidence, "not_said": missing})


# ---- AI sessions ----

def overlap_us(a, b, but):
    """How long both were open, time in `but` ([(from, to)]) not counted."""
    begin = max(a["opened_us"], b["opened_us"])
    end = min(a["closed_us"] or truth.NEVER, b["closed_us"] or truth.NEVER)
    out = sum(max(0, min(end, to) - max(begin, frm)) for frm, to in but)
    return end - begin - out


def stalls(faults):
    """While a process stands still it cannot close what it has open."""
    return [(f.at_us, f.over_us or truth.NEVER) for f in faults if f.what == "stop"]


def check_sessions(call, history):
    ended = call.report["ended_ms"]
    ended_us = call.report["created_us"] + ended * 1000 if ended is not None else None
    stalled = stalls(history.faults)
    for session in call.sessions:
        life = {"opened_us": ended_us, "closed_us": truth.NEVER}
        if ended_us and (session["is_open"] or overlap_us(session, life, stalled) > OVER_US):
            yield Finding("ghost_session", call.call_id, "", 1,
                          {"session": session["id"], "open": session["is_open"],
                           "after_end_ms": ((session["closed_us"] or history.clock["mono_us"])
                                            - ended_us) // 1000})
    for a, b in itertools.combinations(call.sessions, 2):
        both = overlap_us(a, b, stalled)
        if both > SETTLE_US and not (a["is_open"] and b["is_open"] and ended_us):
            yield Finding("ghost_session", call.call_id, "", 1,
                          {"sessions": [a["id"], b["id"]], "together_ms": both // 1000})


def check_strangers(history):
    """Sessions that belong to no call of the run."""
    for session in history.sessions:
        if session["is_open"]:
            yield Finding("ghost_session", "", "", 1, {"session": session["id"]})


# ---- effects ----

def check_effects(call, history):
    yield from _check_intents(call)
    yield from _check_requests(call)
    yield from _check_missing(call, history)
    counted = collections.Counter(e["intent_id"] for e in call.effects)
    for intent_id, n in counted.items():
        if n > 1:
            yield Finding("effect_repeated", call.call_id, "", n - 1, {"intent_id": intent_id})


def _check_intents(call):
    """One wish of the caller, one intent; an intent, one result."""
    events, _ = fence.read(call.events)
    wishes = collections.defaultdict(list)
    for event in events:
        intent = event.get("tool_intent")
        if intent:
            to = intent.get("answers_to") or {}
            key = (intent["name"], intent["arguments"], to.get("number"), to.get("offset"), to.get("n"))
            wishes[key].append(intent["intent_id"])
    for key, ids in wishes.items():
        if len(ids) > 1:
            yield Finding("effect_repeated", call.call_id, "", len(ids) - 1,
                          {"tool": key[0], "arguments": key[1], "intents": ids})


def _check_missing(call, history):
    """The caller said goodbye, was heard, and had to hang up."""
    phrases = truth.said(call, history.faults)
    if truth.ended_how(call) != "caller" or not phrases:
        return
    last, ended_us = phrases[-1], call.report["created_us"] + call.report["ended_ms"] * 1000
    tool = history.answers.get(last.text, {}).get("tool")
    if tool == CLOSES_CALL and not last.is_gap and ended_us - last.end_us > PATIENCE_US:
        yield Finding("effect_missing", call.call_id, last.text, 1,
                      {"tool": tool, "waited_ms": (ended_us - last.end_us) // 1000})


def _check_requests(call):
    """What was asked of the telephone network by REST: an end once, a rescue once for each in the log."""
    ends = [line for line in call.network if line["event"] == "rest.update" and line.get("status")]
    moved = sum(line["event"] == "rest.update" and not line.get("status") for line in call.network)
    sentences = sum(not d["url"] and "<Connect" not in d["text"] for d in call.report["documents"])
    rescues = {(e["rescue"]["number"], e["rescue"]["offset"], e["rescue"]["attempt"])
               for e in call.events if e.get("rescue")}
    moved -= sentences
    if len(ends) + sentences > 1:
        yield Finding("effect_repeated", call.call_id, "", len(ends) + sentences - 1,
                      {"rest": "end", "requests": len(ends), "sentences": sentences})
    if moved > len(rescues):
        yield Finding("effect_repeated", call.call_id, "", moved - len(rescues),
                      {"rest": "rescue", "requests": moved, "in_log": len(rescues)})
