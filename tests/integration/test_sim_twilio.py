"""The telephone simulator speaks Twilio's protocols and refuses what Twilio refuses.

npm `twilio` judges its signatures and drives its REST API; a small application of the tests plays the
customer. The refusals are those of the checklist for a simulator: forms and signatures, callbacks out of
order, what follows a stream, real time and marks, strict messages, abrupt ends, REST errors,
conferences.
"""
import base64
import json
import socket
import ssl
import subprocess
import threading
import urllib.request

import pytest

import phone
import support
from phone import NUMBER, TOKEN, codes, network
from stack.credentials import Credentials
from stack.wait import wait_for

SILENCE = base64.b64encode(b"\xff" * 160).decode()
SOUND = base64.b64encode(bytes(range(1, 161))).decode()


@pytest.fixture(scope="module")
def shared():
    """One network for the tests that change nothing of it."""
    with network() as pair:
        yield pair


@pytest.fixture
def app(shared):
    shared[0].forget()
    return shared[0]


@pytest.fixture
def net(shared):
    return shared[1]


def twilio_js(asked):
    done = support.node("twilio_client.js", text_in=json.dumps(asked))
    return json.loads(done.stdout)


def rest(net, *steps, token=TOKEN):
    return twilio_js({"rest": {"base": net.rest, "sid": phone.ACCOUNT, "token": token,
                               "steps": steps}})["answers"]


def fields_for_sdk(request):
    """Repeated names become lists, as the body parsers of Node give them."""
    out = {}
    for name, value in request.fields:
        out[name] = [*out[name], value] if isinstance(out.get(name), list) else \
            [out[name], value] if name in out else value
    return out


def judged(url, request, token=TOKEN):
    """What npm `twilio` thinks of a request's signature."""
    params = fields_for_sdk(request) if request.method == "POST" else {}
    case = {"token": token, "signature": request.headers.get("X-Twilio-Signature") or "",
            "url": url, "params": params}
    return twilio_js({"validate": [case]})["valid"][0]


# ---- webhooks: forms, signatures, retries -------------------------------------------------------


def test_twilio_sdk_accepts_the_signature_of_a_form_with_empty_and_utf8_values(app, net):
    app.routes["/voice"] = "<Response><Reject/></Response>"
    sid = net.call(caller_name="Zoë & Sons", forwarded_from="+14155550111")
    net.wait_ended(sid)
    voice, status = app.wait_asked("/voice")[0], app.wait_asked("/status")[0]
    assert voice.headers["Content-Type"] == "application/x-www-form-urlencoded; charset=UTF-8"
    assert voice["CallSid"] == sid and voice["CallStatus"] == "ringing"
    assert voice["CallerName"] == "Zoë & Sons" and voice["ToCity"] == ""
    assert judged(app.url("/voice"), voice)
    assert judged(app.url("/status"), status)
    assert not judged(app.url("/voice"), voice, token="f" * 32)
    assert not judged(app.url("/other"), voice)


def test_twilio_sdk_accepts_the_signature_of_a_get(app, net):
    app.routes["/voice"] = "<Response><Redirect method=\"GET\">/next?a=1</Redirect></Response>"
    app.routes["/next"] = "<Response><Hangup/></Response>"
    net.wait_ended(net.call())
    request = app.wait_asked("/next")[0]
    assert request.method == "GET" and not request.body
    assert request.target.startswith("/next?a=1&AccountSid=")
    assert judged(app.url(request.target), request)


def test_wrong_token_changed_body_and_missing_signature_are_refused_by_the_sdk(app, net):
    app.routes["/voice"] = "<Response><Reject/></Response>"
    for fault in ("wrong_token", "changed_body", "no_signature"):
        app.requests.clear()
        net.faults(**{fault: 1})
        net.wait_ended(net.call())
        assert not judged(app.url("/voice"), app.wait_asked("/voice")[0]), fault
        assert judged(app.url("/status"), app.wait_asked("/status")[0])


def test_https_is_signed_without_its_port_and_must_verify(work_keys):
    """The port is dropped from https URLs when signing; certificates count."""
    with network("--ca-file", work_keys.ca) as (app, net):
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(work_keys.cert, work_keys.key)
        app.http.socket = tls.wrap_socket(app.http.socket, server_side=True)
        url = f"https://127.0.0.1:{app.port}/voice"
        app.routes["/voice"] = "<Response><Reject/></Response>"
        net.wait_ended(net.call(voice_url=url, status_url=""))
        request = app.wait_asked("/voice")[0]
        case = {"token": TOKEN, "signature": request.headers["X-Twilio-Signature"],
                "url": "https://127.0.0.1/voice", "params": fields_for_sdk(request)}
        assert twilio_js({"validate": [case, {**case, "url": url}]})["valid"] == [True, True]
    with network() as (app, net):  # without the CA: not trusted
        app.http.socket = tls.wrap_socket(app.http.socket, server_side=True)
        report = net.wait_ended(net.call(voice_url=f"https://127.0.0.1:{app.port}/voice"))
        assert set(codes(report)) & {11200, 11205}
        assert not app.requests


@pytest.fixture(scope="module")
def work_keys(tmp_path_factory):
    return Credentials(str(tmp_path_factory.mktemp("keys")))


def test_default_policy_does_not_retry_a_500_and_asks_the_fallback(app, net):
    app.routes["/voice"] = (500, {}, "no")
    app.routes["/fallback"] = "<Response><Say>One moment.</Say></Response>"
    report = net.wait_ended(net.call())
    assert len(app.asked("/voice")) == 1
    fallback = app.asked("/fallback")[0]
    assert fallback["ErrorCode"] == "11200" and fallback["ErrorUrl"] == app.url("/voice")
    assert [s["text"] for s in report["spoken"]] == ["One moment."]
    assert report["spoken"][0]["ms"] == 700
    assert report["status"] == "completed" and codes(report) == [11200]


def test_fragment_sets_retries_and_the_idempotency_token_stays(app, net):
    answers = [(500, {}, ""), (503, {}, ""), "<Response><Hangup/></Response>"]
    app.routes["/voice"] = lambda request: answers.pop(0)
    report = net.wait_ended(net.call(voice_url=app.url("/voice") + "#rc=2&rp=5xx"))
    asked = app.asked("/voice")
    assert len(asked) == 3 and report["status"] == "completed" and codes(report) == []
    assert len({r.headers["I-Twilio-Idempotency-Token"] for r in asked}) == 1
    assert "#" not in asked[0].target and judged(app.url("/voice"), asked[0])


def test_read_timeout_is_retried_when_the_fragment_says_so(app, net):
    release = threading.Event()

    def answer(request):
        if len(app.asked("/voice")) == 1:
            release.wait(20)
        return "<Response><Hangup/></Response>"

    app.routes["/voice"] = answer
    try:
        url = app.url("/voice") + "#rt=300&ct=300&rc=1&rp=rt"
        report = net.wait_ended(net.call(voice_url=url))
        assert report["webhooks"][0]["attempts"] == 2 and codes(report) == []
    finally:
        release.set()


def test_connect_failure_is_tried_twice_then_11205_and_the_fallback(app, net):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        app.routes["/fallback"] = "<Response><Reject/></Response>"
        report = net.wait_ended(net.call(voice_url=f"http://127.0.0.1:{port}/voice"))
    assert report["webhooks"][0]["attempts"] == 2
    assert app.asked("/fallback")[0]["ErrorCode"] == "11205"


def test_redirects_are_followed_ten_times(app, net):
    app.routes["/voice"] = lambda request: (307, {"Location": "/voice"}, "")
    app.routes["/fallback"] = "<Response><Reject/></Response>"
    net.wait_ended(net.call())
    assert len(app.asked("/voice")) == 11
    assert app.asked("/fallback")[0]["ErrorCode"] == "11215"


def test_basic_user_info_answers_a_challenge(app, net):
    def answer(request):
        if "Authorization" not in request.headers:
            return 401, {"WWW-Authenticate": "Basic realm=\"x\""}, ""
        return "<Response><Reject/></Response>"

    app.routes["/voice"] = answer
    net.wait_ended(net.call(voice_url=app.url("/voice").replace("http://", "http://me:key@")))
    first, second = app.asked("/voice")
    assert "Authorization" not in first.headers
    assert second.headers["Authorization"] == "Basic " + base64.b64encode(b"me:key").decode()
    assert judged(app.url("/voice"), second)


@pytest.mark.parametrize("reply,code", [
    ((200, {"Content-Type": "application/json"}, "{}"), 12300),
    ((200, {"Content-Type": None}, "<Response/>"), 12300),
    ("<Response><Hangup></Response>", 12100),
    ("<response/>", 12100),
    ("<Response><hangup/></Response>", 12100),
    ("<Response><Sing/></Response>", 12100),
    ("<Response><Connect><Stream/></Connect></Response>", 12200),
    ("", 12100),
])
def test_a_document_that_cannot_run_is_an_error_and_the_caller_hears_an_apology(app, net, reply, code):
    app.routes["/voice"] = reply
    app.routes["/fallback"] = (500, {}, "")
    sid = net.call()
    report = net.wait_report(sid, lambda r: r["spoken"], "an apology")
    assert report["spoken"][0]["kind"] == "apology"
    assert codes(report) == [code, 11200]
    assert app.asked("/fallback")[0]["ErrorCode"] == str(code)
    net.hang_up(sid)


def test_an_unknown_attribute_is_a_warning(app, net):
    app.routes["/voice"] = "<Response><Say Voice=\"x\">Hello</Say></Response>"
    report = net.wait_ended(net.call())
    assert codes(report) == [12200] and report["spoken"][0]["text"] == "Hello"


def test_an_empty_response_ends_the_call(app, net):
    app.routes["/voice"] = "<Response/>"
    assert net.wait_ended(net.call())["status"] == "completed"


def test_plain_text_is_spoken(app, net):
    app.routes["/voice"] = (200, {"Content-Type": "text/plain"}, "Hello you")
    report = net.wait_ended(net.call())
    assert report["spoken"][0]["text"] == "Hello you"


def test_reject_answers_nothing(app, net):
    app.routes["/voice"] = "<Response><Reject reason=\"busy\"/></Response>"
    report = net.wait_ended(net.call())
    assert report["status"] == "busy" and report["answered_ms"] is None


def test_gather_sends_the_keys_to_its_action(app, net):
    app.routes["/voice"] = ("<Response><Gather numDigits=\"2\" action=\"/keys\"><Say>Press</Say>"
                            "</Gather></Response>")
    app.routes["/keys"] = "<Response><Hangup/></Response>"
    report = net.wait_ended(net.call([{"pause": 100}, {"dtmf": "42"}], start="answer"))
    assert app.asked("/keys")[0]["Digits"] == "42" and report["status"] == "completed"


# ---- status callbacks ---------------------------------------------------------------------------


def outbound(net, app, **more):
    """A call placed through REST; its SID."""
    options = {"to": "+14155550123", "from": NUMBER, "url": app.url("/voice"),
               "statusCallback": app.url("/calls"),
               "statusCallbackEvent": ["initiated", "ringing", "answered", "completed"], **more}
    [answer] = rest(net, ["create", options])
    return answer["ok"]["sid"]


def sequence(app, count):
    return [(r["SequenceNumber"], r["CallStatus"]) for r in app.wait_asked("/calls", count)]


IN_ORDER = [("0", "initiated"), ("1", "ringing"), ("2", "in-progress"), ("3", "completed")]


def test_status_callbacks_come_signed_in_order_with_the_final_fields(app, net):
    app.routes["/voice"] = "<Response><Hangup/></Response>"
    sid = outbound(net, app)
    assert sorted(sequence(app, 4)) == IN_ORDER
    last = next(r for r in app.asked("/calls") if r["CallStatus"] == "completed")
    assert last["CallSid"] == sid and last["Direction"] == "outbound-api"
    assert last["CallDuration"] == "0" and last["SipResponseCode"] == "200"
    assert last["CallbackSource"] == "call-progress-events" and last.get("Timestamp")
    assert judged(app.url("/calls"), last)
    assert app.asked("/voice")[0]["CallStatus"] == "in-progress"


@pytest.mark.parametrize("delivery,before", [
    ("swapped", [("1", "0"), ("3", "2")]),
    ("late_initiated", [("1", "0"), ("2", "0"), ("3", "0")]),
])
def test_status_callbacks_come_out_of_order(delivery, before):
    with network("--callbacks", delivery) as (app, net):
        app.routes["/voice"] = "<Response><Pause length=\"1\"/></Response>"
        outbound(net, app)
        came = [n for n, _ in sequence(app, 4)]
        assert sorted(came) == ["0", "1", "2", "3"]
        assert all(came.index(first) < came.index(then) for first, then in before)


def test_status_callbacks_come_twice(app, net):
    app.routes["/voice"] = "<Response><Hangup/></Response>"
    net.faults(callbacks="twice")
    try:
        outbound(net, app)
        assert sorted(sequence(app, 8)) == sorted(IN_ORDER * 2)
    finally:
        net.faults(callbacks="in_order")


def test_dropped_callbacks_never_come_but_rest_knows(app, net):
    app.routes["/voice"] = "<Response><Hangup/></Response>"
    net.faults(callbacks="dropped")
    try:
        sid = outbound(net, app)
        net.wait_ended(sid)
    finally:
        net.faults(callbacks="in_order")
    assert not app.asked("/calls")
    assert rest(net, ["fetch", sid])[0]["ok"]["status"] == "completed"


@pytest.mark.parametrize("outcome", ["busy", "no-answer", "failed"])
def test_the_far_end_decides_the_final_status(app, net, outcome):
    net.ask("POST", "/destinations", {"number": "+14155550124", "outcome": outcome, "ring_ms": 10})
    outbound(net, app, to="+14155550124", timeout=1)
    assert sequence(app, 3)[-1][1] == outcome
    assert not app.asked("/voice")


def test_events_joined_in_one_parameter_never_come(app, net):
    app.routes["/voice"] = "<Response><Hangup/></Response>"
    sid = outbound(net, app, statusCallbackEvent=["initiated ringing answered completed"])
    net.wait_ended(sid)
    assert not app.asked("/calls")


# ---- streams ------------------------------------------------------------------------------------


def test_stream_tells_connected_start_and_media_in_real_time(app, net):
    app.routes["/voice"] = app.stream_doc("<Parameter name=\"call_key\" value=\"a&amp;b\"/>")
    sid = net.call([{"say": "Hello."}, {"pause": 200}, {"dtmf": "5#"}, {"hangup": True}])
    stream = app.next_stream()
    net.wait_ended(sid)
    assert stream.closed.wait(10)
    kinds = [m["event"] for m in stream.messages]
    assert kinds[:3] == ["connected", "start", "media"] and kinds[-1] == "stop"
    assert stream.messages[0] == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    start = stream.start["start"]
    assert start["callSid"] == sid and start["accountSid"] == phone.ACCOUNT
    assert start["tracks"] == ["inbound"] and start["customParameters"] == {"call_key": "a&b"}
    assert start["mediaFormat"] == {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
    numbered = stream.messages[1:]
    assert [m["sequenceNumber"] for m in numbered] == [str(n + 1) for n in range(len(numbered))]
    media = stream.of("media")
    assert [m["media"]["chunk"] for m in media] == [str(n + 1) for n in range(len(media))]
    assert [m["media"]["timestamp"] for m in media] == [str(20 * n) for n in range(len(media))]
    assert {len(m["media"]["payload"]) for m in media} == {216}
    assert SILENCE in {m["media"]["payload"] for m in media}
    assert [m["dtmf"] for m in stream.of("dtmf")] == [
        {"track": "inbound_track", "digit": "5"}, {"track": "inbound_track", "digit": "#"}]
    assert stream.first("stop")["stop"] == {"accountSid": phone.ACCOUNT, "callSid": sid}


def test_twilio_sdk_accepts_the_signature_of_the_upgrade(app, net):
    app.routes["/voice"] = app.stream_doc()
    sid = net.call()
    stream = app.next_stream()
    case = {"token": TOKEN, "signature": stream.headers["X-Twilio-Signature"],
            "url": app.media_url, "params": {}}
    assert twilio_js({"validate": [case, {**case, "token": "f" * 32}]})["valid"] == [True, False]
    net.hang_up(sid)
    net.faults(wrong_stream_signature=1)
    sid = net.call()
    case["signature"] = app.next_stream().headers["X-Twilio-Signature"]
    assert twilio_js({"validate": [case]})["valid"] == [False]
    net.hang_up(sid)


def record_phrase(app, net, words):
    """The frames of a caller's phrase, as a stream sent them."""
    app.routes["/voice"] = app.stream_doc()
    sid = net.call([{"say": words}, {"hangup": True}])
    stream = app.next_stream()
    net.wait_ended(sid)
    assert stream.closed.wait(10)
    frames = [m["media"]["payload"] for m in stream.of("media")]
    return [f for f in frames if f != SILENCE]


def test_what_is_played_is_recognised_byte_for_byte_and_marks_come_when_played(app, net):
    frames = record_phrase(app, net, "Can you hear me?")
    sid = net.call(record=True, frames=True)
    stream = app.next_stream()
    for n, payload in enumerate(frames):
        stream.media(payload)
        stream.mark(f"m{n}")
    stream.wait("mark", len(frames))
    assert [m["mark"]["name"] for m in stream.of("mark")] == [f"m{n}" for n in range(len(frames))]
    # A mark does not come before its sound was played: by then as many frames have gone by.
    order = [m["event"] for m in stream.messages]
    last_mark = len(order) - 1 - order[::-1].index("mark")
    assert order[:last_mark].count("media") >= len(frames) - 1
    report = net.wait_report(sid, lambda r: r["heard"], "the phrase is heard")
    [heard] = report["heard"]
    assert heard["phrase"] == "Can you hear me?" and heard["exact"] and heard["dry_ms"] == 0
    with urllib.request.urlopen(f"{net.control}/calls/{sid}/audio") as answer:
        audio = answer.read()
    assert b"".join(base64.b64decode(payload) for payload in frames) in audio
    arrivals = net.report(sid, frames=True)["arrivals"]
    assert len(arrivals) == len(frames) and arrivals[-1][0] == 160 * len(frames)
    net.hang_up(sid)


def test_a_lost_or_swapped_frame_is_not_recognised(app, net):
    frames = record_phrase(app, net, "Can you hear me?")
    for wrong in (frames[:5] + frames[6:], [frames[1], frames[0], *frames[2:]]):
        sid = net.call()
        stream = app.next_stream()
        for payload in wrong:
            stream.media(payload)
        stream.mark("end")
        stream.wait("mark")
        net.hang_up(sid)
        report = net.wait_ended(sid)
        assert report["heard"] and not any(h["exact"] for h in report["heard"])


def test_clear_empties_the_buffer_and_brings_every_mark_back(app, net):
    app.routes["/voice"] = app.stream_doc()
    sid = net.call()
    stream = app.next_stream()
    stream.media(base64.b64encode(bytes([7]) * 8000 * 30).decode())
    stream.mark("a")
    stream.mark("b")
    stream.clear()
    stream.mark("c")
    assert [m["mark"]["name"] for m in stream.wait("mark", 3)] == ["a", "b", "c"]
    assert net.report(sid)["unplayed_bytes"] == 0
    net.hang_up(sid)
    assert net.wait_ended(sid)["streams"][0]["clears_received"] == 1


STRICT = [
    ({"event": "media", "streamSid": "SID", "media": {"payload": SOUND, "track": "outbound"}}, 31951),
    ({"event": "media", "streamSid": "SID", "media": {"payload": SOUND}, "sequenceNumber": "1"}, 31951),
    ({"event": "media", "streamSid": "SID", "media": {}}, 31951),
    ({"event": "media", "streamSid": "SID"}, 31951),
    ({"event": "media", "media": {"payload": SOUND}}, 31951),
    ({"event": "media", "streamSid": "MZ" + "0" * 32, "media": {"payload": SOUND}}, 31951),
    ({"event": "mark", "streamSid": "SID"}, 31951),
    ({"event": "mark", "streamSid": "SID", "mark": {}}, 31951),
    ({"event": "mark", "streamSid": "SID", "mark": {"name": "x", "extra": 1}}, 31951),
    ({"event": "clear", "streamSid": "SID", "extra": 1}, 31951),
    ({"event": "stop", "streamSid": "SID"}, 31951),
    ({"event": 5, "streamSid": "SID"}, 31951),
    ("not json", 31951),
    ("[1]", 31951),
    ({"event": "media", "streamSid": "SID", "media": {"payload": "@@@@"}}, 31950),
    ({"event": "media", "streamSid": "SID", "media": {"payload": "AAA"}}, 31950),
    (b"binary", 31950),
]


@pytest.mark.parametrize("message,code", STRICT)
def test_a_wrong_message_is_refused_told_once_and_the_stream_goes_on(app, net, message, code):
    app.routes["/voice"] = app.stream_doc(stream=f" statusCallback=\"{app.url('/stream')}\"")
    sid = net.call()
    stream = app.next_stream()
    if isinstance(message, dict):
        message = json.dumps(message).replace("\"SID\"", f"\"{stream.sid}\"")
    stream.send(message)
    stream.send(message)
    stream.mark("still here")
    assert stream.wait("mark")[0]["mark"]["name"] == "still here"
    report = net.report(sid)
    assert codes(report) == [code, code] and report["unplayed_bytes"] == 0
    net.hang_up(sid)
    app.wait_asked("/stream", 3)
    told = [(r["StreamEvent"], (r.get("StreamError") or "")[:5]) for r in app.asked("/stream")]
    assert told.count(("stream-error", str(code))) == 1
    assert ("stream-started", "") in told and ("stream-stopped", "") in told
    assert judged(app.url("/stream"), app.asked("/stream")[0])


def test_media_beyond_ten_minutes_is_thrown_away(app, net):
    app.routes["/voice"] = app.stream_doc()
    sid = net.call()
    stream = app.next_stream()
    minute = base64.b64encode(bytes([7]) * 8000 * 60).decode()
    for _ in range(11):
        stream.media(minute)
    report = net.wait_report(sid, lambda r: r["errors"], "31931")
    assert codes(report) == [31931]
    assert report["unplayed_bytes"] <= 8000 * 600
    net.hang_up(sid)


def test_parameter_of_more_than_500_characters_is_refused(app, net):
    app.routes["/fallback"] = "<Response><Reject/></Response>"
    app.routes["/voice"] = app.stream_doc(f"<Parameter name=\"n\" value=\"{'x' * 500}\"/>")
    assert codes(net.wait_ended(net.call())) == [12200]
    assert app.asked("/fallback")[0]["ErrorCode"] == "12200"


def test_stream_takes_no_query_string(app, net):
    app.routes["/voice"] = app.stream_doc().replace("/media\"", "/media?token=1\"")
    sid = net.call()
    assert app.next_stream().path == "/media"
    net.hang_up(sid)
    assert codes(net.wait_ended(sid)) == [12200]


@pytest.mark.parametrize("url,code", [("ws://127.0.0.1:1/media", 31922),
                                      ("https://127.0.0.1:1/media", 31922),
                                      ("wss://127.0.0.1:1/media", 31902)])
def test_stream_wants_wss_and_somebody_there(url, code):
    with network(plain=False) as (app, net):
        app.routes["/voice"] = (f"<Response><Connect action=\"/next\"><Stream url=\"{url}\" "
                                f"statusCallback=\"{app.url('/stream')}\"/></Connect></Response>")
        app.routes["/next"] = "<Response><Hangup/></Response>"
        report = net.wait_ended(net.call())
        assert codes(report) == [code] and app.asked("/next")
        assert app.wait_asked("/stream")[0]["StreamError"].startswith(str(code))


def test_a_refused_handshake_is_31920_and_connect_ends(app, net):
    app.routes["/voice"] = app.stream_doc(action=" action=\"/next\"")
    app.routes["/next"] = "<Response><Hangup/></Response>"
    app.refuse_streams = True
    try:
        report = net.wait_ended(net.call())
    finally:
        app.refuse_streams = False
    assert codes(report) == [31920] and app.asked("/next")


# ---- what follows a stream ----------------------------------------------------------------------


def test_after_the_stream_its_action_runs_instead_of_the_next_verb(app, net):
    app.routes["/voice"] = app.stream_doc(action=" action=\"/next?attempt=2\"",
                                          behind="<Say>never</Say>")
    app.routes["/next"] = "<Response><Say>again</Say></Response>"
    sid = net.call()
    app.next_stream().socket.close()
    report = net.wait_ended(sid)
    assert [s["text"] for s in report["spoken"]] == ["again"]
    request = app.asked("/next")[0]
    assert request["CallSid"] == sid and request["CallStatus"] == "in-progress"
    assert judged(app.url("/next?attempt=2"), request)


def test_without_action_the_next_verb_runs(app, net):
    app.routes["/voice"] = app.stream_doc(behind="<Say>goodbye</Say>")
    sid = net.call()
    app.next_stream().socket.close()
    assert [s["text"] for s in net.wait_ended(sid)["spoken"]] == ["goodbye"]


def test_with_nothing_behind_the_call_ends(app, net):
    app.routes["/voice"] = app.stream_doc()
    sid = net.call()
    app.next_stream().socket.close()
    assert net.wait_ended(sid)["status"] == "completed"


def test_after_a_reset_the_action_reopens_with_a_new_stream_of_the_same_call(app, net):
    app.routes["/voice"] = app.stream_doc(action=" action=\"/again\"")
    app.routes["/again"] = app.stream_doc(action=" action=\"/again\"")
    sid = net.call()
    first = app.next_stream()
    first.media(base64.b64encode(bytes([7]) * 8000 * 10).decode())
    first.mark("lost")
    first.reset()
    second = app.next_stream()
    assert second.start["start"]["callSid"] == sid and second.sid != first.sid
    assert second.start["sequenceNumber"] == "1"
    assert second.wait("media")[0]["media"]["chunk"] == "1"
    second.mark("new")  # the old buffer is gone: it comes back at once, and alone
    assert [m["mark"]["name"] for m in second.wait("mark")] == ["new"]
    net.hang_up(sid)
    assert [s["abrupt"] for s in net.wait_ended(sid)["streams"]] == [True, False]


@pytest.mark.parametrize("mode", ["hold", "nothing"])
def test_after_a_reset_the_caller_may_be_held_until_rest_moves_the_call(mode):
    with network("--after-abrupt", mode) as (app, net):
        app.routes["/voice"] = app.stream_doc(action=" action=\"/again\"",
                                              stream=f" statusCallback=\"{app.url('/stream')}\"")
        app.routes["/again"] = app.stream_doc()
        sid = net.call()
        app.next_stream().reset()
        net.wait_report(sid, lambda r: r["streams"], "the network's end of the stream closes")
        [updated] = rest(net, ["update", sid, {"url": app.url("/again")}])
        assert updated["ok"]["status"] == "in-progress"
        assert app.next_stream().start["start"]["callSid"] == sid
        assert len(app.asked("/again")) == 1  # by REST; the action was not asked
        told = [r["StreamEvent"] for r in app.wait_asked("/stream", 1 + (mode == "hold"))]
        assert ("stream-stopped" in told) == (mode == "hold")
        net.hang_up(sid)


def test_faults_of_a_stream(app, net):
    app.routes["/voice"] = app.stream_doc(behind="<Hangup/>")
    sid = net.call()
    stream = app.next_stream()
    net.hurt(sid, raw="{broken")
    wait_for(stream.closed.is_set, "our reader stops at what is no JSON", 10.0)
    net.wait_ended(sid)

    sid = net.call()
    stream = app.next_stream()
    stream.wait("media")
    net.hurt(sid, lose_frames=5)
    stream.wait("media", 20)
    media = stream.of("media")
    steps = {int(b["media"]["timestamp"]) - int(a["media"]["timestamp"])
             for a, b in zip(media, media[1:])}
    assert 120 in steps
    assert {int(b["media"]["chunk"]) - int(a["media"]["chunk"])
            for a, b in zip(media, media[1:])} == {1}
    net.hurt(sid, abort=True)
    assert stream.closed.wait(10)
    assert not stream.of("stop")
    assert net.wait_ended(sid)["streams"][0]["abrupt"]


# ---- REST ---------------------------------------------------------------------------------------


def test_rest_of_the_sdk_account_numbers_and_wrong_credentials(app, net):
    account, numbers, none, fallback = rest(
        net, ["account"], ["numbers", {"phoneNumber": NUMBER}],
        ["numbers", {"phoneNumber": "+19990000000"}],
        ["number", "PN" + "0" * 32, {"voiceUrl": "https://x.example/"}])
    assert account["ok"] == {"status": "active", "type": "Full"}
    [number] = numbers["ok"]
    assert number["phoneNumber"] == NUMBER and number["voice"] is True
    assert none["ok"] == [] and fallback["code"] == 20404
    [changed] = rest(net, ["number", number["sid"], {"voiceUrl": app.url("/other")}])
    assert changed["ok"]["voiceUrl"] == app.url("/other")
    alone, back = rest(net, ["number", number["sid"],
                             {"voiceUrl": "", "voiceFallbackUrl": app.url("/fallback")}],
                       ["number", number["sid"], {"voiceUrl": app.url("/voice")}])
    assert alone["code"] == 21405 and back["ok"]["voiceUrl"] == app.url("/voice")
    [denied] = rest(net, ["account"], token="wrong")
    assert denied["status"] == 401 and denied["code"] == 20003


def test_rest_refuses_bad_calls_with_their_codes(app, net):
    good = {"to": "+14155550123", "from": NUMBER, "url": app.url("/voice")}
    cases = [({"from": "+19995550100"}, 21210), ({"from": "12"}, 21212), ({"to": "call me"}, 21211),
             ({"to": "+15005550002"}, 21214), ({"to": "+15005550003"}, 21215),
             ({"to": "+15005550004"}, 21216), ({"url": ""}, 21205),
             ({"url": "", "twiml": "x" * 4001}, 32018),
             ({"url": "", "twiml": "<Response/>", "fallbackUrl": app.url("/f")}, 21405)]
    answers = rest(net, *[["create", {**good, **change}] for change, _ in cases])
    assert [(a["status"], a["code"]) for a in answers] == [(400, code) for _, code in cases]
    assert not app.requests


def test_rest_unknown_and_ended_calls(app, net):
    app.routes["/voice"] = "<Response><Reject/></Response>"
    sid = net.call()
    net.wait_ended(sid)
    ended, twice, unknown, removed, gone = rest(
        net, ["update", sid, {"status": "completed"}], ["update", sid, {"twiml": "<Response/>"}],
        ["fetch", "CA" + "0" * 32], ["remove", sid], ["fetch", sid])
    assert (ended["status"], ended["code"]) == (400, 21220) == (twice["status"], twice["code"])
    assert (unknown["status"], unknown["code"]) == (404, 20404) == (gone["status"], gone["code"])
    assert removed["ok"] is True


def test_rest_completes_and_moves_a_call_and_cancels_only_before_the_answer(app, net):
    app.routes["/voice"] = app.stream_doc()
    sid = net.call()
    stream = app.next_stream()
    refused, moved = rest(net, ["update", sid, {"status": "canceled"}],
                          ["update", sid, {"twiml": "<Response><Pause length=\"30\"/></Response>"}])
    assert refused["code"] == 21220 and moved["ok"]["status"] == "in-progress"
    assert stream.closed.wait(10) and stream.of("stop")
    [ended] = rest(net, ["update", sid, {"status": "completed"}])
    assert ended["ok"]["status"] == "completed" and ended["ok"]["duration"] is not None
    net.ask("POST", "/destinations", {"number": "+14155550125", "ring_ms": 60000})
    sid = outbound(net, app, to="+14155550125")
    [canceled] = rest(net, ["update", sid, {"status": "canceled"}])
    assert canceled["ok"]["status"] == "canceled"


def test_rest_too_many_requests_come_in_bursts_and_were_not_carried_out(app, net):
    """The SDK repeats 429 only when told to, so it shows here as it is."""
    before = len(net.ask("GET", "/calls")["calls"])
    net.faults(rest_429=1)
    create = ["create", {"to": "+14155550123", "from": NUMBER, "twiml": "<Response/>"}]
    refused, placed = rest(net, create, create)
    assert (refused["status"], refused["code"]) == (429, 20429) and placed["ok"]["sid"]
    assert len(net.ask("GET", "/calls")["calls"]) == before + 1


def test_rest_5xx_after_the_call_was_created_is_found_by_listing(app, net):
    net.faults(create_5xx_after=1)
    failed, listed = rest(net, ["create", {"to": "+14155550199", "from": NUMBER,
                                           "twiml": "<Response/>"}],
                          ["list", {"to": "+14155550199", "startTimeAfter": "2020-01-01T00:00:00Z"}])
    assert failed["status"] == 500
    assert [c["to"] for c in listed["ok"]] == ["+14155550199"]


def test_rest_lists_page_by_page(app, net):
    to = "+14155550177"
    made = rest(net, *[["create", {"to": to, "from": NUMBER, "twiml": "<Response/>"}]] * 5)
    sids = [m["ok"]["sid"] for m in made]
    [listed] = rest(net, ["list", {"to": to, "pageSize": 2}])
    assert [c["sid"] for c in listed["ok"]] == sids[::-1]
    key = base64.b64encode(f"{phone.ACCOUNT}:{TOKEN}".encode()).decode()
    path = f"/2010-04-01/Accounts/{phone.ACCOUNT}/Calls.json?To=%2B14155550177&PageSize=2"
    pages = []
    while path:
        status, text = support.request("GET", net.rest + path,
                                       headers={"Authorization": f"Basic {key}"})
        assert status == 200
        page = json.loads(text)
        pages.append(page)
        path = page["next_page_uri"]
    assert [len(p["calls"]) for p in pages] == [2, 2, 1]
    assert [p["page"] for p in pages] == [0, 1, 2]
    status, text = support.request(
        "GET", f"{net.rest}/2010-04-01/Accounts/{phone.ACCOUNT}/Calls.json?Page=1",
        headers={"Authorization": f"Basic {key}"})
    assert status == 400  # a page token cannot be made up


def test_calls_by_rest_leave_the_queue_one_by_one():
    with network("--cps", "2") as (app, net):
        make = ["create", {"to": "+14155550123", "from": NUMBER, "twiml": "<Response/>"}]
        made = rest(net, make, make)
        assert [m["ok"]["status"] for m in made] == ["queued", "queued"]
        sids = [m["ok"]["sid"] for m in made]
        for sid in sids:
            net.wait_ended(sid)
        waited = [int(a["ok"]["queueTime"]) for a in rest(net, *[["fetch", s] for s in sids])]
        assert waited[1] - waited[0] >= 0 and waited[1] > 0


# ---- Dial and conferences -----------------------------------------------------------------------


def test_dial_tells_its_action_how_the_leg_went(app, net):
    net.ask("POST", "/destinations", {"number": "+14155550130", "ring_ms": 10,
                                      "script": [{"pause": 100}, {"hangup": True}]})
    app.routes["/voice"] = ("<Response><Dial action=\"/after\"><Number statusCallback=\"/leg\">"
                            "+14155550130</Number></Dial></Response>").replace(
                                "\"/leg\"", f"\"{app.url('/leg')}\"")
    app.routes["/after"] = "<Response><Hangup/></Response>"
    sid = net.call()
    net.wait_ended(sid)
    after, leg = app.asked("/after")[0], app.wait_asked("/leg")[0]
    assert after["DialCallStatus"] == "completed" and after["DialBridged"] == "true"
    assert leg["ParentCallSid"] == sid and leg["CallSid"] == after["DialCallSid"]


def conference(label, **more):
    attributes = "".join(f" {k}=\"{v}\"" for k, v in more.items())
    return (f"<Response><Dial action=\"/left\"><Conference participantLabel=\"{label}\"{attributes}>"
            "room</Conference></Dial></Response>")


def test_conference_starts_with_two_tells_the_first_participants_callback_and_ends_with_its_host(app, net):
    app.routes["/left"] = "<Response><Hangup/></Response>"
    callback = {"statusCallback": app.url("/room"), "statusCallbackEvent": "start end join leave"}
    app.routes["/voice"] = conference("customer", startConferenceOnEnter="false", **callback)
    first = net.call()
    app.wait_asked("/room", 1)
    app.routes["/voice"] = conference("customer")  # the same label
    double = net.call()
    assert codes(net.wait_ended(double)) == [16025]
    app.routes["/voice"] = conference("agent", endConferenceOnExit="true",
                                      statusCallback=app.url("/other"))
    second = net.call()
    app.wait_asked("/room", 3)
    told = sorted((int(r["SequenceNumber"]), r["StatusCallbackEvent"]) for r in app.asked("/room"))
    assert told == [(1, "participant-join"), (2, "participant-join"), (3, "conference-start")]
    net.hang_up(second)
    net.wait_ended(first)
    assert app.asked("/left")[0]["DialCallStatus"] == "answered"
    assert app.asked("/left")[0].get("DialCallSid") is None
    app.wait_asked("/room", 5)
    ended = next(r for r in app.asked("/room") if r["StatusCallbackEvent"] == "conference-end")
    assert ended["ReasonConferenceEnded"] == "participant-with-end-conference-on-exit-left"
    assert ended["CallSidEndingConference"] == second
    assert not app.asked("/other")


# ---- the simulator itself -----------------------------------------------------------------------


def test_command_line_places_one_call_and_prints_its_events(app, net, tmp_path):
    script = tmp_path / "script.json"
    script.write_text(json.dumps([{"say": "Hello."}, {"hangup": True}]))
    app.routes["/voice"] = app.stream_doc()
    done = subprocess.run(
        [f"{support.bin_folder()}/trunkline-sim-twilio", "--call", "+14155550100", "--script", script,
         "--number", f"{NUMBER}={app.url('/voice')},{app.url('/status')}", "--allow-plain", "--phrases", phone.PHRASES,
         "--speech-cache", phone.SPEECH_CACHE],
        stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert set(lines[0]) == {"listening", "control"}
    events = [line["event"] for line in lines[1:]]
    assert events[0] == "status" and {"said", "hung_up", "ended", "stream.closed"} < set(events)
    assert app.asked("/status")[0]["CallStatus"] == "completed"  # it does not leave before it told


def test_events_are_streamed_to_who_waits(app, net):
    app.routes["/voice"] = app.stream_doc()
    sid = net.call()
    app.next_stream()
    seen, at = [], 0
    while "ended" not in [e["event"] for e in seen]:
        if any(e["event"] == "stream.started" for e in seen):
            net.hang_up(sid)
        status, text = support.get(f"{net.control}/calls/{sid}/events?from={at}&wait_ms=5000")
        assert status == 200
        at += len(text.encode())
        seen += [json.loads(line) for line in text.splitlines()]
    assert {e["call_sid"] for e in seen} == {sid}


def test_many_calls_come_at_their_rate_and_each_frame_is_sent(app, net):
    app.routes["/voice"] = app.stream_doc()
    sids = net.ask("POST", "/calls", {
        "to": NUMBER, "count": 20, "rate": 100,
        "script": [{"say": "My order number is seven four one nine two."}, {"hangup": True}]})["calls"]
    assert len(set(sids)) == 20
    for sid in sids:
        [said] = net.wait_ended(sid)["said"]
        assert said["whole"] and said["lost_frames"] == 0
    created = [net.report(s)["created_us"] for s in sids]
    assert created == sorted(created) and created[-1] - created[0] >= 180_000


def test_barge_in_speaks_while_the_answer_is_heard(app, net):
    frames = record_phrase(app, net, "My order number is seven four one nine two.")
    sid = net.call([{"barge_in": 400}, {"say": "Hello."}, {"hangup": True}])
    stream = app.next_stream()
    for payload in frames:
        stream.media(payload)
    report = net.wait_ended(sid)
    [heard] = report["heard"]
    assert not heard["exact"] and heard["phrase"].startswith("My order")
    assert heard["start_ms"] + 300 <= report["said"][0]["start_ms"] < heard["end_ms"]


def test_a_script_goes_back_until_its_time(app, net):
    app.routes["/voice"] = app.stream_doc()
    sid = net.call([{"say": "Hello."}, {"pause": 40}, {"again": 0, "until_ms": 900}, {"hangup": True}])
    said = net.wait_ended(sid)["said"]
    assert len(said) >= 2 and said[-1]["whole"] and said[-1]["start_ms"] < 1100


def test_a_half_open_stream_neither_sends_nor_takes(app, net):
    app.routes["/voice"] = app.stream_doc(action=" action=\"/again\"")
    sid = net.call()
    stream = app.next_stream()
    stream.wait("media", 5)
    net.hurt(sid, half_open=True)
    count = len(stream.of("media"))
    stream.clear()
    net.wait_report(sid, lambda r: len(stream.of("media")) <= count + 1, "no more media")
    assert not stream.closed.is_set()
    net.hang_up(sid)
    assert stream.closed.wait(10) and not stream.of("stop")
    assert net.wait_ended(sid)["streams"][0]["clears_received"] == 0
