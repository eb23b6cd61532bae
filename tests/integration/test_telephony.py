"""Telephony: what the log asks for is done at the telephone network, once."""
import json
import uuid

import pytest

from calls_api import CallsApi
from sinks import ACCOUNT, CLAIM, TOKEN, Sinks
from support import read_all, wait_for


@pytest.fixture
def api():
    made = CallsApi(ACCOUNT, TOKEN)
    yield made
    made.stop()


@pytest.fixture
def house(servers, work, request, api):
    made = Sinks(f"{work}/{request.node.originalname}", servers, {
        "TWILIO_API_URL": api.url, "TRUNKLINE_TELEPHONY_BACKOFF": "20ms",
        "TRUNKLINE_TELEPHONY_BACKOFF_MAX": "100ms",
        "TRUNKLINE_TELEPHONY_RESCUE": "false",  # these calls have no stream
        **getattr(request, "param", {})})
    yield made
    made.stop()


class Ringing:
    """A call that is spoken."""

    def __init__(self, house, api):
        self.house, self.call_id = house, str(uuid.uuid4())
        self.sid = "CA" + uuid.UUID(self.call_id).hex
        self.intents = 0
        api.status[self.sid] = "in-progress"
        house.send(*house.ring(self.call_id, self.sid))

    def intend(self, name="end_call", raw=None, **arguments):
        """The AI asks for something; returns the intent's id."""
        intent_id = str(uuid.uuid4())
        self.house.send(self.house.event(self.call_id, claim=CLAIM, tool_intent={
            "intent_id": intent_id, "name": name,
            "arguments": raw or json.dumps({"reason": "done", **arguments})}))
        return intent_id

    def command(self, **end):
        value = self.house.command(self.call_id, end={"reason": "operator", **end})
        self.house.send(value, topic="commands.v1")
        return value["command_id"]

    def results(self):
        return [e["tool_result"] for e in self.house.decoded("calls.v1", self.call_id)
                if e["tool_result"]]

    def wait_result(self, intent_id):
        return wait_for(lambda: next((r for r in self.results() if r["intent_id"] == intent_id),
                                     None), "its result")

    def wait_state(self, intent_id, stage):
        return wait_for(lambda: next((s for s in self.house.decoded("state.telephony.v1", intent_id)
                                      if s["stage"] == stage), None), f"state {stage}")


def test_an_intent_ends_the_call(house, api):
    """CALL-9: the intent is the request; its result goes back into the log."""
    house.start("telephony")
    call = Ringing(house, api)
    intent = call.intend()
    assert call.wait_result(intent)["status"] == "DONE"
    assert api.forms(call.sid) == [{"Status": "completed"}]
    stages = [s["stage"] for s in house.decoded("state.telephony.v1", intent)]
    assert stages == ["INTENDED", "DONE"]


def test_a_sentence_is_said_and_a_person_dialled(house, api):
    house.start("telephony")
    call, other = Ringing(house, api), Ringing(house, api)
    call.wait_result(call.intend(sentence="Good bye & thanks"))
    form, = api.forms(call.sid)
    assert set(form) == {"Twiml"}
    assert '<Say language="en-' in form["Twiml"] and "Good bye &amp; thanks" in form["Twiml"]
    assert "<Hangup/>" in form["Twiml"]
    other.wait_state(other.command(sentence="One moment.", dial_number="+15557777"), "DONE")
    form, = api.forms(other.sid)
    assert "<Say" in form["Twiml"] and "<Dial>+15557777</Dial>" in form["Twiml"]


def test_other_tools_are_left_alone(house, api):
    house.start("telephony")
    call = Ringing(house, api)
    call.intend("search_knowledge")
    call.wait_result(call.intend())
    assert len(call.results()) == 1 and api.count("POST", call.sid) == 1


def test_a_fenced_intent_has_no_effect(house, api):
    house.start("telephony")
    call = Ringing(house, api)
    house.send(house.event(call.call_id, producer="conversation-1", claim={**CLAIM, "session": 2},
                           session_started={"call_sid": call.sid, "call_started_at": 1}))
    call.intend()  # of the holder that has lost the call
    call.wait_state(call.command(), "DONE")
    assert api.count("POST", call.sid) == 1 and not call.results()


def test_it_tries_again_when_it_may(house, api):
    """429 with its Retry-After, 5xx and a connection that ends: bounded, looked at in between."""
    house.start("telephony")
    call = Ringing(house, api)
    api.script = ["hang up", (503, {}), (429, {"Retry-After": "1"})]
    assert call.wait_result(call.intend())["status"] == "DONE"
    assert api.count("POST", call.sid) == 4
    assert api.count("GET", call.sid) == 2  # after the hang-up and the 503


def test_it_does_not_repeat_what_was_carried_out(house, api):
    house.start("telephony")
    call = Ringing(house, api)
    api.script = ["carry out, then hang up"]
    assert call.wait_result(call.intend())["status"] == "DONE"
    assert api.count("POST", call.sid) == 1


@pytest.mark.parametrize("house", [{"TRUNKLINE_TELEPHONY_ATTEMPTS": "3"}], indirect=True)
def test_it_gives_up(house, api):
    house.start("telephony")
    call, other = Ringing(house, api), Ringing(house, api)
    api.script = [(429, {})] * 3
    failed = call.wait_result(call.intend())
    assert failed["status"] == "FAILED" and "scripted" in failed["output"]
    api.script = [(403, {})]
    assert other.wait_result(other.intend())["status"] == "FAILED"
    assert (api.count("POST", call.sid), api.count("POST", other.sid)) == (3, 1)
    assert call.wait_result(call.intend(raw="[1"))["status"] == "FAILED"


def test_a_call_that_is_over_is_ended(house, api):
    """21220 and 404 are as good as done."""
    house.start("telephony")
    over, gone = Ringing(house, api), Ringing(house, api)
    api.status[over.sid] = "completed"
    del api.status[gone.sid]
    assert over.wait_result(over.intend())["status"] == "DONE"
    assert gone.wait_result(gone.intend())["status"] == "DONE"


def test_nothing_twice_after_kills(house, api):
    """An instance that dies before, during or after a request: its successor looks first."""
    calls = [Ringing(house, api) for _ in range(12)]
    names = [house.start("telephony", 0), house.start("telephony", 1)]
    intents = []
    for round_n in range(3):
        for call in calls[round_n * 4:][:4]:
            intents.append((call, call.intend()))
        house.kill(names[round_n % 2])
        house.start("telephony", round_n % 2, wait=False)
    for call, intent in intents:
        assert call.wait_result(intent)["status"] == "DONE"
    ends = [api.count("POST", call.sid) for call in calls]
    assert ends == [1] * 12, ends
    assert all(len(call.results()) == 1 for call in calls)


def test_an_outcome_that_is_unknown_is_looked_up(house, api):
    """INTENDED in the state topic and nothing more: it asks before it acts."""
    call = Ringing(house, api)
    api.ends = False
    name = house.start("telephony", settings={"TRUNKLINE_TELEPHONY_REQUEST_TIMEOUT": "60s"})
    api.gate.clear()  # no answer comes
    intent = call.intend()
    wait_for(lambda: api.count("POST", call.sid) == 1, "it is asked for")
    assert call.wait_state(intent, "INTENDED")
    house.kill(name)
    api.status[call.sid] = "completed"  # it was carried out all the same
    api.gate.set()
    house.start("telephony")
    assert call.wait_result(intent)["status"] == "DONE"
    assert (api.count("GET", call.sid), api.count("POST", call.sid)) == (1, 1)


@pytest.mark.parametrize("house", [{"TRUNKLINE_TELEPHONY_CLOSE_AFTER": "1s"}], indirect=True)
def test_it_closes_what_nobody_closed(house, api):
    """`closed` after a final state, once the telephone network says that the call is over."""
    house.start("telephony")
    call, alive, done = Ringing(house, api), Ringing(house, api), Ringing(house, api)
    house.send(house.said(call.call_id, 1, "Hello?"), house.over(call.call_id, 31),
               house.over(alive.call_id), house.over(done.call_id), house.closed(done.call_id))
    api.status[call.sid] = api.status[done.sid] = "completed"
    closed = wait_for(lambda: next((e for e in house.decoded("calls.v1", call.call_id)
                                    if e["closed"]), None), "it is closed")
    assert closed["producer"].startswith("telephony-") and closed["claim"] is None
    assert closed["closed"]["state"] == "COMPLETED" and closed["closed"]["duration_s"] == 31
    assert closed["closed"]["utterances"] == 1
    wait_for(lambda: api.count("GET", alive.sid) > 1, "the other one is asked for again")
    events = house.decoded("calls.v1")
    assert not [e for e in events if e["closed"] and e["call_id"] == alive.call_id]
    assert len([e for e in events if e["closed"] and e["call_id"] == done.call_id]) == 1
    del api.status[alive.sid]  # 404: the network has forgotten it
    wait_for(lambda: [e for e in house.decoded("calls.v1", alive.call_id) if e["closed"]],
             "closed as well")


@pytest.mark.parametrize("house", [{"TRUNKLINE_TELEPHONY_CALLBACK_WAIT": "1s"}], indirect=True)
def test_it_looks_for_an_end_of_which_no_callback_tells(house, api):
    """The network sends a status callback once: who died with it in hand took the news along."""
    name = house.start("telephony")
    call, talks_on = Ringing(house, api), Ringing(house, api)
    talks_on.wait_result(talks_on.intend(sentence="One moment.", dial_number="+15557777"))
    call.wait_result(call.intend())
    house.kill(name)
    api.status.update({call.sid: "completed", talks_on.sid: "in-progress"})
    house.start("telephony")

    def over(of):
        return [e["changed"] for e in house.decoded("calls.v1", of.call_id)
                if e["changed"] and e["changed"]["state"] == "COMPLETED"]

    changed, = wait_for(lambda: over(call), "its end is recorded")
    assert changed["reason"] == "found_over"
    wait_for(lambda: api.count("GET", talks_on.sid) >= 1, "the other one is looked for")
    assert not over(talks_on)


@pytest.mark.parametrize("house", [{"TRUNKLINE_TELEPHONY_END_MAX_AGE": "3s"}], indirect=True)
def test_ends_that_come_too_late_are_left(house, api):
    """Too old when it is read, or for a call that nobody knows."""
    call, old = Ringing(house, api), str(uuid.uuid4())
    house.send(house.command(call.call_id, old, at=1_700_000_000_000, end={"reason": "x"}),
               house.command(str(uuid.uuid4()), end={"reason": "stranger"}), topic="commands.v1")
    name = house.start("telephony")
    assert "too late" in call.wait_state(old, "FAILED")["detail"]
    wait_for(lambda: house.metric(name, "trunkline_sink_telephony_pending") == 0, "both are left")
    assert not api.forms(call.sid) and len(house.decoded("state.telephony.v1")) == 1


def test_state_is_buried_with_the_call(house, api):
    """The topic is compacted: a closed call leaves a tombstone for each of its records."""
    house.start("telephony")
    call = Ringing(house, api)
    command = call.command()
    call.wait_state(command, "DONE")
    house.send(house.over(call.call_id), house.closed(call.call_id))
    wait_for(lambda: [r for r in read_all(house.env["KAFKA_BROKERS"],
                                          f"{house.name}.state.telephony.v1")
                      if r.value() is None and r.key().decode() == command], "a tombstone")


def test_commands_that_cannot_be_read_are_put_aside(house, api):
    """PIPE-7."""
    house.start("telephony")
    call = Ringing(house, api)
    house.send(b"broken", {**house.command("no-uuid", end={"reason": "x"})}, topic="commands.v1")
    call.wait_state(call.command(), "DONE")
    letters = wait_for(lambda: len(house.decoded("dead-letters.v1")) == 2 and
                       house.decoded("dead-letters.v1"), "both are put aside")
    assert {x["topic"] for x in letters} == {"commands.v1"}
