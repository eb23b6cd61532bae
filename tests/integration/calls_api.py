"""The Calls resource of the telephone network's REST API, as small as telephony's tests need it:
it knows the calls it is told of, records requests, and answers as scripted."""
import base64
import http.server
import json
import threading
import urllib.parse


class CallsApi:
    def __init__(self, account, token):
        self.account = account
        self.authorization = "Basic " + base64.b64encode(f"{account}:{token}".encode()).decode()
        self.status = {}     # CallSid: status of calls that exist
        self.requests = []   # (method, CallSid, form)
        self.script = []     # answers before it behaves: (status, headers), or "hang up"
        self.ends = True     # an end is carried out
        self.lock = threading.Lock()
        self.gate = threading.Event()  # cleared: requests are taken and not answered
        self.gate.set()
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                api.answer(self, "GET")

            def do_POST(self):
                api.answer(self, "POST")

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                pass  # a client that was killed in mid-request

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def count(self, method, sid):
        with self.lock:
            return sum(1 for m, s, _ in self.requests if (m, s) == (method, sid))

    def forms(self, sid):
        with self.lock:
            return [form for m, s, form in self.requests if (m, s) == ("POST", sid)]

    def answer(self, handler, method):
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0)).decode()
        form = {k: v[0] for k, v in urllib.parse.parse_qs(body, strict_parsing=bool(body)).items()}
        sid = handler.path.rsplit("/", 1)[-1].removesuffix(".json")
        expected = f"/2010-04-01/Accounts/{self.account}/Calls/{sid}.json"
        with self.lock:
            self.requests.append((method, sid, form))
        self.gate.wait()
        with self.lock:
            scripted = self.script.pop(0) if self.script and method == "POST" else None
            if scripted == "carry out, then hang up":
                self.status[sid] = "completed"
            status, headers, reply = self._reply(handler, method, sid, form, expected, scripted)
        if status is None:
            handler.close_connection = True
            handler.connection.close()
            return
        text = json.dumps(reply).encode()
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    def _reply(self, handler, method, sid, form, expected, scripted):
        if scripted in ("hang up", "carry out, then hang up"):
            return None, {}, None
        if scripted:
            return scripted[0], scripted[1], {"code": scripted[0] * 100, "message": "scripted"}
        if handler.headers.get("Authorization") != self.authorization:
            return 401, {}, {"code": 20003, "message": "Authenticate"}
        if handler.path != expected or sid not in self.status:
            return 404, {}, {"code": 20404, "message": "not found"}
        if method == "POST":
            if self.status[sid] != "in-progress":
                return 400, {}, {"code": 21220, "message": "Call is not in-progress"}
            if self.ends and "Url" not in form:
                self.status[sid] = "completed"
        return 200, {}, {"sid": sid, "status": self.status[sid]}
