"""Businesses, callers and the AI service, as the tests of whole calls use them."""
import base64
import hashlib
import hmac
import http.client
import itertools
import json
import ssl
import urllib.parse

import support
from support import wait_for

GREETING = "Thank you for calling Harbour Lamps. How can I help you?"
HANG_UP = {"hangup": True}

callers = itertools.count(1)  # each call has a caller of its own: "+1415" and its number


def answer(phrase):
    """The spoken words that the phrase file answers, function calls aside."""
    with open(f"{support.ROOT}/tests/sim/phrases.txt") as file:
        for line in file:
            said, bar, back = line.partition(" | ")
            if bar and said == phrase:
                while "[tool " in back:
                    head, _, tail = back.partition("[tool ")
                    back = head + tail.partition("]")[2]
                return " ".join(back.split())
    raise KeyError(phrase)


def talk(*sentences, end=HANG_UP):
    """A script: each sentence behind an answer, and the end behind the last one's."""
    steps = []
    for sentence in sentences:
        steps += [{"wait_answer": True}, {"say": sentence}]
    return steps + [{"wait_answer": True}] + ([end] if end else [])


# ---- businesses ----

def apply_business(stack, name, number=None, **sections):
    """A business like the demonstration's, on a number of its own; every process knows it then.
    `sections` as in its file, each over the demonstration's; returns the number."""
    index = len(stack.__dict__.setdefault("businesses", {}))
    number = number or stack.businesses.get(name) or f"+1555020{index:04d}"
    stack.businesses[name] = number
    config = {"business": {"id": name, "name": name, "numbers": [number]},
              "ai": {"greeting": GREETING, "instructions": "You talk to {from_number}."},
              "silence": {"prompt": "15s", "end": "60s"}}
    for section, rows in sections.items():
        config[section] = {**config.get(section, {}), **rows}
    stack.trunkline("config", "apply", "-", text_in=json.dumps(config, indent=1))  # JSON is YAML
    wait_configured(stack)
    return number


def wait_configured(stack):
    """Until all of ingest and conversation have read config.v1 to its present end."""
    written = len(stack.records("config.v1"))

    def read(name):
        rows = stack.metrics(name)
        return next((v for k, v in rows.items()
                     if k.startswith("trunkline_kafka_received_records_total") and '"config"' in k), 0)

    for name in stack.services:
        if name.startswith(("ingest", "conversation")) and stack.processes.pid(name):
            wait_for(lambda: read(name) >= written, f"{name} reads the configuration")


def public_url(stack):
    return stack.layout.public_url


def place(stack, script, number=None, **more):
    """A call by a caller of its own, to a business of apply_business or the demonstration's."""
    urls = {}
    if number:
        base = public_url(stack) + "/twilio/"
        urls = {"to": number, "voice_url": base + "voice", "status_url": base + "status",
                "fallback_url": base + "fallback"}
    caller = f"+1415{next(callers):07d}"
    call = stack.place_call(script, **{"from": caller, **urls, **more})
    call.caller = more.get("from", caller)
    return call


def network(stack, method, path, body=None):
    """Control API of the telephone simulator."""
    status, text = support.request(method, stack.control_url + path, body)
    assert status in (200, 201, 202, 204), f"{path}: {status} {text}"
    return json.loads(text) if text else None


def known(stack, *sentences):
    """Let the telephone simulator's ear know what the AI is going to say."""
    for sentence in sentences:
        network(stack, "POST", "/phrases", {"text": sentence, "voice": "ai"})


def hurt(call, **fault):
    """A fault of the call's stream."""
    network(call.stack, "POST", f"/calls/{call.sid}/faults", fault)


# ---- what became of a call ----

def utterances(call):
    return [e["utterance"] for e in call.events() if e["utterance"]]


def finals(call):
    return [u for u in utterances(call) if u["final"]]


def words(call):
    """(speaker, text) of every final."""
    return [(u["speaker"], u["text"]) for u in finals(call)]


def heard(report, exact=True):
    return [h["phrase"] for h in report["heard"] if h["exact"] or not exact]


def conversation_of(call):
    """Which conversation holds it: its newest session_started."""
    sessions = [e for e in call.events() if e["session_started"]]
    return f"conversation-{sessions[-1]['session_started']['mailbox']}"


def ingest_of(call):
    sessions = [e for e in call.events() if e["session_started"]]
    return f"ingest-{sessions[-1]['session_started']['ingest']}"


# ---- the AI service ----

def service(stack, method, path, body=None):
    """Control API of the AI simulator."""
    port = stack.services["sim-openai"].port
    status, text = support.request(method, f"http://127.0.0.1:{port}{path}", body)
    assert status == 200, f"{path}: {status} {text}"
    return json.loads(text)


def sessions(call):
    """The AI sessions of a call, oldest first. Its business must be of apply_business: its
    instructions name the caller."""
    def of_call(session):
        return call.caller in session["instructions"]

    everything = service(call.stack, "GET", "/sessions?full=1")["sessions"]
    return sorted(filter(of_call, everything), key=lambda s: s["opened_us"])


def open_session(call):
    """The call's AI session, once it has one."""
    return wait_for(lambda: next((s for s in sessions(call) if s["is_open"]), None),
                    f"AI session of {call.sid}")


def break_session(call, kind, **more):
    """A fault of the call's present AI session; returns the session."""
    session = open_session(call)
    service(call.stack, "POST", "/faults", {"kind": kind, "scope": {"session": session["id"]}, **more})
    return session


def given_texts(session):
    """The words of the items that the session was given, as in replayed history."""
    return [part.get("text") for item in session["items"] for part in item.get("content", [])]


# ---- webhooks that the test sends itself ----

class Webhooks:
    """A client that signs as the telephone network does. One connection: one ingest."""

    def __init__(self, stack):
        self.stack = stack
        self.base = public_url(stack)
        self.token = stack.env["TWILIO_AUTH_TOKEN"]
        self.connection = None

    def signature(self, path, form, scheme="https"):
        url = urllib.parse.urlsplit(self.base)
        host = url.netloc if scheme == "wss" else url.hostname  # of web pages the port is left out
        text = f"{scheme}://{host}{path}" + "".join(k + form[k] for k in sorted(form))
        digest = hmac.new(self.token.encode(), text.encode(), hashlib.sha1).digest()
        return base64.b64encode(digest).decode()

    def connect(self):
        if not self.connection:
            url = urllib.parse.urlsplit(self.base)
            trust = ssl.create_default_context(cafile=self.stack.layout.credentials.ca)
            self.connection = http.client.HTTPSConnection(url.hostname, url.port, timeout=30.0,
                                                          context=trust)
        return self.connection

    def send(self, method, path, body=b"", headers=None):
        """As it is; returns (status, text). A connection that the server closed is opened again."""
        try:
            return self._send(method, path, body, headers)
        except (http.client.HTTPException, OSError):
            self.close()
            return self._send(method, path, body, headers)

    def _send(self, method, path, body, headers):
        connection = self.connect()
        connection.request(method, path, body=body, headers=headers or {})
        reply = connection.getresponse()
        text = reply.read().decode("utf-8", "replace")
        return reply.status, text

    def post(self, path, form, **headers):
        return self.send("POST", path, urllib.parse.urlencode(form),
                         {"Content-Type": "application/x-www-form-urlencoded",
                          "X-Twilio-Signature": self.signature(path, form),
                          **{k.replace("_", "-"): v for k, v in headers.items()}})

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None


def voice_form(sid, to, caller="+14155550199", status="ringing", **more):
    return {"CallSid": sid, "AccountSid": "AC" + "0" * 32, "From": caller, "To": to,
            "CallStatus": status, "Direction": "inbound", "ApiVersion": "2010-04-01", **more}


# ---- moments ----

def sim_events(call):
    """What the telephone simulator has noted of the call so far."""
    status, text = support.get(f"{call.stack.control_url}/calls/{call.sid}/events")
    assert status == 200, text
    return [json.loads(line) for line in text.splitlines() if line]
