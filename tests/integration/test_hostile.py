"""Show E: what strangers send harms nobody, and a card number is nowhere but in the mailboxes."""
import base64
import concurrent.futures
import itertools
import json
import random
import re
import socket
import ssl
import string
import urllib.parse

import pytest
import redis
import websockets.exceptions
import websockets.sync.client
from confluent_kafka.admin import AdminClient

import callers
from callers import GREETING, answer, heard, place, talk, words
from support import read_all, wait_for

HOURS, SHOES = "What are your opening hours?", "I want to return a pair of shoes."
SPOKEN = "My card number is four one one one, one one one one, one one one one, one one one one."
CODE = "The security code is one two three."
PAN = "4111111111111111"
WEBHOOKS = 10_000
MESSAGES = 10_000
SEED = 20  # of everything random here
PATHS = ["/twilio/voice", "/twilio/action", "/twilio/status", "/twilio/stream-status",
         "/twilio/fallback"]


@pytest.fixture(scope="module")
def stack(new_module_stack):
    made = new_module_stack()
    callers.apply_business(made, "shop")
    made.pids = {name: made.processes.pid(name) for name in made.services}
    return made


def assert_healthy(stack):
    """The processes are those that were started, and well."""
    assert {name: stack.processes.pid(name) for name in stack.services} == stack.pids
    for name, service in stack.services.items():
        health = dict(service.__dict__, health="/healthz")
        assert type(service)(**health).ready(), name


def assert_untouched(call):
    """A neighbour's call: byte-exact both ways, and whole in the log."""
    call.wait_closed()
    assert heard(call.report()) == [GREETING, answer(HOURS), answer(SHOES)]
    assert words(call) == [("AI", GREETING), ("CUSTOMER", HOURS), ("AI", answer(HOURS)),
                           ("CUSTOMER", SHOES), ("AI", answer(SHOES))]
    assert [h["dry_ms"] for h in call.report()["heard"]] == [0, 0, 0]


def neighbour(stack):
    call = place(stack, talk(HOURS, SHOES), stack.businesses["shop"])
    call.wait_event("session_started")
    return call


def invalid_messages(stack):
    return sum(value for name in ("ingest-0", "ingest-1") for row, value in stack.metrics(name).items()
               if row.startswith("trunkline_ingest_messages_invalid_total"))


# ---- signatures ----

def test_a_wrong_signature_is_refused_and_leaves_no_record(stack):
    hooks = callers.Webhooks(stack)
    bad = callers.voice_form("CA" + "b" * 32, stack.businesses["shop"])
    good = callers.voice_form("CA" + "a" * 32, stack.businesses["shop"])
    body = urllib.parse.urlencode(bad)
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    for path in PATHS:
        wrong = [None, "", "AAAA", hooks.signature(path, good), hooks.signature("/twilio/other", bad)]
        for signature in wrong:
            headers = kind if signature is None else {**kind, "X-Twilio-Signature": signature}
            assert hooks.send("POST", path, body, headers)[0] == 403
    assert hooks.post("/twilio/voice", good)[0] == 200
    hooks.close()
    sids = wait_for(lambda: (found := [e["changed"]["call_sid"] for e in stack.events("calls.v1")
                                       if e["changed"]]) and good["CallSid"] in found and found,
                    "the good one is recorded")
    assert bad["CallSid"] not in sids


# ---- webhooks ----

def any_text(r, most=40):
    alphabet = string.printable + "äß€\u2028\U0001f600\0"
    return "".join(r.choices(alphabet, k=r.randrange(most)))


def signed_but_odd(r, hooks):
    """What the network itself would send if it had gone mad: the signature is good."""
    form = callers.voice_form("CA" + "".join(r.choices("0123456789abcdef", k=32)), "+15550200000")
    for name in r.sample(sorted(form), r.randrange(len(form))):
        form.pop(name)
    form.update({any_text(r, 12).replace("\0", ""): any_text(r, 300).replace("\0", "")
                 for _ in range(r.randrange(5))})
    if r.random() < 0.5:
        form["CallSid"] = any_text(r).replace("\0", "")
    path = r.choice(PATHS) + r.choice(["", "?t=" + "x" * r.randrange(3000), "?try=99999999999999"])
    return path, urllib.parse.urlencode(form), hooks.signature(path, form)


def odd_body(r):
    return r.choice([
        lambda: "%" * r.randrange(1, 50),
        lambda: "CallSid=%zz&To=%2",
        lambda: "CallSid=CA" + "0" * 32 + "&CallSid=%00%00",
        lambda: "&=&=&&==" * r.randrange(1, 99),
        lambda: "a=b&" * r.randrange(1, 5000),
        lambda: json.dumps({any_text(r): any_text(r)}),
        lambda: any_text(r, 2000),
        lambda: "To=" + "9" * r.choice([10, 10_000, 70_000]),
        lambda: "",
    ])()


def one_webhook(r, hooks):
    """Send a malformed one; returns the status."""
    if r.random() < 0.3:
        path, body, signature = signed_but_odd(r, hooks)
    else:
        path, body = r.choice(PATHS + ["/", "/twilio", "/media", "/twilio/voice/..", "/%"]), odd_body(r)
        signature = r.choice([any_text(r, 60), "x" * 5000, hooks.signature(path, {})])
    headers = {"Content-Type": r.choice(["application/x-www-form-urlencoded", "application/json",
                                         "multipart/form-data; boundary=x", "", "x" * 300]),
               "X-Twilio-Signature": re.sub(r"[^ -~]", "?", signature)}
    method = r.choice(["POST"] * 8 + ["GET", "PUT", "DELETE"])
    return hooks.send(method, path, body.encode(), headers)[0]


def many_webhooks(stack, seed, count):
    r, hooks = random.Random(seed), callers.Webhooks(stack)
    statuses = [one_webhook(r, hooks) for _ in range(count)]
    hooks.close()
    return statuses


def test_ten_thousand_malformed_webhooks(stack):
    calls = [neighbour(stack) for _ in range(2)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        done = pool.map(many_webhooks, itertools.repeat(stack), range(SEED, SEED + 4),
                        itertools.repeat(WEBHOOKS // 4))
        statuses = list(itertools.chain(*done))
    assert len(statuses) == WEBHOOKS
    assert {s for s in statuses if s >= 500} == set(), "a stranger's mistake is no fault of ours"
    assert {400, 403, 404, 405} <= set(statuses)
    assert_healthy(stack)
    for call in calls:
        assert_untouched(call)


def raw_connection(stack):
    url = urllib.parse.urlsplit(callers.public_url(stack))
    trust = ssl.create_default_context(cafile=stack.layout.credentials.ca)
    plain = socket.create_connection((url.hostname, url.port), timeout=30.0)
    return trust.wrap_socket(plain, server_hostname=url.hostname)


def test_requests_that_are_no_http(stack):
    """Garbage, half a request, a body that is too long, endless headers: the connection ends."""
    call = neighbour(stack)
    head = b"POST /twilio/voice HTTP/1.1\r\nHost: localhost\r\n"
    garbage = [b"\x00" * 500, b"GET\r\n\r\n", b"\xff\xfe\r\n\r\n", head + b"Content-Length: -1\r\n\r\n",
               head + b"Content-Length: 99999999999\r\n\r\n" + b"x" * 100,
               head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
               head + b"Content-Length: 5\r\nContent-Length: 7\r\n\r\n1234567",
               head + b"X: " + b"y" * 200_000, head + b"a: b\r\n" * 3000 + b"\r\n",
               b"POST /twilio/voice HTTP/9.9\r\n\r\n"]
    for sent in garbage:
        with raw_connection(stack) as peer:
            try:
                peer.sendall(sent)
                peer.shutdown(socket.SHUT_WR)
                while peer.recv(65536):
                    pass
            except (OSError, ssl.SSLError):
                pass  # it hung up on us: that is an answer
    assert_healthy(stack)
    assert_untouched(call)


# ---- media streams ----

def odd_messages(r, sid):
    """Endlessly: what no media stream carries. `sid` is another stream's."""
    good = {"event": "media", "sequenceNumber": "3", "streamSid": sid,
            "media": {"track": "inbound", "chunk": "1", "timestamp": "5",
                      "payload": base64.b64encode(b"\xff" * 160).decode()}}
    while True:
        yield r.choice([
            lambda: any_text(r, 400),
            lambda: json.dumps(good),  # of a stream that is not ours
            lambda: json.dumps({**good, "media": {"payload": any_text(r)}}),
            lambda: json.dumps({**good, "media": r.choice([None, 7, [], "x", {}])}),
            lambda: json.dumps({**good, "event": r.choice([None, 1, "", "med\0ia", "start", "x" * 999])}),
            lambda: json.dumps({**good, "streamSid": any_text(r)}),
            lambda: json.dumps({"event": "start", "start": any_text(r)}),
            lambda: json.dumps({"event": "mark", "streamSid": sid, "mark": {"name": "9" * 3000}}),
            lambda: json.dumps({"event": "dtmf", "streamSid": sid, "dtmf": {"digit": any_text(r)}}),
            lambda: json.dumps({"event": "stop", "streamSid": sid}),
            lambda: json.dumps(good)[:r.randrange(1, 100)],
            lambda: "[" * r.randrange(1, 3000),
            lambda: '{"event":"media","media":{"payload":"' + "A" * r.choice([1, 20_000, 60_000]) + '"}}',
            lambda: "{}", lambda: "null", lambda: '"\\ud800"',
        ])()


def hurt_stream(call, seed, count):
    """On the authenticated stream of a call that goes on meanwhile."""
    r = random.Random(seed)
    for message in itertools.islice(odd_messages(r, "MZ" + "0" * 32), count):
        kind = "binary" if r.random() < 0.1 else "raw"
        callers.hurt(call, **{kind: message.replace("\0", "")[:8000]})


def test_malformed_messages_on_streams_of_real_calls(stack):
    before = invalid_messages(stack)
    hurt = [neighbour(stack) for _ in range(4)]
    calls = [neighbour(stack) for _ in range(2)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(hurt_stream, hurt, range(SEED, SEED + 4), itertools.repeat(MESSAGES // 8)))
    assert invalid_messages(stack) - before > MESSAGES // 8
    assert_healthy(stack)
    for call in calls + hurt:  # a bad message never drops a call
        assert_untouched(call)


def media_url(stack):
    return callers.public_url(stack).replace("https://", "wss://") + "/media"


def connect(stack, signed=True):
    hooks = callers.Webhooks(stack)
    signature = hooks.signature("/media", {}, scheme="wss") if signed else "AAAA"
    trust = ssl.create_default_context(cafile=stack.layout.credentials.ca)
    return websockets.sync.client.connect(
        media_url(stack), ssl=trust, additional_headers={"X-Twilio-Signature": signature},
        max_size=None, open_timeout=30.0, close_timeout=1.0)


def test_a_stream_with_a_wrong_signature_is_refused(stack):
    with pytest.raises(websockets.exceptions.InvalidStatus) as refused:
        connect(stack, signed=False)
    assert refused.value.response.status_code == 403


def send_until_closed(stack, seed, count):
    """Messages on sockets that never become a stream; a closed one is opened again."""
    r, sent, peer = random.Random(seed), 0, None
    for message in itertools.islice(odd_messages(r, "MZ" + "1" * 32), count):
        try:
            peer = peer or connect(stack)
            peer.send(message if r.random() < 0.9 else message.encode())
            sent += 1
        except websockets.exceptions.ConnectionClosed:
            peer = None
    if peer:
        peer.close()
    return sent


def test_malformed_messages_of_strangers(stack):
    """Even who could sign gets no call without the key in the start message."""
    calls = [neighbour(stack) for _ in range(2)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        sent = sum(pool.map(send_until_closed, itertools.repeat(stack), range(SEED + 4, SEED + 8),
                            itertools.repeat(MESSAGES // 8)))
    assert sent > MESSAGES // 4
    with connect(stack) as peer:  # a frame larger than any message may be
        with pytest.raises(websockets.exceptions.ConnectionClosed):
            peer.send('{"event":"media","x":"' + "x" * (4 << 20) + '"}')
            peer.recv(timeout=30.0)
    assert_healthy(stack)
    for call in calls:
        assert_untouched(call)


# ---- card numbers ----

DIGIT_WORDS = {word: str(digit) for digit, word in enumerate(
    "zero one two three four five six seven eight nine".split())} | {"oh": "0"}


def digits_of(text):
    """A text with number words as digits and without what may stand between them."""
    text = re.sub(r"[a-z]+", lambda m: DIGIT_WORDS.get(m.group(), m.group()), text.lower())
    return re.sub(r"[^0-9a-z]", "", text)


def assert_no_card(place_name, text):
    assert PAN not in digits_of(text), place_name
    assert PAN[:12] not in digits_of(text), place_name


def everything_written(stack):
    """(place, text) of every topic but the mailboxes, raw and decoded, the database, Redis, logs."""
    brokers, prefix = stack.env["KAFKA_BROKERS"], stack.topic("")
    topics = AdminClient({"bootstrap.servers": brokers}).list_topics(timeout=30).topics
    for topic in sorted(t for t in topics if t.startswith(prefix)):
        if topic in (stack.topic("media.v1"), stack.topic("playback.v1")):
            continue
        for record in read_all(brokers, topic):
            raw = (record.key() or b"") + b" " + (record.value() or b"")
            yield topic, raw.decode("latin-1")
    for name in ("calls.v1", "commands.v1", "state.telephony.v1", "dead-letters.v1"):
        for event in stack.events(name):
            yield f"{name}, decoded", json.dumps(event, default=str)
    tables = stack.sql("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
    for table in tables:
        name = table["table_name"]
        for row in stack.sql(f'SELECT * FROM "{name}"'):
            yield f"table {name}", json.dumps(row, default=str)
    client = redis.Redis.from_url(stack.env["REDIS_URL"])
    for key in client.scan_iter(count=1000):
        yield "redis", f"{key} {client.dump(key)}"
    for name in stack.services:
        if not name.startswith("sim-"):
            with open(stack.log_path(name), errors="replace") as log:
                for line in log:
                    yield f"log of {name}", line


def test_a_card_number_is_in_no_topic_but_the_mailboxes(stack):
    """SEC-1: spoken, spoken in two breaths, and keyed."""
    number = stack.businesses["shop"]
    keyed = [{"wait_answer": True}, {"dtmf": PAN + "#"}, {"pause": 1000}, {"say": HOURS},
             {"wait_answer": True}, callers.HANG_UP]
    unfinished = [{"wait_answer": True}, {"dtmf": PAN}, {"pause": 500}, callers.HANG_UP]
    calls = [place(stack, talk("I want to pay my bill.", SPOKEN, CODE), number),
             place(stack, keyed, number), place(stack, unfinished, number)]
    for call in calls:
        call.wait_closed()
    session, = callers.sessions(calls[0])
    assert SPOKEN in session["heard_texts"], "the AI itself heard it"
    spoken = callers.finals(calls[0])
    assert {e["type"] for u in spoken for e in u["entities"]} >= {"CARD"}
    assert "one two three" not in " ".join(u["text"] for u in spoken)
    assert [c for c in calls[1].events() if c["keyed"]]
    places = set()
    for place_name, text in everything_written(stack):
        places.add(place_name)
        assert_no_card(place_name, text)
    assert stack.topic("calls.v1") in places
