"""What the two simulators saw of the same calls, laid side by side."""
import bisect
import collections

DELTA_BYTES = 1600  # of the AI simulator's deltas: 200 ms


class Samples:
    """Milliseconds, sorted when asked for."""

    def __init__(self):
        self.values = []

    def add(self, us):
        self.values.append(us / 1000.0)

    def summary(self):
        if not self.values:
            return {"p50": None, "p99": None, "max": None}
        ordered = sorted(self.values)
        at = lambda share: ordered[min(len(ordered) - 1, int(share * len(ordered)))]  # noqa: E731
        return {"p50": round(at(0.5), 2), "p99": round(at(0.99), 2), "max": round(ordered[-1], 2)}


def pair(sent, received):
    """(sent, received) of the same text, each text's occurrences in order."""
    waiting = collections.defaultdict(collections.deque)
    for entry, text in received:
        waiting[text].append(entry)
    return [(entry, waiting[text].popleft() if waiting[text] else None) for entry, text in sent]


class Result:
    """Counts of a run, and delays within `window`, (from, to) in monotonic microseconds: while all
    calls talked."""

    def __init__(self, window):
        self.window = window
        self.calls = 0
        self.phrases_sent = self.phrases_heard = self.answers_sent = self.answers_heard = 0
        self.added_in, self.added_out = Samples(), Samples()
        self.first_out = Samples()  # of added_out, those of a sentence's first delta
        self.complaints = []
        self.dry_ms = 0

    def complain(self, call, text):
        self.complaints.append(f"{call['sid']}: {text}")

    def add(self, call, session):
        """A call's report and that of its AI session (None: there is none)."""
        self.calls += 1
        for error in call["errors"]:
            self.complain(call, f"error {error['code']} {error['message']}")
        if not session:
            self.complain(call, "no AI session heard its first sentence")
            session = {"heard": [], "said": []}
        self._add_phrases(call, session)
        self._add_answers(call, session)

    def _add_phrases(self, call, session):
        sent = [(s, s["phrase"]) for s in call["said"] if s["whole"]]
        heard = [(h, h["text"]) for h in session["heard"] if h["exact"]]
        for said, got in pair(sent, heard):
            self.phrases_sent += 1
            if said["lost_frames"] or not got:
                self.complain(call, f"\"{said['phrase']}\" at {said['start_ms']} ms was not heard, "
                                    f"{said['lost_frames']} frames had no stream")
                continue
            self.phrases_heard += 1
            self._sample(self.added_in, said["frames_us"][0], got["first_us"])
            self._sample(self.added_in, said["frames_us"][-1], got["last_us"])

    def _add_answers(self, call, session):
        sent = [(s, s["text"]) for s in session["said"] if s["spoken"] and s["status"] == "completed"]
        heard = [(h, h["phrase"]) for h in call["heard"] if h["exact"]]
        arrived = [rx_end for rx_end, _ in call["arrivals"]]
        for said, got in pair(sent, heard):
            self.answers_sent += 1
            if not got:
                self.complain(call, f"\"{said['text']}\" of the AI was not heard")
                continue
            self.answers_heard += 1
            self.dry_ms += got["dry_ms"]
            self._add_deltas(call, said, got, arrived)

    def _add_deltas(self, call, said, got, arrived):
        for k, sent_us in enumerate(said["deltas_us"]):
            last = min((k + 1) * DELTA_BYTES, got["bytes"]) - 1
            if last < k * DELTA_BYTES:
                break  # padding behind the sound
            at = bisect.bisect_right(arrived, got["rx_from"] + last)
            if at < len(arrived):
                self._sample(self.added_out, sent_us, call["arrivals"][at][1])
                if k == 0:
                    self._sample(self.first_out, sent_us, call["arrivals"][at][1])

    def _sample(self, samples, sent_us, got_us):
        if self.window[0] <= sent_us < self.window[1]:
            samples.add(got_us - sent_us)


def sessions_by_opening(sessions, opening_of):
    """Which session heard caller n's first sentence: {text: session}."""
    found = {}
    for session in sessions:
        for heard in session["heard"]:
            if heard["exact"] and heard["text"] in opening_of:
                found[heard["text"]] = session
    return found
