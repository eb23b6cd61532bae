"""What the callers of a bench say.

Each call opens with a sentence of its own, "I am caller number 17.", by which its AI session is found
among all others; what follows are small sentences, begun at another place by each caller.
"""
SMALL_TALK = [
    ("Can you hear me?", "I can hear you very well."),
    ("What are your opening hours?", "We are open from nine in the morning to six in the evening."),
    ("Where are you located?", "Our office is at forty two Harbour Street."),
    ("Can I change the delivery address?", "Of course. Please tell me the new address."),
    ("How much does express shipping cost?", "Express shipping costs nine dollars."),
    ("Do you have this jacket in blue?", "Yes, we have it in small, medium and large."),
    ("When will my parcel arrive?", "Your parcel arrives tomorrow."),
    ("I want to return a pair of shoes.", "No problem. You have thirty days to return them."),
]
LISTEN = {"wait_answer": True, "timeout_ms": 15000}


def opening(n):
    return f"I am caller number {n}.", f"Good day, caller number {n}."


def phrase_file(calls):
    """Text of the file that both simulators read."""
    lines = [" | ".join(pair) for pair in SMALL_TALK + [opening(n) for n in range(1, calls + 1)]]
    return "# Made by tests/bench/calls.\n" + "\n".join(lines) + "\n"


def script(n, greeted):
    """Caller n: hears the greeting out, then says and listens until it is told to hang up."""
    begin = n % len(SMALL_TALK)
    steps = [{"wait_answer": True}] if greeted else []
    steps += [{"say": opening(n)[0]}, LISTEN]
    again = len(steps)
    for ask, _ in SMALL_TALK[begin:] + SMALL_TALK[:begin]:
        steps += [{"say": ask}, LISTEN, {"hangup": True, "when_told": True}]
    return [*steps, {"again": again}]
