"""What was said and heard, from the telephone simulator's report: phrases of the caller, sentences at
the ear, and what nobody could have recorded."""
import dataclasses
import re

GAP_BEFORE_US = 100_000  # sound of the last moment before a death lay in the dead process
BYTE_US = 125
FRAME_BYTES = 160
NEVER = 1 << 62


def words_of(text):
    """Lower case, without punctuation; masks such as [CARD_1] stay whole."""
    return [w if w[0] == "[" else w.lower() for w in re.findall(r"\[[A-Z_]+_\d+\]|[\w']+", text)]


@dataclasses.dataclass
class Said:
    """A phrase of the caller."""

    text: str
    start_us: int
    end_us: int
    is_gap: bool  # a part of it cannot be in the log
    dry_us = 0
    speaker = "CUSTOMER"

    @property
    def words(self):
        return words_of(self.text)


@dataclasses.dataclass
class Heard:
    """A sentence of the AI at the caller's ear, in one piece or, where the line died, in several."""

    text: str  # of the whole sentence; None: unknown sound
    start_us: int
    end_us: int
    pieces: list  # [(from, to)] in bytes of the sentence's sound
    size: int  # of all of it, bytes
    dry_us: int = 0  # silence within its first piece: it began so much before start_us
    speaker = "AI"
    is_gap = False

    @property
    def is_whole(self):
        """From its first byte to its last, with nothing left out."""
        at = 0
        for begin, end in self.pieces:
            if begin - at >= FRAME_BYTES:
                return False
            at = max(at, end)
        return at >= self.size

    @property
    def heard_text(self):
        """Of a cut one the words that were heard to their end, as the simulators reckon."""
        if not self.text or self.is_whole:
            return self.text or ""
        return text_to(self.text, self.pieces[-1][1], self.size)

    @property
    def words(self):
        return words_of(self.heard_text)

    def repeated_ms(self):
        """Sound that was heard twice where a piece goes on before the one before it ended: the most of
        any break. (Where so short a piece as 100 ms lies in the sentence its bytes do not tell.)"""
        return max([0, *(a[1] - b[0] for a, b in zip(self.pieces, self.pieces[1:])
                         if b[1] - b[0] > 800)]) // 8

    def skipped_ms(self):
        """Sound left out between pieces. (Less than a frame was silence, which is not told.)"""
        holes = [b[0] - a[1] for a, b in zip(self.pieces, self.pieces[1:])]
        return sum(hole for hole in holes if hole >= FRAME_BYTES) // 8


def text_to(text, size, of):
    if size >= of:
        return text
    return text[:len(text) * size // of + 1].rpartition(" ")[0]


# ---- the line ----

def streams(call):
    """Its media streams: [{"sid", "from_us", "to_us", "died"}] in order; died: it did not end as streams
    should, so that what was sent last is lost."""
    created = call.report["created_us"]
    return [{"sid": s["stream_sid"], "from_us": created + s["started_ms"] * 1000,
             "to_us": created + s["closed_ms"] * 1000, "died": s["abrupt"] and not s["by_network"]}
            for s in call.report["streams"] if s["started_ms"] >= 0]


def ingest_of_stream(call):
    """{stream SID: name of the ingest that held it}"""
    return {given["stream_sid"]: f"ingest-{given['ingest']}" for event in call.events
            for given in [event.get("given") or event.get("session_started")] if given}


def gap_windows(call, faults):
    """[(from, to)] in which a frame of the caller may be lost for everybody: from 100 ms before the
    death of the ingest that held the stream to the start of the next stream."""
    held_by = ingest_of_stream(call)
    windows, line = [], streams(call)
    for i, stream in enumerate(line):
        victim = held_by.get(stream["sid"])
        hits = [f for f in faults if stream["from_us"] <= f.at_us <= stream["to_us"]
                and (victim in f.victims or call.call_id in (f.calls or ()) and takes_the_line(f))]
        deaths = [f.at_us for f in hits] + ([stream["to_us"]] if stream["died"] else [])
        if i + 1 < len(line):
            until = line[i + 1]["from_us"]
        else:  # it went on, when what held it did
            until = NEVER if stream["died"] else max((f.over_us or NEVER for f in hits), default=0)
        if deaths:
            windows.append((min(deaths) - GAP_BEFORE_US, until))
    return windows


def takes_the_line(fault):
    """Whether it touches the telephone's socket."""
    return fault.kind in ("ingest", "machine", "socket")


def said(call, faults):
    """The caller's phrases in order."""
    windows = gap_windows(call, faults)

    def in_gap(line):
        frames = line.get("frames_us") or range(line["start_us"], line["end_us"] + 1, 20_000)
        return (line["lost_frames"] > 0 or not line["whole"]
                or any(a <= frame <= b for a, b in windows for frame in frames))

    return [Said(line["phrase"], line["start_us"], line["end_us"], in_gap(line))
            for line in call.report["said"]]


# ---- the ear ----

def piece_of(entry):
    """An entry of `heard` as a Heard of one piece. Its beginning is reckoned from its end: sound
    that came between silences without being known is told in one run with what follows it."""
    begin = entry.get("from_bytes", 0)
    size = entry["bytes"] if entry["exact"] else entry.get("of_bytes", begin + entry["bytes"] + 1)
    end = min(size, begin + entry["bytes"])
    return Heard(entry["phrase"], entry["end_us"] - entry["bytes"] * BYTE_US, entry["end_us"],
                 [(begin, end)], size, 0 if begin or entry["exact"] else entry["dry_ms"] * 1000)


def goes_on(cut, rest):
    """Two sentences may begin alike, and a cut one be taken for the other."""
    return (not cut.is_whole and len(cut.pieces) == 1 and rest.pieces[0][0] > 0
            and abs(cut.pieces[0][1] - rest.pieces[0][0]) < FRAME_BYTES)


def heard(call):
    """The AI's sentences at the ear, in order; the rest of a cut one joined to its beginning."""
    found = []
    for entry in sorted(call.report["heard"], key=lambda h: h["rx_from"]):
        if entry["voice"] == "caller":
            continue
        piece = piece_of(entry)
        last = next((h for h in reversed(found) if h.text == piece.text), None)
        before = found[-1] if found else None
        if piece.text and not last and before and goes_on(before, piece):
            before.text, before.size = piece.text, piece.size
            last = before
        if piece.text and piece.pieces[0][0] > 0 and last and not last.is_whole:
            last.pieces += piece.pieces
            last.end_us = piece.end_us
        else:
            found.append(piece)
    return found


def in_order(said_, heard_):
    """Both sides as one conversation."""
    return sorted([*said_, *heard_], key=lambda turn: turn.start_us - turn.dry_us)


# ---- the end ----

def ended_how(call):
    """'caller' (hung up), 'rest' (we asked for it), 'twiml' (a document came to its end), None: it
    lives."""
    if call.report["ended_ms"] is None:
        return None
    names = [line["event"] for line in call.network]
    if "hung_up" in names:
        return "caller"
    if any(line["event"] == "rest.update" and line.get("status") for line in call.network):
        return "rest"
    return "twiml"
