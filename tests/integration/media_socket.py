"""A media stream that a test opens itself, as a document told it."""
import base64
import contextlib
import json
import secrets
import ssl
import threading

import websockets.exceptions
import websockets.sync.client

SILENCE = base64.b64encode(b"\xff" * 160).decode()


class Socket:
    """Signed, started, and with a frame each 20 ms; `stream` is the document's element, `reason` the one
    of the server's close frame, once it came."""

    def __init__(self, stack, hooks, stream, sid, frames=True):
        self.sid = "MZ" + secrets.token_hex(16)
        self.reason = None
        self.sent = 0
        trust = ssl.create_default_context(cafile=stack.layout.credentials.ca)
        self.socket = websockets.sync.client.connect(
            stream.get("url"), ssl=trust, additional_headers={
                "X-Twilio-Signature": hooks.signature("/media", {}, scheme="wss")})
        self.send({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        self.send({"event": "start", "sequenceNumber": "1", "streamSid": self.sid, "start": {
            "accountSid": stack.env["TWILIO_ACCOUNT_SID"], "streamSid": self.sid, "callSid": sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {p.get("name"): p.get("value") for p in stream.findall("Parameter")}}})
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.read, daemon=True)]
        if frames:
            self.threads.append(threading.Thread(target=self.speak, daemon=True))
        for thread in self.threads:
            thread.start()

    def send(self, message):
        self.socket.send(json.dumps(message))

    def speak(self):
        """A frame each 20 ms, as the network sends them."""
        with contextlib.suppress(websockets.exceptions.ConnectionClosed):
            while not self.stopping.wait(0.02):
                self.send({"event": "media", "sequenceNumber": str(self.sent + 2),
                           "streamSid": self.sid,
                           "media": {"track": "inbound", "chunk": str(self.sent + 1),
                                     "timestamp": str(self.sent * 20), "payload": SILENCE}})
                self.sent += 1

    def read(self):
        try:
            for _ in self.socket:
                pass
        except websockets.exceptions.ConnectionClosed:
            pass
        closed = self.socket.protocol.close_rcvd
        self.reason = closed.reason if closed else ""

    def stop(self):
        self.stopping.set()
        self.socket.close()
        for thread in self.threads:
            thread.join(10.0)
