"""The history checker: what was said and heard against what was recorded. README.md has the rules."""
from .collect import collect
from .judge import check
from .model import KINDS, CallHistory, Fault, Finding, History

__all__ = ["collect", "check", "KINDS", "CallHistory", "Fault", "Finding", "History"]
