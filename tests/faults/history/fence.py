"""Which events of a call count, as an analyst reads calls.v1: by the rule that the design documents
("Claims and the fence"), written down here a second time and not taken from lib/call.

    Keep one value per leg, the highest claim seen on any event; drop events of lower ones.
    Events without a claim always pass. Events of ingest (given, stream_ended) carry the attachment
    alone: they pass at the highest attachment or above it and do not raise it. A tool_result counts
    when its intent does; the first one counts. Nothing counts behind the first closed that counts.
    A record that stands twice (one event id) is one record.
"""


def claim_of(event):
    """(number, offset, session): tuples compare as claims do."""
    claim = event["claim"]
    return (claim["number"], claim["offset"], claim["session"])


class Fence:
    """What a reader keeps of one call."""

    def __init__(self):
        self.highest = {}  # leg: claim
        self.holder = {}  # leg: (producer, epoch) that was seen under that claim
        self.intents = {}  # intent id: whether it has its result
        self.seen = set()  # event ids
        self.closed = False

    def passes(self, event):
        """True when the event counts; `closed` behind `closed` is asked as if the first were not."""
        if event["event_id"] in self.seen:
            return False
        if not self._passes(event):
            return False
        self.seen.add(event["event_id"])
        if event.get("tool_intent"):
            self.intents.setdefault(event["tool_intent"]["intent_id"], False)
        for intent in (event.get("checkpoint") or {}).get("open_intents", ()):
            self.intents.setdefault(intent["intent_id"], False)
        return True

    def _passes(self, event):
        if event.get("tool_result"):
            intent_id = event["tool_result"]["intent_id"]
            if self.intents.get(intent_id, True):  # not counted, or has its result
                return False
            self.intents[intent_id] = True
            return True
        if not event.get("claim"):
            return True
        leg, claim = event["leg"], claim_of(event)
        highest = self.highest.get(leg)
        if event.get("given") or event.get("stream_ended"):
            return highest is None or claim[:2] >= highest[:2]
        if highest is not None and claim < highest:
            return False
        who = (event["producer"], event["epoch"])
        if claim == highest and self.holder[leg] != who:
            return False
        self.highest[leg], self.holder[leg] = claim, who
        return True


def read(events):
    """Splits the events of one call, in the order of the log: (those that count, those behind the
    first closed that would have counted without it)."""
    fence = Fence()
    counting, behind = [], []
    for event in events:
        if not fence.passes(event):
            continue
        (behind if fence.closed else counting).append(event)
        fence.closed = fence.closed or bool(event.get("closed"))
    return counting, behind
