"""Names the sound at the ear that is neither a sentence nor its beginning: an answer that was cut by a
death goes on where it was cut, so its rest arrives by itself. µ-law travels unchanged, so the rest is
told by its exact bytes, as everything at the ear."""
import functools
import hashlib
import re
import subprocess

FRAME = 160  # bytes
STEP = 8  # a cut sentence goes on at a millisecond of its sound
SILENCE = b"\xff"
ALWAYS = ("I am sorry, I did not understand that.", "Are you still there?", "All right, that is done.")


@functools.lru_cache(maxsize=None)
def spoken(program, text):
    """The AI's sound of a text, without the silence behind it."""
    done = subprocess.run([program, "--ai", text, "-"], stdout=subprocess.PIPE, check=True)
    return done.stdout.rstrip(SILENCE)


def place(sound, size, sha1, step, near=0):
    """Where in `sound` the piece begins: a part of it, or its rest with silence behind; else None. Short
    ones fit in several places: that nearest to `near` is taken. The ear leaves out silence before sound,
    be it a byte."""
    for at in sorted(range(0, len(sound), step), key=lambda at: abs(at - near)):
        while at < len(sound) and sound[at] == SILENCE[0]:
            at += 1
        piece = sound[at:at + size]
        if size - len(piece) >= FRAME:
            continue
        if hashlib.sha1(piece + SILENCE * (size - len(piece))).hexdigest() == sha1:
            return at
    return None


def name_pieces(heard, sound_of):
    """Writes phrase, from_bytes and of_bytes into the entries of a report's `heard` that are parts of
    sentences. `sound_of`: {text: bytes} of what may have been said."""
    last, end = None, 0  # the sentence before, which it most likely is the rest of, and its last byte
    for entry in sorted(heard, key=lambda h: h["rx_from"]):
        if entry["phrase"] is None:
            tries = [(last, STEP, end)] if last in sound_of else []
            for text, step, near in [*tries, *((text, FRAME, 0) for text in sound_of)]:
                at = place(sound_of[text], entry["bytes"], entry["sha1"], step, near)
                if at is not None:
                    entry.update(phrase=text, voice="ai", from_bytes=at, of_bytes=len(sound_of[text]))
                    break
        elif not entry["exact"] and entry["voice"] == "ai" and entry["phrase"] in sound_of:
            entry["of_bytes"] = len(sound_of[entry["phrase"]])
        if entry["voice"] == "ai":
            last, end = entry["phrase"], entry.get("from_bytes", 0) + entry["bytes"]


def texts_of(reports, answers):
    """What the AI may have said in these calls."""
    texts = [part for answer in answers.values() for part in answer["parts"]]
    texts += [h["phrase"] for r in reports for h in r["heard"] if h["phrase"] and h["voice"] == "ai"]
    return dict.fromkeys([*texts, *ALWAYS])


def resolve(reports, answers, program):
    """name_pieces of all reports that need it."""
    cut = [r for r in reports if any(not h["exact"] for h in r["heard"])]
    if cut:
        sound_of = {text: spoken(program, text) for text in texts_of(reports, answers)
                    if re.search(r"\w", text)}
        for report in cut:
            name_pieces(report["heard"], sound_of)
