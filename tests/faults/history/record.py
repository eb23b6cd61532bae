"""PostgreSQL against calls.v1: the rows must be what an independent reader makes of the log."""
from . import fence
from .model import Finding
from .told import finals

STATES = ("UNKNOWN", "INITIATED", "RINGING", "IN_PROGRESS", "ESCALATED", "COMPLETED", "FAILED")
FINAL_STATES = ("COMPLETED", "FAILED")


def state_of(events):
    """Never back; the first final one stays."""
    state = "UNKNOWN"
    for event in events:
        part = event.get("changed") or event.get("closed")
        if part and state not in FINAL_STATES and STATES.index(part["state"]) > STATES.index(state):
            state = part["state"]
    return state


def expected_row(events):
    """The columns of calls that follow from the log alone."""
    said = finals(events)
    by = {who: sum(f.speaker == who for f in said) for who in ("AI", "CUSTOMER", "AGENT")}
    closed = next((e for e in events if e.get("closed")), None)
    return {"state": state_of(events), "utterances": len(said), "utterances_ai": by["AI"],
            "utterances_customer": by["CUSTOMER"], "utterances_agent": by["AGENT"],
            "cost_microusd": sum(e["usage"]["cost_microusd"] for e in events if e.get("usage")),
            "closed_at": closed["at"] if closed else None}


def expected_interaction(final, sequence):
    u = final.utterance
    return {"sequence": sequence, "utterance_id": u["utterance_id"], "turn": u["turn"],
            "leg": final.event["leg"], "speaker": u["speaker"], "text": u["text"],
            "start_ms": u["start_ms"], "end_ms": u["end_ms"], "interrupted": u["interrupted"],
            "transcript_failed": u["transcript_failed"], "event_id": final.event["event_id"],
            "log_offset": final.event["offset"]}


def differences(wanted, row):
    return {k: {"log": v, "row": row.get(k)} for k, v in wanted.items() if row.get(k) != v}


def check_record(call):
    events, _ = fence.read(call.events)
    if not events:
        return
    if not call.row:
        yield Finding("record_differs", call.call_id, "", 1, {"calls": "no row"})
        return
    wrong = differences(expected_row(events), call.row)
    if wrong:
        yield Finding("record_differs", call.call_id, "", len(wrong), {"calls": wrong})
    yield from _check_interactions(call, finals(events))
    ids = [e["event_id"] for e in events if e.get("usage")]
    rows = [u["event_id"] for u in call.usage]
    if sorted(ids) != sorted(rows):
        yield Finding("record_differs", call.call_id, "", len(set(ids) ^ set(rows)) or 1,
                      {"call_usage": {"log": len(ids), "rows": len(rows)}})


def _check_interactions(call, said):
    rows = {row["utterance_id"]: row for row in call.interactions}
    for sequence, final in enumerate(said, 1):
        row = rows.pop(final.utterance["utterance_id"], None)
        if not row:
            yield Finding("record_differs", call.call_id, final.text, 1,
                          {"call_interactions": "no row", "offset": final.event["offset"]})
            continue
        wrong = differences(expected_interaction(final, sequence), row)
        if wrong:
            yield Finding("record_differs", call.call_id, final.text, 1, {"call_interactions": wrong})
    for row in rows.values():
        yield Finding("record_differs", call.call_id, row["text"], 1,
                      {"call_interactions": "a row that the log has not", "sequence": row["sequence"]})
