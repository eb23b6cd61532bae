"""deploy/down: stop what deploy/up started, and on request remove its state."""
import argparse
import os
import shutil
import sys

from .supervisor import Supervised
from .up import LOCAL, ROOT, only_one

# The last first: nothing may lose a server that it still needs while it drains.
SERVERS = ["registry", "kafka", "redis", "postgres"]
ORDER = ["ingest", "conversation", "sink", "telephony", "sim-twilio", "sim-openai", *SERVERS]


def rank(name):
    return next((n for n, prefix in enumerate(ORDER) if name.startswith(prefix)), 0)


def stop_all(dry_run):
    """Through the supervisor; by pid what a supervisor that was killed left behind."""
    supervised = Supervised(LOCAL)
    guarded = supervised.is_running()
    runner = supervised if guarded else supervised.local
    names = [n for n in runner.names() if guarded or runner.pid(n)]
    if not names:
        print("nothing runs")
    for name in sorted(names, key=rank):
        print(f"{'would stop' if dry_run else 'stopping'} {name}", flush=True)
        if not dry_run:
            runner.stop(name)
    if guarded and not dry_run:
        supervised.quit()


def purge(dry_run):
    if dry_run:
        print(f"would remove {LOCAL}: topics, database, logs, keys, certificates, chosen ports")
    else:
        print(f"removing {LOCAL} for good: topics, database, logs, keys, certificates, chosen ports")
    for name in sorted(os.listdir(LOCAL)):
        print(f"  {name}")
    if dry_run:
        print("nothing was changed")
    else:
        shutil.rmtree(LOCAL)
    print("build/ and the installed packages stay")


def main():
    parser = argparse.ArgumentParser(prog="deploy/down")
    parser.add_argument("--purge", action="store_true")
    parser.add_argument("--dry-run", action="store_true")
    args = parser.parse_args()
    try:
        if not os.path.isdir(LOCAL):
            print(f"{os.path.relpath(LOCAL, ROOT)} does not exist: nothing was started here")
            return 0
        with only_one():
            stop_all(args.dry_run)
            if args.purge:
                purge(args.dry_run)
    except (RuntimeError, OSError) as e:
        print(f"deploy/down: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
