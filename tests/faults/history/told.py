"""What the log tells of a call: its finals that count, and whether the log itself is in order."""
import dataclasses

from . import fence
from .model import Finding
from .truth import words_of

ALWAYS_AFTER = ("changed", "stream_ended", "given", "tool_result", "rescue", "usage")  # harmless there


@dataclasses.dataclass
class Final:
    """A final utterance that counts."""

    event: dict

    @property
    def utterance(self):
        return self.event["utterance"]

    @property
    def text(self):
        return self.utterance["text"]

    @property
    def speaker(self):
        return self.utterance["speaker"]

    @property
    def words(self):
        return words_of(self.text)

    @property
    def answers_to(self):
        at = self.utterance.get("answers_to")
        return (at["number"], at["offset"], at["n"]) if at else None


def finals(events):
    """Of events that count, in order; of an utterance that has two the first."""
    found, seen = [], set()
    for event in events:
        utterance = event.get("utterance")
        if utterance and utterance["final"] and utterance["utterance_id"] not in seen:
            seen.add(utterance["utterance_id"])
            found.append(Final(event))
    return found


def check_utterances(call, events):
    """A draft has a final, an utterance one of them, and turns rise."""
    drafts, final_of, last = {}, {}, 0
    for event in events:
        utterance = event.get("utterance")
        if not utterance:
            continue
        key = utterance["utterance_id"]
        if not utterance["final"]:
            drafts[key] = event
            continue
        if key in final_of:
            yield Finding("finals_doubled", call.call_id, utterance["text"], 1,
                          {"utterance_id": key, "offsets": [final_of[key], event["offset"]]})
            continue
        final_of[key] = event["offset"]
        if utterance["turn"] <= last:
            yield Finding("word_misplaced", call.call_id, utterance["text"],
                          len(words_of(utterance["text"])),
                          {"turn": utterance["turn"], "behind_turn": last, "offset": event["offset"]})
        last = max(last, utterance["turn"])
    for key, event in drafts.items():
        if key not in final_of:
            yield Finding("final_missing", call.call_id, event["utterance"]["text"], 1,
                          {"utterance_id": key, "offset": event["offset"],
                           "producer": event["producer"]})


def check_closing(call, events, behind):
    """closed once, and nothing of a holder behind it."""
    closed = [e for e in [*events, *behind] if e.get("closed")]
    if not closed and call.report["ended_ms"] is not None:
        yield Finding("not_closed", call.call_id, "", 1,
                      {"status": call.report["status"], "events": len(events)})
    if len(closed) > 1:
        yield Finding("closed_twice", call.call_id, "", len(closed) - 1,
                      {"by": [[e["producer"], e["offset"]] for e in closed]})
    for event in behind:
        part = part_of(event)
        if event.get("claim") and part not in ALWAYS_AFTER and part != "closed":
            words = event["utterance"]["text"] if part == "utterance" else ""
            yield Finding("event_after_closed", call.call_id, words, 1,
                          {"part": part, "offset": event["offset"], "producer": event["producer"]})


def part_of(event):
    return next(k for k, v in event.items() if isinstance(v, dict) and k != "claim")


def check_log(call):
    events, behind = fence.read(call.events)
    yield from check_utterances(call, events)
    yield from check_closing(call, events, behind)
