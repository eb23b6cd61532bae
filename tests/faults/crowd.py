"""Callers who talk on and on, each in another sentence, until they are told to hang up."""
import contextlib
import os
import time

import redis
from confluent_kafka import Consumer, TopicPartition

import callers
import history
import support
from callers import GREETING, answer
from stack.wait import Timeout
from support import wait_for

CALLS = int(os.environ.get("TL_TEST_CALLS", "20"))  # fewer on a machine that has other things to do
DEADLINE_S = 30.0  # for the calls to go on after a fault
SAYINGS = [  # short ones: a caller who is answered has said the next thing after five seconds
    "Can you hear me?", "What are your opening hours?", "Yes, please.", "Hello.", "No, thank you.",
    "Are you a robot?", "Do you speak Spanish?", "Can I get an invoice?",
    "Can I change the delivery address?", "How long does a refund take?",
    "That is wonderful, thank you so much!", "I would like to cancel my appointment.",
]
ANSWERS = {said: answer(said) for said in SAYINGS}
BUSINESS = "crowd"


def now_us():
    """The clock of the simulators' reports."""
    return time.monotonic_ns() // 1000


def open_business(stack):
    """The number that crowds ring. A caller who was not understood is asked again after 8 s."""
    return callers.apply_business(stack, BUSINESS, silence={"prompt": "8s", "end": "60s"})


def script(n):
    """Caller n begins a little later than caller n - 1, with another sentence."""
    begin = n * 5 % len(SAYINGS)
    steps = [{"wait_answer": True}, {"pause": n % 10 * 250}]
    for said in SAYINGS[begin:] + SAYINGS[:begin]:
        steps += [{"say": said}, {"wait_answer": True}, {"hangup": True, "when_told": True}]
    return [*steps, {"again": 2}]


class Crowd:
    """Calls that are looked at together. `log` is a follow.Log of calls.v1; `scripts` makes the script
    of caller n; `keep`: sessions of earlier calls are still needed; `more` as in POST /calls."""

    def __init__(self, stack, log, count=CALLS, scripts=script, keep=False, **more):
        self.stack = stack
        self.log = log
        if not keep:
            callers.service(stack, "DELETE", "/sessions")
        self.faults = []  # history.Fault of each that they suffered
        self.calls = []
        for n in range(count):
            steps = scripts(n)
            self.calls.append(callers.place(stack, steps, stack.businesses[BUSINESS], frames=True,
                                            **more))
            self.calls[-1].script = steps

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:  # the next test begins with a quiet house
            for call in self.calls:
                call.hang_up()

    def reports(self):
        return {call: call.report() for call in self.calls}

    def wait_all(self, fits, what, timeout_s=DEADLINE_S, calls=None):
        """Wait until fits(call, report) of each call; tells of those of which it never was true."""
        waiting = list(calls or self.calls)

        def look():
            waiting[:] = [call for call in waiting if not fits(call, call.report())]
            return not waiting

        try:
            wait_for(look, what, timeout_s, 0.1)
        except Timeout as e:
            stories = "\n".join(story(call, self.log) for call in waiting[:4])
            raise AssertionError(f"{e}: {len(waiting)} of {len(self.calls)} calls wait:\n{stories}"
                                 ) from None

    def wait_talking(self):
        """All have been greeted, and have heard an answer."""
        self.wait_all(lambda _, report: len(callers.heard(report)) >= 2, "all calls talk", 60.0)

    def wait_goes_on(self, since_us, calls=None):
        """Each has said something since then, and heard its answer."""
        self.wait_all(lambda _, report: goes_on(report, since_us), "the calls go on", calls=calls)

    def wait_log(self, fits, what):
        """Wait until fits(), with the log read to its end each time."""
        wait_for(lambda: self.log.read() and fits(), what, DEADLINE_S, 0.1)

    @contextlib.contextmanager
    def suffers(self, fault):
        """The fault holds within. It is healed in any case: the next test finds a whole house."""
        what = type(fault).__name__
        touched = [call.call_id for call in fault.calls] or None
        mark = history.Fault.now(fault.kind, fault.victims or fault.dies, what=what, calls=touched)
        self.faults.append(mark)
        fault.inject()
        try:
            yield mark.at_us
        finally:
            fault.heal()
            mark.over_us = now_us()

    def holders(self, part="mailbox"):
        """Call → number of the conversation that holds it ("ingest": of the ingest), by the log."""
        self.log.read()
        held = {call: self.log.of(call, "session_started") for call in self.calls}
        return {call: started[-1]["session_started"][part] for call, started in held.items() if started}

    def held_by(self, name):
        """The calls of a process: conversation-N or ingest-N."""
        kind, _, number = name.partition("-")
        holders = self.holders("mailbox" if kind == "conversation" else "ingest")
        return [call for call, holder in holders.items() if holder == int(number)]

    def wait_moved(self, *names):
        """No call is held by these processes any more."""
        for name in names:
            wait_for(lambda n=name: not self.held_by(n), f"the calls of {name} are elsewhere",
                     DEADLINE_S, 0.2)

    def assert_alive(self):
        for call, report in self.reports().items():
            assert report["ended_ms"] is None, f"the call ended:\n{story(call, self.log)}"

    def hang_up(self):
        """All hang up at the end of their next answer; returns when all are closed."""
        hang_up(self)

    def wait_ended(self):
        self.wait_all(lambda _, report: report["ended_ms"] is not None, "all hang up")

    def wait_closed(self):
        self.wait_log(lambda: all(self.log.of(call, "closed") for call in self.calls),
                      "all calls are closed")

    def assert_recorded(self):
        """What the simulators said and heard is what the log and PostgreSQL hold, by the checker."""
        told = history.collect(self.stack, self.calls, self.faults)
        findings = history.check(told)
        if findings:
            path = f"{self.stack.folder}/history-{self.calls[0].sid}.json"
            told.save(path)
            named = {f.call_id for f in findings}
            stories = [story(c, self.log) for c in self.calls if c.call_id in named]
            raise AssertionError("\n".join([f"{len(findings)} findings, history in {path}",
                                            *map(str, findings[:12]), *stories[:4]]))

    def sessions(self):
        """Call → its AI sessions, the oldest first."""
        every = callers.service(self.stack, "GET", "/sessions?full=1")["sessions"]
        every.sort(key=lambda session: session["opened_us"])
        return {call: [s for s in every if call.caller in s["instructions"]] for call in self.calls}


def hang_up(*crowds):
    """These, and every other caller whose script waits for being told."""
    stack = crowds[0].stack
    callers.network(stack, "POST", "/told", {"told": True})
    try:
        for crowd in crowds:
            crowd.wait_ended()
    finally:
        callers.network(stack, "POST", "/told", {"told": False})
    for crowd in crowds:
        crowd.wait_closed()


def goes_on(report, since_us):
    """Something was said since then, and its answer heard."""
    said = [s for s in report["said"] if s["start_us"] > since_us and s["lost_frames"] == 0]
    return any(h["exact"] and h["phrase"] == ANSWERS.get(s["phrase"]) and h["start_us"] > s["end_us"]
               for s in said for h in report["heard"])


def exchanges(report):
    """(said, its answer, when that was heard to its end) of each exchange that was whole."""
    found = []
    for s in report["said"]:
        after = [h for h in report["heard"] if h["start_us"] > s["end_us"]]
        if s["whole"] and not s["lost_frames"] and after and after[0]["exact"] \
                and after[0]["phrase"] == ANSWERS.get(s["phrase"]):
            found.append((s["phrase"], after[0]["phrase"], after[0]["end_us"]))
    return found


def part(*crowds):
    """They hang up; what can be told only afterwards is as it should be."""
    hang_up(*crowds)
    wait_no_ghosts(crowds[0].stack)
    wait_no_lag(crowds[0].stack, crowds[0].log)
    for crowd in crowds:
        crowd.assert_recorded()
        assert_remembered(crowd)


def assert_remembered(crowd):
    """Each AI session but the first of a call was given what had been said and heard before."""
    for call, sessions in crowd.sessions().items():
        report = call.report()
        for session in sessions[1:]:
            if not session["heard"] and not session["said"]:
                continue  # opened in vain
            given = callers.given_texts(session)
            before = [e for e in exchanges(report) if e[2] < session["opened_us"]]
            greeted = [GREETING] if any(h["exact"] and h["phrase"] == GREETING and
                                        h["end_us"] < session["opened_us"]
                                        for h in report["heard"]) else []  # else it was cut
            known = recorded_until(crowd.log.of(call), session["opened_us"])  # of a cut one judged apart
            wanted = greeted + [text for said, heard, _ in before for text in (said, heard)
                                if text in known]
            missing = [text for text in wanted if text not in given]
            assert not missing, f"{call.sid}: a session does not know {missing}, only {given}"


def recorded_until(events, at_us):
    """The finals that stood in the log at that moment."""
    ahead_s = time.time() - time.monotonic()
    return {e["utterance"]["text"] for e in events if e["utterance"] and e["utterance"]["final"]
            and (e["at"].timestamp() - ahead_s) * 1e6 < at_us}


def story(call, log):
    """What is known of a call, for people."""
    report = call.report()
    ms = lambda line, name: (line[name] - report["created_us"]) // 1000  # noqa: E731
    lines = [(ms(s, "start_us"), f"says   {s['phrase']}" + ("" if s["whole"] else " (cut)") +
              (f" ({s['lost_frames']} frames had no stream)" if s["lost_frames"] else ""))
             for s in report["said"]]
    lines += [(ms(h, "start_us"), f"hears  {h['phrase']}" + ("" if h["exact"] else " (not whole)"))
              for h in report["heard"]]
    lines += [(s["opened_ms"], f"stream until {s['closed_ms']}: {s['close_code']} {s['reason']}")
              for s in report["streams"]]
    lines += [(w["at_ms"], f"webhook {w['kind']} {w['status']} attempts {w['attempts']}")
              for w in report["webhooks"]]
    lines += [(s.get("at_ms", 0), f"spoken {s['text']}") for s in report["spoken"] if "text" in s]
    lines += [(report["ended_ms"], "ended")] if report["ended_ms"] is not None else []
    events = [f"  {e['at']:%H:%M:%S.%f} {e['producer']} {part_of(e)}" for e in counted(log.of(call))[-16:]]
    return "\n".join([f"{call.sid} {call.call_id} from {call.caller}, {report['status']}"] +
                     [f"  {at:>6} ms {text}" for at, text in sorted(lines)] + events)


def counted(events):
    """Without drafts and usage, which are many."""
    return [e for e in events if not e["usage"] and not (e["utterance"] and not e["utterance"]["final"])]


def part_of(event):
    """The part that an event has, short."""
    name = next((k for k, v in event.items() if isinstance(v, dict) and k != "claim"), "?")
    claim = event["claim"]
    shown = {k: v for k, v in (event[name] or {}).items()
             if k in ("state", "text", "final", "cause", "reason", "mailbox", "number", "attempt",
                      "name", "status")} if name != "?" else ""
    return f"{claim and (claim['number'], claim['session'])} {name} {shown}"


# ---- at rest ----

def gauge(stack, name, metric):
    return sum(v for k, v in stack.metrics(name).items() if k.partition("{")[0] == metric)


GAUGES = {"ingest": ["trunkline_ingest_streams"],
          "conversation": ["trunkline_conversation_calls", "trunkline_conversation_ai_sessions"],
          "telephony": ["trunkline_sink_telephony_pending"]}


def ghosts(stack):
    """What is still held although no call is left."""
    found = {f"{name} {metric}": gauge(stack, name, metric)
             for kind, metrics in GAUGES.items() for name in stack.names(kind) for metric in metrics}
    found["AI sessions"] = callers.service(stack, "GET", "/sessions")["open"]
    found["calls"] = callers.network(stack, "GET", "/healthz")["active"]
    return {what: count for what, count in found.items() if count}


def wait_no_ghosts(stack):
    left = {}

    def look():
        left.clear()
        left.update(ghosts(stack))
        return not left

    try:
        wait_for(look, "nobody holds a call that is over", DEADLINE_S, 0.2)
    except Timeout as e:
        raise AssertionError(f"{e}: {left}") from None


def lag(stack, log):
    """Records of calls.v1 that a sink has not dealt with, by sink."""
    ends = log.ends()
    at = {"records": {r["partition"]: r["next"] for r in
                      stack.sql("SELECT partition, next FROM sink_offsets WHERE topic = %s", log.topic)}}
    at["live"] = live_positions(stack, log.topic)
    at["telephony"] = committed(stack, log.topic, "telephony")
    return {sink: sum(end - max(0, next_of.get(p, 0)) for p, end in ends.items())
            for sink, next_of in at.items()}


def live_positions(stack, topic):
    prefix = stack.env.get("TRUNKLINE_LIVE_PREFIX", "trunkline:")
    client = redis.Redis.from_url(stack.env["REDIS_URL"], decode_responses=True)
    try:
        return {int(p): int(at) for key in client.scan_iter(f"{prefix}position:*:{topic}")
                for p, at in client.hgetall(key).items()}
    finally:
        client.close()


def committed(stack, topic, group):
    consumer = Consumer({"bootstrap.servers": stack.env["KAFKA_BROKERS"],
                         "group.id": stack.topic(group)})
    try:
        parts = consumer.list_topics(topic, 30).topics[topic].partitions
        asked = [TopicPartition(topic, p) for p in parts]
        return {p.partition: p.offset for p in consumer.committed(asked, timeout=30)}
    finally:
        consumer.close()


def wait_no_lag(stack, log):
    left = {}

    def look():
        left.update(lag(stack, log))
        return not any(left.values())

    try:
        wait_for(look, "the sinks have read everything", DEADLINE_S, 0.2)
    except Timeout as e:
        raise AssertionError(f"{e}: {left}") from None
