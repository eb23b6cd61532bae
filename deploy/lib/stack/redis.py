"""Redis, in memory only: what is in it can always be made again from the topics."""
import os
import socket

from .process import Command


class Redis:
    name = "redis"

    def __init__(self, folder, port):
        self.folder = folder
        self.port = port
        self.url = f"redis://127.0.0.1:{port}/0"

    def prepare(self):
        os.makedirs(self.folder, exist_ok=True)

    def command(self):
        return Command(["redis-server", "--port", self.port, "--bind", "127.0.0.1",
                        "--dir", self.folder, "--save", "", "--appendonly", "no"],
                       cwd=self.folder)

    def ready(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2.0) as s:
                s.sendall(b"PING\r\n")
                return s.recv(16).startswith(b"+PONG")
        except OSError:
            return False
