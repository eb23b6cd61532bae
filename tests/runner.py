"""Runs the suites that tests/run names and counts what passed and failed."""
import argparse
import glob
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree

from stack import build, java
from stack.progress import Progress

ROOT = java.ROOT
LOG = f"{ROOT}/build/test-log"
PYTHON = f"{ROOT}/build/python"


class Tally:
    """What passed, failed and was left out so far."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, ok):
        self.passed += bool(ok)
        self.failed += not ok

    def add_junit(self, path):
        """Counts of a JUnit file, as ctest and pytest write them. One that is missing or empty
        is a failure: the suite did not run."""
        cases = []
        if os.path.exists(path):
            cases = list(xml.etree.ElementTree.parse(path).iter("testcase"))
        for case in cases:
            bad = case.find("failure") is not None or case.find("error") is not None
            left_out = case.find("skipped") is not None
            self.skipped += left_out and not bad
            self.failed += bad
            self.passed += not bad and not left_out
        if not cases:
            self.failed += 1


class Runner:
    def __init__(self, args):
        self.args = args
        self.progress = Progress()
        self.tally = Tally()
        self.built = {}  # preset: whether it built
        os.makedirs(LOG, exist_ok=True)

    def lint(self):
        for check in sorted(glob.glob(f"{ROOT}/tests/lint/check-*")):
            run = subprocess.run([check], cwd=ROOT, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            self.progress.say(f"lint: {os.path.basename(check)}: "
                              f"{'passed' if run.returncode == 0 else 'FAILED'}")
            if run.returncode != 0:
                print(run.stdout, end="")
            self.tally.add(run.returncode == 0)
        self._advise()

    def _advise(self):
        """Checks whose findings are told and not counted."""
        for check in sorted(glob.glob(f"{ROOT}/tests/lint/advise-*")):
            run = subprocess.run([check], cwd=ROOT, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, text=True)
            found = run.stdout.split()
            self.progress.say(f"lint: {os.path.basename(check)}: {len(found)} files "
                              f"{' '.join(found[:3])}{' …' if len(found) > 3 else ''}")

    def unit(self):
        self._build("asan")
        junit = f"{LOG}/unit.xml"
        with self.progress.step("unit", "ctest under ASan and UBSan, with the fuzz corpora"):
            self._ctest(f"{ROOT}/build/asan", junit)
        self.tally.add_junit(junit)

    def _ctest(self, folder, junit):
        if os.path.exists(junit):
            os.unlink(junit)
        subprocess.run(["ctest", "--test-dir", folder, "--output-on-failure", "--no-tests=error",
                        "-j", str(os.cpu_count()), "--output-junit", junit],
                       stdin=subprocess.DEVNULL, env={**os.environ, **sanitizer_env()})

    def integration(self):
        if not self._build("asan"):
            self.progress.say("integration: left out, the programs did not build")
            return
        with self.progress.step("packages of the tests", "pip, npm, Maven"):
            python_packages(self.progress)
            build.npm_install(f"{ROOT}/tests/node", "node-tests", self.progress)
            build.dbmate(self.progress)
            java.fetch()
        junit = f"{LOG}/integration.xml"
        if os.path.exists(junit):
            os.unlink(junit)
        with self.progress.step("integration", "pytest"):
            subprocess.run(
                [f"{PYTHON}/bin/python", "-m", "pytest", "-c", f"{ROOT}/tests/integration/pytest.ini",
                 f"{ROOT}/tests/integration", f"{ROOT}/tests/faults", f"--junitxml={junit}",
                 *self.args.pytest],
                cwd=f"{ROOT}/tests/integration", stdin=subprocess.DEVNULL,
                env={**os.environ, **sanitizer_env(), "TL_TEST_BIN": f"{ROOT}/build/asan/bin"})
        self.tally.add_junit(junit)

    def fuzz(self):
        self._build("fuzz")
        for program in sorted(glob.glob(f"{ROOT}/build/fuzz/**/fuzz_*", recursive=True)):
            if os.access(program, os.X_OK) and os.path.isfile(program):
                self._fuzz_one(program)

    def _fuzz_one(self, program):
        name = os.path.basename(program).removeprefix("fuzz_")
        work = f"{ROOT}/build/fuzz-corpus/{name}"
        os.makedirs(work, exist_ok=True)
        seeds = [f for f in [f"{ROOT}/tests/fuzz/corpus/{name}"] if os.path.isdir(f)]
        log = f"{LOG}/fuzz_{name}.log"
        with self.progress.step(f"fuzz {name}", f"{self.args.seconds} s"), open(log, "wb") as out:
            run = subprocess.run(
                [program, f"-max_total_time={self.args.seconds}", "-timeout=10",
                 f"-artifact_prefix={LOG}/", "-print_final_stats=1", work, *seeds],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env={**os.environ, **sanitizer_env()})
        if run.returncode != 0:
            with open(log, errors="replace") as f:
                print("".join(f.readlines()[-40:]))
        self.tally.add(run.returncode == 0)

    def _build(self, preset):
        """True when all of it built; what did not is a failure, counted once."""
        if preset not in self.built:
            with self.progress.step(f"build {preset}", f"in build/{preset}"):
                try:
                    build.compile_preset(preset, self.progress, ["-k", "0"])
                    self.built[preset] = True
                except RuntimeError as e:
                    print(e, flush=True)
                    self.tally.add(False)
                    self.built[preset] = False
        return self.built[preset]

    def run(self, suites):
        for suite in suites:
            try:
                getattr(self, suite)()
            except (RuntimeError, OSError, xml.etree.ElementTree.ParseError) as e:
                print(f"{suite}: {e}", flush=True)
                self.tally.add(False)
        if self.tally.skipped:
            print(f"{self.tally.skipped} skipped")
        print(f"{self.tally.passed} passed, {self.tally.failed} failed", flush=True)
        return 1 if self.tally.failed or not self.tally.passed else 0


def sanitizer_env():
    """A finding ends the program with a report and a status that is nobody else's."""
    suppressions = f"{ROOT}/tests/lsan.supp"
    return {"ASAN_OPTIONS": "abort_on_error=0:exitcode=99:detect_stack_use_after_return=1",
            "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:exitcode=99",
            "LSAN_OPTIONS": f"suppressions={suppressions}:print_suppressions=0"}


def python_packages(progress):
    """A virtual environment of tests/requirements.txt in build/python."""
    wanted, done = f"{ROOT}/tests/requirements.txt", f"{PYTHON}/installed.txt"
    with open(wanted) as f:
        text = f.read()
    if os.path.exists(done):
        with open(done) as f:
            if f.read() == text:
                return
    shutil.rmtree(PYTHON, ignore_errors=True)
    progress.run("pip", [sys.executable, "-m", "venv", PYTHON], f"{LOG}/pip.log")
    progress.run("pip", [f"{PYTHON}/bin/pip", "install", "-r", wanted], f"{LOG}/pip.log")
    with open(done, "w") as f:
        f.write(text)


def main():
    parser = argparse.ArgumentParser(prog="tests/run", add_help=False)
    parser.add_argument("suites", nargs="*", metavar="SUITE")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--no-install", action="store_true")
    words = sys.argv[1:]
    behind = words.index("--") if "--" in words else len(words)
    args = parser.parse_args(words[:behind])
    args.pytest = words[behind + 1:]
    suites = []
    for suite in args.suites or ["all"]:
        if suite not in ("lint", "unit", "fuzz", "integration", "all"):
            parser.error(f"no suite {suite}")
        suites += ["lint", "unit", "integration"] if suite == "all" else [suite]
    return Runner(args).run(suites)


if __name__ == "__main__":
    sys.exit(main())
