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
    supervised = Supervised(LOCAL)
    if not supervised.is_running():
        print("nothing runs" if not dry_run else "nothing runs, nothing to stop")
        return
    for name in sorted(supervised.names(), key=rank):
        print(f"{'would stop' if dry_run else 'stopping'} {name}", flush=True)
        if not dry_run:
            supervised.stop(name)
    if not dry_run:
        supervised.quit()


def purge(dry_run):
    if not os.path.isdir(LOCAL):
        print(f"{LOCAL} does not exist, nothing to remove")
        return
    verb = "would remove" if dry_run else "removing"
    print(f"{verb} {LOCAL}: topics, database, logs, keys, certificates, chosen ports")
    for name in sorted(os.listdir(LOCAL)):
        print(f"  {name}")
    print("It cannot be undone." if not dry_run else "Nothing was changed.")
    if not dry_run:
        shutil.rmtree(LOCAL)


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
