"""Free loopback ports, remembered per name so that addresses stay the same over restarts."""
import json
import os
import socket

HOST = "127.0.0.1"


def is_free(port, host=HOST):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind((host, port))
        except OSError:
            return False
        return True


def is_open(port, host=HOST):
    """True when somebody listens there."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        s.settimeout(1.0)
        return s.connect_ex((host, port)) == 0


def any_free():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        s.bind((HOST, 0))
        return s.getsockname()[1]


class Ports:
    """Ports by name, kept in a JSON file.

    A remembered port is given again, whether it is free or held by our own running service; call
    forget() for one that a stranger has taken. A new one is the first free at or above `wanted`.
    """

    def __init__(self, path):
        self.path = path
        self.chosen = {}
        if os.path.exists(path):
            with open(path) as f:
                self.chosen = json.load(f)

    def get(self, name, wanted=None):
        if name not in self.chosen:
            self.chosen[name] = self._pick(wanted)
            self._save()
        return self.chosen[name]

    def forget(self, name):
        if self.chosen.pop(name, None) is not None:
            self._save()

    def _pick(self, wanted):
        if wanted is None:
            return any_free()
        taken = set(self.chosen.values())
        for port in range(wanted, 65536):
            if port not in taken and is_free(port):
                return port
        raise RuntimeError(f"no free port at or above {wanted}")

    def _save(self):
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        scratch = f"{self.path}.new"
        with open(scratch, "w") as f:
            json.dump(self.chosen, f, indent=1, sort_keys=True)
        os.replace(scratch, self.path)
