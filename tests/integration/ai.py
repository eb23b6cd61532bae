"""The AI simulator, and a client of its WebSocket that hides nothing."""
import base64
import contextlib
import functools
import json
import os
import subprocess
import tempfile
import time

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

import support
from stack.wait import wait_for

KEY = "sk-simulated"
PHRASES = f"{support.ROOT}/tests/sim/phrases.txt"
SPEECH_CACHE = f"{support.ROOT}/build/speech"
MODEL = "gpt-realtime-2.1"
FRAME = 160  # 20 ms
TIMEOUT_S = 30.0


@functools.cache
def sound(text, voice="caller"):
    """The µ-law bytes that the simulators send for a text."""
    words = ["--ai"] if voice == "ai" else []
    with tempfile.NamedTemporaryFile() as file:
        support.run(f"{support.bin_folder()}/trunkline-sim-say", *words, text, file.name)
        return file.read()


def silence(milliseconds):
    return b"\xff" * (milliseconds * 8)


def telephony(**more):
    """`session` of a call: µ-law both ways; `more` are members beside audio."""
    turn = more.pop("turn_detection", {"type": "server_vad", "silence_duration_ms": 300})
    transcription = more.pop("transcription", {"model": "gpt-realtime-whisper"})
    return {"type": "realtime", **more,
            "audio": {"input": {"format": {"type": "audio/pcmu"}, "turn_detection": turn,
                                "transcription": transcription},
                      "output": {"format": {"type": "audio/pcmu"}, "voice": "marin"}}}


class Talk:
    """A WebSocket of /v1/realtime. `seen` has every event that came."""

    def __init__(self, ai, model=MODEL, key=KEY, headers=None):
        self.ai = ai
        self.seen = []
        self.at = 0  # the first event that no wait has passed yet
        self.socket = connect(f"{ai.ws}/v1/realtime?model={model}", max_size=None,
                              additional_headers={"Authorization": f"Bearer {key}",
                                                  **(headers or {})})
        self.id = None

    def send(self, kind, **members):
        self.socket.send(json.dumps({"type": kind, **members}))

    def _next(self, deadline):
        event = json.loads(self.socket.recv(timeout=max(0.0, deadline - time.monotonic())))
        self.seen.append(event)

    def wait(self, kind, which=lambda event: True):
        """The next event of that type (and that fits), from where the last wait ended."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            while self.at < len(self.seen):
                event = self.seen[self.at]
                self.at += 1
                if event["type"] == kind and which(event):
                    return event
            try:
                self._next(deadline)
            except (TimeoutError, ConnectionClosed) as e:
                raise AssertionError(f"no {kind}: {e!r}; came {self.types()}") from e

    def wait_closed(self):
        """Read on to the end; returns the close code (1006: no close frame)."""
        deadline = time.monotonic() + TIMEOUT_S
        try:
            while True:
                self._next(deadline)
        except ConnectionClosed as e:
            return e.rcvd.code if e.rcvd else 1006

    def types(self):
        return [event["type"] for event in self.seen]

    def created(self):
        """Wait for the server's greeting; returns the session."""
        session = self.wait("session.created")["session"]
        self.id = session["id"]
        return session

    def update(self, session):
        self.send("session.update", session=session)
        return self.wait("session.updated")["session"]

    def refused(self, kind, code, param=None, **members):
        """Send an event that is refused with that code."""
        event_id = f"mine-{len(self.seen)}"
        self.send(kind, event_id=event_id, **members)
        error = self.wait("error")["error"]
        assert (error["code"], error["event_id"]) == (code, event_id), error
        if param:
            assert error["param"] == param, error
        return error

    def append(self, audio):
        """Send sound as telephony does, a frame an event, but as fast as it goes."""
        for at in range(0, len(audio), FRAME):
            self.send("input_audio_buffer.append",
                      audio=base64.b64encode(audio[at:at + FRAME]).decode())

    def say(self, text):
        """Speak a phrase and then be silent for longer than a turn."""
        self.append(silence(200) + sound(text) + silence(500))

    def answer(self):
        """Wait for the response that comes now; returns (words, sound, response)."""
        begin = len(self.seen)
        done = self.wait("response.done")["response"]
        mine = [e for e in self.seen if e.get("response_id") == done["id"]]
        assert begin <= len(self.seen)
        words = "".join(e["delta"] for e in mine
                        if e["type"] == "response.output_audio_transcript.delta")
        heard = b"".join(base64.b64decode(e["delta"]) for e in mine
                         if e["type"] == "response.output_audio.delta")
        return words, heard, done

    def item(self, role, text, **more):
        kind = "output_text" if role == "assistant" else "input_text"
        return {"type": "message", "role": role, "content": [{"type": kind, "text": text}], **more}

    def report(self):
        return self.ai.report(self.id)

    def close(self):
        self.socket.close()


class Ai:
    """An AI simulator of its own, without the delays that no test is about."""

    def __init__(self, *arguments):
        os.makedirs(os.path.dirname(SPEECH_CACHE), exist_ok=True)
        argv = [f"{support.bin_folder()}/trunkline-sim-openai", "--api-key", KEY,
                "--phrases", PHRASES, "--speech-cache", SPEECH_CACHE, "--session-delay-ms", "1",
                "--create-delay-ms", "1", "--first-audio-delay-ms", "10",
                "--transcript-delay-ms", "5", "--speed", "20", *arguments]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        ports = json.loads(self.process.stdout.readline())
        self.port = ports["listening"]
        self.ws = f"ws://127.0.0.1:{self.port}"
        self.rest = f"http://127.0.0.1:{self.port}"
        self.control = f"http://127.0.0.1:{ports['control']}"
        self.talks = []

    def talk(self, session=None, **more):
        """A session that has been greeted and, with `session`, set up."""
        talk = Talk(self, **more)
        self.talks.append(talk)
        talk.created()
        if session:
            talk.update(session)
        return talk

    def ask(self, method, path, body=None, want=200):
        status, text = support.request(method, self.control + path, body)
        assert status == want, f"{method} {path}: {status} {text}"
        return json.loads(text)

    def report(self, session_id):
        return self.ask("GET", f"/sessions/{session_id}")

    def fault(self, kind, **more):
        return self.ask("POST", "/faults", {"kind": kind, **more})

    def post(self, path, body, key=KEY):
        status, text = support.request("POST", self.rest + path, body,
                                       {"Authorization": f"Bearer {key}"})
        return status, text

    def stop(self):
        for talk in self.talks:
            talk.close()
        self.process.terminate()
        status = self.process.wait(30)
        self.process.stdout.close()
        assert status == 0, f"the simulator ended with {status}"


@contextlib.contextmanager
def simulator(*arguments):
    ai = Ai(*arguments)
    try:
        yield ai
    finally:
        ai.stop()


def wait_report(talk, fits, what):
    """The session's report, as soon as fits(report)."""
    wait_for(lambda: fits(talk.report()), what, TIMEOUT_S)
    return talk.report()
