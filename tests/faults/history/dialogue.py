"""Whether each turn of the caller has one answer: at the ear, and in the log."""
import collections
import re

from . import fence, told, truth
from .model import Finding

NOT_UNDERSTOOD = "I am sorry, I did not understand that."
STILL_THERE = "Are you still there?"
MASK = re.compile(r"\[[A-Z_]+_\d+\]")
PROMPT_US = 8_000_000  # who asks whether somebody is there has waited so long
PATIENCE_US = 5_000_000  # who hangs up sooner did not want an answer


def blocks(said, heard):
    """[(phrase or None, what the AI began to say behind it, and before the next one)]"""
    found = [(None, [])]
    for turn in truth.in_order(said, heard):
        if turn.speaker == "CUSTOMER":
            found.append((turn, []))
        else:
            found[-1][1].append(turn)
    return found


class Dialogue:
    """One call at the ear."""

    def __init__(self, call, history, said, heard):
        self.call, self.answers = call, history.answers
        self.blocks = blocks(said, heard)
        self.ended_us = call.report["created_us"] + (call.report["ended_ms"] or 0) * 1000

    def finding(self, kind, phrase, sentence, **evidence):
        to = phrase.text if phrase else None
        return Finding(kind, self.call.call_id, sentence, 1, {"to": to, "at": "ear", **evidence})

    def parts(self, phrase):
        return self.answers.get(phrase.text, {}).get("parts") if phrase else None

    def check(self):
        for i, (phrase, spoken) in enumerate(self.blocks):
            yield from self._check_twice(i, phrase, spoken)
            yield from self._check_unasked(i, phrase, spoken)
            if phrase and not phrase.is_gap and self.parts(phrase):
                yield from self._check_missing(i, phrase, spoken)

    def _check_twice(self, i, phrase, spoken):
        whole = collections.Counter(h.text for h in spoken if h.is_whole and h.text)
        for text, n in whole.items():
            if n > 1 and not self._tells_of_gap(i, text):
                yield self.finding("turn_answered_twice", phrase, text, times=n)
        finished = set()  # and one that begins again behind its own end
        for h in spoken:
            if h.is_whole:
                finished.add(h.text)
            elif h.text in finished and not self._tells_of_gap(i, h.text):
                yield Finding("word_doubled", self.call.call_id, h.heard_text, len(h.words),
                              {"at": "ear", "of": h.text, "why": "begins again behind its end"})

    def _tells_of_gap(self, i, text):
        """Each fragment that a gap leaves may be answered by this."""
        return text == NOT_UNDERSTOOD and any(p and p.is_gap for p, _ in self.blocks[max(0, i - 1):i + 1])

    def _check_unasked(self, i, phrase, spoken):
        """Whole sentences that belong to another turn, or to none."""
        parts = self.parts(phrase)
        if not parts or phrase.is_gap:
            return
        earlier = {part for p, _ in self.blocks[1:i] for part in self.parts(p) or ()}
        prompts = are_prompts([(h.text, h.is_whole, h.start_us, h.end_us) for h in spoken], phrase.end_us)
        for h, is_prompt in zip(spoken, prompts):
            if not h.is_whole or h.text in parts or not h.text:
                continue
            if h.text in earlier:
                if not self._late(i, h.text):
                    yield self.finding("turn_answered_twice", phrase, h.text, why="answered before")
            elif is_prompt:
                pass
            elif self._tells_of_gap(i, h.text):
                pass
            else:
                yield self.finding("answer_unasked", phrase, h.text)

    def _late(self, i, text):
        """It answers an earlier phrase that had no answer before."""
        for p, spoken in self.blocks[1:i]:
            if text in (self.parts(p) or ()) and not any(h.text == text and h.is_whole for h in spoken):
                return True
        return False

    def _check_missing(self, i, phrase, spoken):
        is_last = i + 1 == len(self.blocks)
        until_us = self.ended_us if is_last else self.blocks[i + 1][0].start_us
        whole = {h.text for h in spoken if h.is_whole}
        whole |= {h.text for _, more in self.blocks[i + 1:] for h in more if h.is_whole}
        for part in self.parts(phrase):
            if part in whole or self._ended_by_ai(is_last):
                continue
            # Who speaks or hangs up so soon does not want to hear it, or no more of it.
            began = [h.end_us for h in spoken if h.text == part]
            last_us = max([phrase.end_us, *began])
            if until_us - last_us >= PATIENCE_US:
                yield self.finding("answer_missing", phrase, part,
                                   waited_ms=(until_us - last_us) // 1000,
                                   heard=[h.heard_text for h in spoken])

    def _ended_by_ai(self, is_last):
        return is_last and truth.ended_how(self.call) != "caller"


def pattern(text):
    """A regular expression for the words of a final; a mask stands for any."""
    return ".+?".join(re.escape(piece) for piece in MASK.split(text.strip()))


def is_part_of(text, whole):
    """Its beginning, or its end."""
    return bool(re.match(pattern(text), whole) or re.search(pattern(text) + "$", whole))


def is_all_of(text, whole):
    """A mask at its end is taken for a part: nobody knows how much it hides."""
    return bool(re.fullmatch(pattern(text), whole)) and not re.search(MASK.pattern + "$", text)


def is_part_of_one(texts, answers):
    """These finals are one answer: its sentences, its two halves, or a cut beginning and all of it."""
    candidates = [answer["parts"] for answer in answers.values()] + [[max(texts, key=len)]]
    for parts in candidates:
        if all(any(is_part_of(t, p) for p in parts) for t in texts):
            whole = [p for t in texts for p in parts if is_all_of(t, p)]
            return len(whole) == len(set(whole))
    return False


def is_cut(final):
    return final.utterance["interrupted"]


def are_prompts(spoken, quiet_from_us):
    """Of each sentence (text, is_whole, start_us, end_us): was it asked into a long silence? Then it
    answers nothing. One that a death cut off does not break the silence: it is asked again."""
    prompts = []
    for text, is_whole, start_us, end_us in spoken:
        prompts.append(text == STILL_THERE and start_us - quiet_from_us >= PROMPT_US)
        if is_whole or not (text and is_part_of(text, STILL_THERE)):
            quiet_from_us = end_us
    return prompts


def check_answers_in_log(call, history, said):
    """Two answers to one position of the caller; a sentence more often than it was asked for."""
    events, _ = fence.read(call.events)
    spoken = [f for f in told.finals(events) if f.speaker == "AI" and f.text.strip()]
    prompts = are_prompts([(f.text, not is_cut(f), f.utterance["start_ms"] * 1000,
                            f.utterance["end_ms"] * 1000) for f in spoken], 0)
    by_position = collections.defaultdict(list)
    for final, is_prompt in zip(spoken, prompts):
        if final.answers_to and not is_cut(final) and not is_prompt:
            by_position[final.answers_to].append(final)
    twice = set()
    for position, group in by_position.items():
        texts = [f.text for f in group]
        if len(group) > 1 and not is_part_of_one(texts, history.answers):
            twice.update(texts)
            yield Finding("turn_answered_twice", call.call_id, texts[-1], 1,
                          {"at": "log", "answers_to": position, "answers": texts})
    asked = collections.Counter(p for s in said for p in history.answers.get(s.text, {}).get("parts", ()))
    for text, n in collections.Counter(f.text for f in spoken).items():
        if text in asked and n > max(1, asked[text]) and text not in twice:
            yield Finding("turn_answered_twice", call.call_id, text, n - asked[text],
                          {"at": "log", "asked": asked[text], "finals": n})


def check_dialogue(call, history, said, heard):
    at_ear = list(Dialogue(call, history, said, heard).check())
    yield from at_ear
    known = {f.words for f in at_ear if f.kind == "turn_answered_twice"}
    yield from (f for f in check_answers_in_log(call, history, said) if f.words not in known)
