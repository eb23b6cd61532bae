"""deploy/up, deploy/down and what they are made of."""
import os
import signal
import socket

import pytest

import support
from stack import ports, supervisor
from stack.process import Command, Processes
from stack.supervisor import Supervised
from support import ROOT, wait_for


@pytest.mark.parametrize("command", ["deploy/up", "deploy/down", "tests/run"])
def test_help_explains_and_does_nothing(command):
    done = support.run(f"{ROOT}/{command}", "--help")
    assert done.stdout.startswith(f"usage: {command}")


def test_up_refuses_an_unknown_option():
    done = support.run(f"{ROOT}/deploy/up", "--frobnicate", check=False)
    assert done.returncode == 2
    assert "--frobnicate" in done.stderr


def test_up_names_what_to_install_when_it_may_not(tmp_path):
    packages = tmp_path / "packages.txt"
    packages.write_text("# a comment\nno-such-package-of-debian\nno-such-either bash\n")
    script = (f". {ROOT}/deploy/lib/packages.sh; TL_UP_STARTED=0; "
              f"tl_install_packages no {packages} {tmp_path}/log")
    done = support.run("bash", "-c", script, check=False)
    assert done.returncode == 1
    assert "apt-get install -y --no-install-recommends no-such-package-of-debian \n" in done.stderr


def test_ports_are_remembered_and_a_taken_one_is_stepped_over(tmp_path):
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        taken = stranger.getsockname()[1]
        chosen = ports.Ports(f"{tmp_path}/ports").get("kafka", taken)
        assert chosen > taken
    assert ports.Ports(f"{tmp_path}/ports").get("kafka", taken) == chosen


@pytest.fixture
def supervised(tmp_path):
    """A supervisor of its own; its processes are stopped afterwards."""
    client = Supervised(str(tmp_path))
    client.ensure(dict(os.environ))
    yield client
    if not client.is_running():  # a test that killed it
        client.ensure(dict(os.environ))
    for name in client.names():
        client.stop(name)
    client.quit()


def other_pid(client, name, pid):
    return wait_for(lambda: client.pid(name) not in (None, pid) and client.pid(name),
                    f"another {name} than {pid}")


def test_supervisor_restarts_what_is_killed(supervised):
    pid = supervised.start("sleeper", Command(["sleep", "600"]))
    os.kill(pid, signal.SIGKILL)
    other_pid(supervised, "sleeper", pid)
    assert supervised.status()["sleeper"]["restarts"] == 1


def test_supervisor_backs_off_from_what_always_crashes(supervised):
    supervised.start("crasher", Command(["false"]))
    wait_for(lambda: supervised.status()["crasher"]["waits_s"] > 0, "a pause before the restart")
    assert supervisor.backoff_s(1) == 0
    assert supervisor.backoff_s(5) > supervisor.backoff_s(4) > 0
    assert supervisor.backoff_s(100) == supervisor.BACKOFF_MAX_S
    with pytest.raises(RuntimeError, match="crashed"):
        supervised.wait_ready("crasher", lambda: False)


def test_a_new_supervisor_takes_over_what_a_killed_one_ran(supervised, tmp_path):
    pid = supervised.start("sleeper", Command(["sleep", "600"]))
    os.kill(supervised.ask({"verb": "whoami"})["pid"], signal.SIGKILL)
    wait_for(lambda: not supervised.is_running(), "the supervisor is gone")
    assert supervised.pid("sleeper") == pid
    supervised.ensure(dict(os.environ))
    assert supervised.status()["sleeper"]["pid"] == pid
    os.kill(pid, signal.SIGKILL)
    other_pid(supervised, "sleeper", pid)


def test_supervisor_bounds_logs(supervised, monkeypatch):
    script = "while :; do head -c 1000000 /dev/zero | tr '\\0' x; echo; done"
    supervised.start("chatter", Command(["bash", "-c", script]))
    path = supervised.log_path("chatter")
    wait_for(lambda: os.path.exists(f"{path}.1"), "the log is cut")
    supervised.stop("chatter")
    assert os.path.getsize(f"{path}.1") >= supervisor.LOG_BYTES_MAX


def test_stop_tells_who_had_to_be_killed(tmp_path):
    processes = Processes(str(tmp_path))
    script = "trap '' TERM; echo up; while :; do read -t 1 < <(:) || :; done"
    processes.start("stubborn", Command(["bash", "-c", script], stop_timeout_s=0.5))
    with open(processes.log_path("stubborn")) as log:
        wait_for(lambda: log.read(), "it ignores TERM")
    assert processes.stop("stubborn") is False
    assert processes.pid("stubborn") is None


def test_down_without_up_is_harmless(tmp_path):
    support.run("git", "clone", "-q", ROOT, f"{tmp_path}/clone")
    done = support.run(f"{tmp_path}/clone/deploy/down", "--purge", "--dry-run")
    assert "nothing was started here" in done.stdout
