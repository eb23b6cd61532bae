"""The telephone simulator as a test drives it, and a small media application for it to call."""
import contextlib
import http.server
import json
import os
import queue
import subprocess
import threading
import urllib.parse

import websockets.exceptions
import websockets.sync.server

import support
from stack.wait import wait_for

NUMBER = "+15005550006"
ACCOUNT = "AC00000000000000000000000000000001"
TOKEN = "0123456789abcdef0123456789abcdef"
PHRASES = f"{support.ROOT}/tests/sim/phrases.txt"
SPEECH_CACHE = f"{support.ROOT}/build/speech"


class Request:
    """A webhook as it came."""

    def __init__(self, handler, body):
        self.method = handler.command
        self.target = handler.path
        self.path = urllib.parse.urlsplit(handler.path).path
        self.headers = handler.headers
        self.body = body
        text = body.decode() if body else urllib.parse.urlsplit(handler.path).query
        self.fields = urllib.parse.parse_qsl(text, keep_blank_values=True)

    def __getitem__(self, name):
        return dict(self.fields)[name]

    def get(self, name):
        return dict(self.fields).get(name)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self, body)
        app = self.server.app
        app.requests.append(request)
        reply = app.routes.get(request.path, "<Response/>")
        if callable(reply):
            reply = reply(request)
        status, headers, text = reply if isinstance(reply, tuple) else (200, {}, reply)
        if status is None:  # cut the line without an answer
            self.close_connection = True
            return
        data = text.encode() if isinstance(text, str) else text
        self.send_response(status)
        headers = {"Content-Type": "text/xml", **headers, "Content-Length": str(len(data))}
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


class HttpServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):  # a simulator that ends leaves connections behind
        pass


class MediaStream:
    """One media stream, seen by the application."""

    def __init__(self, socket):
        self.socket = socket
        self.headers = socket.request.headers
        self.path = socket.request.path
        self.messages = []
        self.closed = threading.Event()
        self.arrived = threading.Condition()

    @property
    def sid(self):
        return self.start["streamSid"]

    @property
    def start(self):
        return self.first("start")

    def of(self, event):
        with self.arrived:
            return [m for m in self.messages if m["event"] == event]

    def first(self, event):
        found = self.wait(event)
        return found[0]

    def wait(self, event, count=1, timeout_s=20.0):
        """The messages of that event, once there are `count`."""
        with self.arrived:
            assert self.arrived.wait_for(
                lambda: len([m for m in self.messages if m["event"] == event]) >= count,
                timeout_s), f"{count} {event} do not come: {self.messages[-3:]}"
        return self.of(event)

    def send(self, message):
        self.socket.send(message if isinstance(message, (str, bytes)) else json.dumps(message))

    def media(self, payload):
        self.send({"event": "media", "streamSid": self.sid, "media": {"payload": payload}})

    def mark(self, name):
        self.send({"event": "mark", "streamSid": self.sid, "mark": {"name": name}})

    def clear(self):
        self.send({"event": "clear", "streamSid": self.sid})

    def reset(self):
        """RST, no close frame."""
        import socket
        import struct
        raw = self.socket.socket
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.close()

    def run(self, on_message):
        try:
            for text in self.socket:
                message = json.loads(text)
                with self.arrived:
                    self.messages.append(message)
                    self.arrived.notify_all()
                if on_message:
                    on_message(self, message)
        except (websockets.exceptions.ConnectionClosed, OSError, ValueError):
            pass  # the other side left, or (ValueError) sent what is no JSON
        finally:
            self.closed.set()
            with self.arrived:
                self.arrived.notify_all()


class App:
    """What a customer of the telephone network runs: webhooks and a media server."""

    def __init__(self):
        self.routes = {}
        self.requests = []
        self.streams = queue.Queue()
        self.on_message = None  # of every stream
        self.refuse_streams = False
        self.http = HttpServer(("127.0.0.1", 0), Handler)
        self.http.app = self
        self.media = websockets.sync.server.serve(
            self._stream, "127.0.0.1", 0, max_size=None, ping_interval=None,
            process_request=self._handshake)
        self.port = self.http.server_address[1]
        self.media_port = self.media.socket.getsockname()[1]
        for server in (self.http, self.media):
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def _handshake(self, connection, request):
        if self.refuse_streams:
            return connection.respond(403, "no\n")
        return None

    def _stream(self, socket):
        stream = MediaStream(socket)
        self.streams.put(stream)
        stream.run(self.on_message)

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    @property
    def media_url(self):
        return f"ws://127.0.0.1:{self.media_port}/media"

    def stream_doc(self, inside="", action="", stream="", behind=""):
        """A document that connects to the media server."""
        return (f"<Response><Connect{action}><Stream url=\"{self.media_url}\"{stream}>{inside}"
                f"</Stream></Connect>{behind}</Response>")

    def next_stream(self, timeout_s=20.0):
        stream = self.streams.get(timeout=timeout_s)
        stream.wait("start")
        return stream

    def asked(self, path):
        return [r for r in self.requests if r.path == path]

    def wait_asked(self, path, count=1):
        wait_for(lambda: len(self.asked(path)) >= count, f"{count} requests for {path}", 20.0)
        return self.asked(path)

    def forget(self):
        """Begin anew: no routes, requests or streams."""
        self.routes.clear()
        self.requests.clear()
        self.on_message = None
        while not self.streams.empty():
            self.streams.get()

    def stop(self):
        for server in (self.http, self.media):
            server.shutdown()
        self.http.server_close()


class Phone:
    """A telephone simulator of its own."""

    def __init__(self, app, *arguments, number_urls="", plain=True):
        urls = number_urls or f"{app.url('/voice')},{app.url('/status')},{app.url('/fallback')}"
        argv = [f"{support.bin_folder()}/trunkline-sim-twilio", "--number", f"{NUMBER}={urls}",
                "--account-sid", ACCOUNT, "--auth-token", TOKEN, "--phrases", PHRASES,
                "--speech-cache", SPEECH_CACHE, "--ring-ms", "20", "--cps", "0", *arguments]
        if plain:
            argv.append("--allow-plain")
        os.makedirs(SPEECH_CACHE, exist_ok=True)
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        ports = json.loads(self.process.stdout.readline())
        self.rest = f"http://127.0.0.1:{ports['listening']}"
        self.control = f"http://127.0.0.1:{ports['control']}"

    def ask(self, method, path, body=None, want=(200, 201)):
        status, text = support.request(method, self.control + path, body, timeout_s=30.0)
        assert status in want, f"{method} {path}: {status} {text}"
        return json.loads(text)

    def call(self, script=(), **more):
        """Place a call; returns its SID."""
        body = {"to": NUMBER, "from": "+14155550100", "script": list(script), **more}
        return self.ask("POST", "/calls", body)["calls"][0]

    def report(self, sid, frames=False):
        return self.ask("GET", f"/calls/{sid}{'?frames=1' if frames else ''}")

    def wait_report(self, sid, fits, what):
        """The call's report, as soon as fits(report)."""
        found = []

        def look():
            report = self.report(sid)
            found[:] = [report]
            return fits(report)

        try:
            wait_for(look, what, 30.0)
        except Exception as e:
            raise AssertionError(f"{what}: {json.dumps(found, indent=1)[:4000]}") from e
        return found[0]

    def wait_ended(self, sid):
        """The call's report once it is over and its sockets are closed."""
        return self.wait_report(
            sid, lambda r: r["ended_ms"] is not None and len(r["streams"]) >= r["streams_started"],
            "the call ends")

    def faults(self, **faults):
        return self.ask("POST", "/faults", faults)

    def hurt(self, sid, **fault):
        return self.ask("POST", f"/calls/{sid}/faults", fault)

    def hang_up(self, sid):
        self.ask("POST", f"/calls/{sid}/hangup")

    def stop(self):
        self.process.terminate()
        status = self.process.wait(30)
        self.process.stdout.close()
        assert status == 0, f"the simulator ended with {status}"


@contextlib.contextmanager
def network(*arguments, **more):
    """An application and the network that calls it."""
    app = App()
    phone = Phone(app, *arguments, **more)
    try:
        yield app, phone
    finally:
        phone.stop()
        app.stop()


def codes(report):
    """Numbers of the errors that the network found."""
    return [e["code"] for e in report["errors"]]
