"""Words said and heard against words recorded."""
import dataclasses

from . import fence, told, truth, words
from .model import Finding

UNCLEAR = "unintelligible"
MARK_WORDS = 3  # what was heard of a cut sentence is known to 400 ms: a mark, and one on its way
AHEAD_WORDS = 4  # a successor reckons with the words of a draft, which run ahead of their sound
AHEAD_SHARE = 6  # and by the rate of the voice so far: sentences differ
MARK_MS = 400  # and what is said again when a line died: a mark, and one on its way
WORD_MS = 150  # the shortest


@dataclasses.dataclass
class Count:
    """Words of one call."""

    said: int = 0  # by the caller, and by the AI at the ear
    gap: int = 0
    again: int = 0  # of a sentence that was cut by a death and said again from its beginning


def clean(words_of_final):
    return [w for w in words_of_final if w != UNCLEAR]


class Words:
    """Both sides of one call: findings and a Count."""

    def __init__(self, call, said, heard, windows=()):
        self.call, self.said, self.heard = call, said, heard
        self.windows = windows  # of truth.gap_windows: the network may play on, and nobody of us knows
        events, _ = fence.read(call.events)
        self.finals = [f for f in told.finals(events) if f.event["leg"] == "caller"]
        self.count = Count()
        self.places = []  # (truth turn, final) that say the same

    def finding(self, kind, some, **evidence):
        return Finding(kind, self.call.call_id, " ".join(some), len(some), evidence)

    def check(self):
        found = [*self._check_caller(), *self._check_ai(), *self._check_order()]
        return found, self.count

    def unknown_ms(self, sentence):
        """For how much of a sentence at the ear no stream was open."""
        return sum(max(0, min(sentence.end_us, to_us) - max(sentence.start_us, from_us))
                   for from_us, to_us in self.windows) // 1000

    def is_played_on(self, rest):
        """The rest of a sentence that the network had played on while no stream was open."""
        return any(h.text == rest.text and h.end_us <= rest.start_us
                   and rest.size - rest.pieces[0][0] <= (MARK_MS + self.unknown_ms(h)) * 8
                   for h in self.heard if h is not rest and self.unknown_ms(h))

    def rests(self):
        """Of sentences that the network had played on: they were heard, and nobody of us knew."""
        return [h for h in self.heard if h.text and h.pieces[0][0] > 0 and self.is_played_on(h)]

    # ---- the caller ----

    def _check_caller(self):
        finals = [f for f in self.finals if f.speaker == "CUSTOMER"]
        self.count.said += sum(len(s.words) for s in self.said)
        match = words.match([s.words for s in self.said], [clean(f.words) for f in finals])
        self.places += [(self.said[i], finals[j]) for i, j in match.pairs]
        too_much = dict(match.left_told)
        for i, lost in match.left_said.items():
            phrase = self.said[i]
            if phrase.is_gap:
                self.count.gap += len(lost)
                continue
            elsewhere = next((j for j, told_ in too_much.items() if told_ == lost), None)
            if elsewhere is not None:
                del too_much[elsewhere]
                yield self.finding("word_misplaced", lost, speaker="CUSTOMER",
                                   offset=finals[elsewhere].event["offset"])
            else:
                yield self.finding("word_lost", lost, speaker="CUSTOMER", of=phrase.text,
                                   said_us=[phrase.start_us, phrase.end_us],
                                   finals=[f.text for f in finals])
        for j, some in too_much.items():
            was_said = any(words.is_run_of(some, s.words) for s in self.said)
            yield self.finding("word_doubled" if was_said else "word_invented", some,
                               speaker="CUSTOMER", offset=finals[j].event["offset"],
                               final=finals[j].text)
        yield from self._check_unclear(finals)

    def _check_unclear(self, finals):
        """Damaged sound comes of a gap only: two pieces each, before it and behind it."""
        unclear = [f for f in finals if UNCLEAR in f.words]
        allowed = 2 * sum(s.is_gap for s in self.said)
        for final in unclear[allowed:]:
            yield self.finding("word_invented", [UNCLEAR], speaker="CUSTOMER", final=final.text,
                               offset=final.event["offset"])

    # ---- the AI ----

    def _check_ai(self):
        finals = [f for f in self.finals if f.speaker == "AI"]
        rests = self.rests()
        known = [h for h in self.heard if h.text and h not in rests]
        yield from self._check_sound()
        self.count.said += sum(len(h.words) for h in known)
        self.count.again += sum(len(h.words) for h in rests)
        match = words.match([h.words for h in known], [f.words for f in finals])
        self.places += [(known[i], finals[j]) for i, j in match.pairs]
        too_much = dict(match.left_told)
        for i, lost in match.left_said.items():
            yield from self._unrecorded(known, i, lost, too_much, finals)
        for j, some in too_much.items():
            final = finals[j]
            cut = final.utterance["interrupted"] or any(not h.is_whole for h in known)
            if not (cut and len(some) <= max(AHEAD_WORDS, len(final.words) // AHEAD_SHARE)):
                yield self.finding("answer_not_at_ear", some, final=final.text,
                                   offset=final.event["offset"])
        self.count.again += sum(
            len(a.words) for a, b in zip(known, known[1:])
            if not a.is_whole and a.text == b.text and b.pieces[0][0] == 0)

    def _unrecorded(self, known, i, lost, too_much, finals):
        """The ear heard what no final has."""
        sentence = known[i]
        unknown_ms = self.unknown_ms(sentence)
        is_cut = not sentence.is_whole or len(sentence.pieces) > 1
        if is_cut and len(lost) <= MARK_WORDS:
            return
        if unknown_ms and len(lost) <= MARK_WORDS + unknown_ms // WORD_MS:
            self.count.gap += len(lost)
            return
        if self.is_played_on(sentence) or self._is_of_its_beginning(sentence, lost):
            self.count.again += len(lost)
            return
        elsewhere = next((j for j, told_ in too_much.items() if told_ == lost), None)
        if elsewhere is not None:
            del too_much[elsewhere]
            yield self.finding("word_misplaced", lost, speaker="AI",
                               offset=finals[elsewhere].event["offset"])
        elif any(h is not sentence and h.text == sentence.text for h in known):
            yield self.finding("word_doubled", lost, speaker="AI", at="ear", of=sentence.text,
                               heard_us=[sentence.start_us, sentence.end_us])
        else:
            yield self.finding("word_lost", lost, speaker="AI", of=sentence.text,
                               heard_us=[sentence.start_us, sentence.end_us],
                               finals=[f.text for f in finals])

    def _is_of_its_beginning(self, sentence, lost):
        """The same words were heard before it, of a beginning that was cut so soon that no mark told."""
        return len(lost) <= MARK_WORDS and any(
            h.text == sentence.text and not h.is_whole and h.words == lost for h in self.heard)

    def _check_sound(self):
        for h in self.heard:
            if not h.text:
                yield self.finding("sound_unknown", [], heard_us=[h.start_us, h.end_us])
            elif h.pieces[0][0] > 0 and self.is_played_on(h):
                continue
            elif h.pieces[0][0] > 0:
                yield self.finding("answer_not_at_ear", truth.words_of(h.text), of=h.text,
                                   why="only its rest was heard", pieces=h.pieces, size=h.size)
            elif h.skipped_ms():
                yield self.finding("answer_not_at_ear", truth.words_of(h.text), of=h.text,
                                   why="a part was left out", pieces=h.pieces, size=h.size)
            elif h.repeated_ms() > MARK_MS + self.unknown_ms(h):
                yield self.finding("word_doubled", truth.words_of(h.text), of=h.text, at="ear",
                                   why="goes on before where it was cut", pieces=h.pieces,
                                   size=h.size)

    # ---- order ----

    def _check_order(self):
        """Of turns that stand whole on both sides: one that ended before another began is before it."""
        at = sorted(self.places, key=lambda p: p[1].event["offset"])
        for (a, f), (b, g) in zip(at, at[1:]):
            if b.end_us <= a.start_us:
                yield self.finding("word_misplaced", b.words, offset=g.event["offset"],
                                   behind=f.text, speaker=b.speaker)
