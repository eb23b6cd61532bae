"""The Java servers, fetched by Maven as deploy/java/pom.xml pins them."""
import fcntl
import hashlib
import os
import shutil
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
POM = f"{ROOT}/deploy/java/pom.xml"


def home():
    """Folder of this pom's jars, whether fetched yet or not."""
    with open(POM, "rb") as f:
        digest = hashlib.sha256(f.read()).hexdigest()[:12]
    return f"{ROOT}/build/servers-{digest}"


def is_fetched():
    return os.path.exists(f"{home()}/complete")


def fetch():
    """Have kafka/ and registry/ in home(); needs the network the first time only."""
    folder = home()
    os.makedirs(f"{ROOT}/build", exist_ok=True)
    with open(f"{ROOT}/build/servers.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs at once fetch once
        if is_fetched():
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        run = subprocess.run(
            ["mvn", "-B", "-q", "-f", POM, f"-Dservers.dir={folder}", "package"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if run.returncode != 0:
            raise RuntimeError(f"Maven could not fetch the Java servers:\n{run.stdout}")
        open(f"{folder}/complete", "w").close()
    return folder
