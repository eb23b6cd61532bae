"""What the callers of tests/bench/faults say: conversations of several turns, chosen by a seed."""
import random

from stack.java import ROOT

PHRASES = f"{ROOT}/tests/sim/phrases.txt"
GREETING = "Thank you for calling Harbour Lamps. How can I help you?"
SENTENCES = (
    "What are your opening hours?", "Where are you located?", "When will my parcel arrive?",
    "Can I change the delivery address?", "I want to return a pair of shoes.", "Yes, please.",
    "No, thank you.", "The lamp that you sent me is broken.", "How much does express shipping cost?",
    "Do you have this jacket in blue?", "I was charged twice this month.",
    "How long does a refund take?", "Can I get an invoice?", "I need an appointment for next week.",
    "Thursday is fine.", "Can you move my appointment to Friday?",
    "I would like to cancel my appointment.", "This is the third time I am calling about this!",
    "That is ridiculous, nobody ever helps me.", "That is wonderful, thank you so much!",
    "Are you a robot?", "Can you hear me?")
LONG, BREAK = "Tell me about your warranty.", "Wait a moment, please."  # its answer takes 20 s
GOODBYES = ("Goodbye.", "Thank you, that is all.")
LISTEN = {"wait_answer": True, "timeout_ms": 15000}
THINK_MS = (400, 1000, 1600, 2500)  # silence before the caller speaks again
NUMBER = "+15550300000"
BUSINESS = {
    "business": {"id": "lottery", "name": "Lottery", "numbers": [NUMBER]},
    "ai": {"greeting": GREETING, "instructions": "You talk to {from_number}.", "tools": ["end_call"]},
    "silence": {"prompt": "20s", "end": "60s"},
}


def listen(choice):
    return [LISTEN, {"wait_quiet": choice.choice(THINK_MS), "timeout_ms": 10000}]


def script(seed, n):
    """Caller n of the run with that seed: 20 to 40 s. One in three lets the AI end the call, one in six
    interrupts a long answer."""
    choice = random.Random(f"{seed}/{n}")
    steps = listen(choice)
    for sentence in choice.sample(SENTENCES, choice.randint(3, 5)):
        steps += [{"say": sentence}, *listen(choice)]
    if n % 6 == 5:
        steps += [{"say": LONG}, {"barge_in": choice.randint(1500, 6000), "timeout_ms": 15000},
                  {"say": BREAK}, *listen(choice)]
    if n % 3 == 2:  # the AI ends it; the caller's patience has an end too
        steps += [{"say": choice.choice(GOODBYES)}, {"pause": 40000}]
    return [*steps, {"hangup": True}]


def caller(n):
    """A number of his own, by which his AI sessions are found."""
    return f"+1415{n:07d}"
