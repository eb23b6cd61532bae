"""Keys and certificates of a demonstration: made once, kept in one private folder."""
import json
import os
import secrets
import subprocess

from .postgres import write_private


class Credentials:
    """In `folder`: secrets.json, and ca.pem, cert.pem, key.pem for 127.0.0.1 and localhost."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self.ca, self.cert, self.key = (f"{folder}/{n}.pem" for n in ("ca", "cert", "key"))
        self.secrets = self._secrets()
        if not os.path.exists(self.cert):
            self._make_certificate()

    def _secrets(self):
        path = f"{self.folder}/secrets.json"
        if not os.path.exists(path):
            write_private(path, json.dumps({
                "twilio_account_sid": "AC" + secrets.token_hex(16),
                "twilio_auth_token": secrets.token_hex(16),
                "openai_api_key": "sk-sim-" + secrets.token_hex(16),
                "signing_key": secrets.token_hex(32),
            }, indent=1))
        with open(path) as f:
            return json.load(f)

    def _make_certificate(self):
        ca_key, request, extensions = (f"{self.folder}/{n}" for n in
                                       ("ca-key.pem", "request.pem", "extensions"))
        with open(extensions, "w") as f:
            f.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n"
                    "basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\n")
        new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        openssl("req", "-x509", *new_key, "-keyout", ca_key, "-out", self.ca, "-days", "3650",
                "-subj", "/CN=Trunkline demonstration CA")
        openssl("req", *new_key, "-keyout", self.key, "-out", request,
                "-subj", "/CN=localhost")
        openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", ca_key,
                "-CAcreateserial", "-days", "825", "-extfile", extensions, "-out", self.cert)


def openssl(*arguments):
    run = subprocess.run(["openssl", *arguments], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if run.returncode != 0:
        raise RuntimeError(f"openssl {arguments[0]} failed:\n{run.stdout}")
