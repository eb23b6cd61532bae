"""Waiting for conditions, never for time."""
import time


class Timeout(Exception):
    """The condition did not become true before its deadline."""


def wait_for(condition, what, timeout_s=60.0, interval_s=0.05, failed=None):
    """Return condition()'s first true value.

    `what` names the condition in the Timeout. `failed()` may return a reason to stop waiting at
    once (the process died): it is raised as RuntimeError.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        reason = failed() if failed else None
        if reason:
            raise RuntimeError(f"{what}: {reason}")
        if time.monotonic() > deadline:
            raise Timeout(f"{what}: not within {timeout_s:.0f} s")
        time.sleep(interval_s)
