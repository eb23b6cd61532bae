"""The AI simulator refuses what the real service refuses, and fails as it fails: the checklist of
OpenAI's protocol, one test a line, then a spoken conversation by the official client."""
import asyncio
import base64
import json
import math
import struct

import openai
import pytest
from websockets.exceptions import InvalidStatus

import support
from ai import KEY, MODEL, Talk, silence, simulator, sound, telephony, wait_report

HOURS = "What are your opening hours?"
HOURS_ANSWER = "We are open from nine in the morning to six in the evening, Monday to Saturday."
SORRY = "I am sorry, I did not understand that."
LONG = "Tell me about your warranty."


@pytest.fixture(scope="module")
def shared():
    with simulator() as made:
        yield made


@pytest.fixture
def ai(shared):
    """A simulator that several tests use, without faults left over."""
    yield shared
    shared.ask("DELETE", "/faults")


@pytest.fixture
def talk(ai):
    return ai.talk(telephony())


# The handshake.

def refused_upgrade(ai, **more):
    with pytest.raises(InvalidStatus) as refusal:
        Talk(ai, **more)
    return refusal.value.response.status_code


def test_wrong_key_is_refused_before_101(ai):
    assert refused_upgrade(ai, key="sk-wrong") == 401


def test_unknown_model_is_refused_before_101(ai):
    assert refused_upgrade(ai, model="gpt-nothing") == 404


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_upgrade_is_refused_by_fault_once(ai, status):
    ai.fault(f"refuse_upgrade_{status}", scope={"next": 1})
    assert refused_upgrade(ai) == status
    ai.talk()


def test_beta_header_is_closed_with_4000_when_only_ga_lives():
    with simulator("--ga-only") as ai:
        talk = Talk(ai, headers={"OpenAI-Beta": "realtime=v1"})
        assert talk.wait("error")["error"]["code"] == "beta_api_shape_disabled"
        assert talk.wait_closed() == 4000
        ai.talk()


def test_beta_shape_has_its_own_session_and_names(ai):
    talk = ai.talk(headers={"OpenAI-Beta": "realtime=v1"}, model="gpt-4o-realtime-preview")
    session = talk.update({"modalities": ["text", "audio"], "input_audio_format": "g711_ulaw",
                           "output_audio_format": "g711_ulaw", "voice": "alloy",
                           "temperature": 0.7, "input_audio_transcription": {"model": "whisper-1"}})
    assert session["output_audio_format"] == "g711_ulaw"
    assert "audio" not in session and "output_modalities" not in session
    talk.refused("session.update", "unknown_parameter", "session.type",
                 session={"type": "realtime"})
    talk.say(HOURS)
    talk.wait("conversation.item.created")
    done = talk.wait("response.done")["response"]
    assert "response.audio.delta" in talk.types()
    assert "response.audio_transcript.delta" in talk.types()
    assert not [t for t in talk.types() if "output_audio" in t or t.endswith("item.added")
                and t.startswith("conversation")]
    assert done["output"][0]["content"][0]["type"] == "audio"


def test_beta_text_has_its_own_content_type(ai):
    """Once read a name after it was freed."""
    talk = ai.talk(headers={"OpenAI-Beta": "realtime=v1"}, model="gpt-4o-realtime-preview")
    talk.send("response.create", response={"modalities": ["text"]})
    done = talk.wait("response.done")["response"]
    assert done["output"][0]["content"] == [{"type": "text", "text": "Hello, how can I help you?"}]
    assert "response.text.delta" in talk.types()


# Settings.

def test_session_begins_with_pcm_and_the_defaults(ai):
    session = ai.talk().update({"type": "realtime"})
    pcm = {"type": "audio/pcm", "rate": 24000}
    assert session["audio"]["input"]["format"] == pcm
    assert session["audio"]["output"]["format"] == pcm
    assert session["audio"]["input"]["transcription"] is None
    assert session["audio"]["input"]["turn_detection"] == {
        "type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300,
        "silence_duration_ms": 200, "idle_timeout_ms": None, "create_response": True,
        "interrupt_response": True}
    assert session["output_modalities"] == ["audio"]
    assert session["max_output_tokens"] == "inf"


def test_settings_that_come_before_the_greeting_are_taken_after_it():
    with simulator("--session-delay-ms", "200") as slow:
        talk = Talk(slow)
        talk.send("session.update", session=telephony())
        talk.created()
        assert talk.wait("session.updated")["session"]["audio"]["output"]["voice"] == "marin"
        assert talk.types() == ["session.created", "session.updated"]
        talk.close()


WRONG_UPDATES = [
    ({}, "missing_required_parameter", "session.type"),
    ({"type": "transcription"}, "invalid_value", "session.type"),
    ({"temperature": 0.8}, "unknown_parameter", "session.temperature"),
    ({"voice": "marin"}, "unknown_parameter", "session.voice"),
    ({"modalities": ["audio"]}, "unknown_parameter", "session.modalities"),
    ({"instructions": 7}, "invalid_type", "session.instructions"),
    ({"output_modalities": ["audio", "text"]}, "invalid_value", "session.output_modalities"),
    ({"max_output_tokens": 5000}, "integer_above_max_value", "session.max_output_tokens"),
    ({"max_output_tokens": "many"}, "invalid_value", "session.max_output_tokens"),
    ({"tool_choice": "maybe"}, "invalid_value", "session.tool_choice"),
    ({"tools": [{"type": "function"}]}, "missing_required_parameter", "session.tools[0].name"),
    ({"tools": [{"type": "function", "name": "x", "function": {}}]}, "unknown_parameter",
     "session.tools[0].function"),
    ({"truncation": "never"}, "invalid_value", "session.truncation"),
    ({"audio": {"output": {"voice": "nobody"}}}, "invalid_value", "session.audio.output.voice"),
    ({"audio": {"output": {"speed": 9}}}, "decimal_above_max_value", "session.audio.output.speed"),
    ({"audio": {"output": {"format": "g711_ulaw"}}}, "invalid_type", "session.audio.output.format"),
    ({"audio": {"output": {"format": {"type": "audio/ulaw"}}}}, "invalid_value",
     "session.audio.output.format.type"),
    ({"audio": {"input": {"format": {"type": "audio/pcmu", "rate": 8000}}}}, "unknown_parameter",
     "session.audio.input.format.rate"),
    ({"audio": {"input": {"format": {"type": "audio/pcm", "rate": 8000}}}}, "invalid_value",
     "session.audio.input.format.rate"),
    ({"audio": {"input": {"turn_detection": {"type": "server_vad", "eagerness": "low"}}}},
     "unknown_parameter", "session.audio.input.turn_detection.eagerness"),
    ({"audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 2}}}},
     "decimal_above_max_value", "session.audio.input.turn_detection.threshold"),
    ({"audio": {"input": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 100}}}},
     "integer_below_min_value", "session.audio.input.turn_detection.idle_timeout_ms"),
    ({"audio": {"input": {"turn_detection": {"type": "none"}}}}, "invalid_value",
     "session.audio.input.turn_detection.type"),
    ({"audio": {"input": {"transcription": {"model": "ears"}}}}, "invalid_value",
     "session.audio.input.transcription.model"),
    ({"audio": {"input": {"transcription": {"model": "gpt-realtime-whisper", "prompt": "x"}}}},
     "unsupported_parameter", "session.audio.input.transcription.prompt"),
]


@pytest.mark.parametrize("members,code,param", WRONG_UPDATES,
                         ids=[json.dumps(row[0])[:60] for row in WRONG_UPDATES])
def test_wrong_update_is_refused_as_a_whole(ai, members, code, param):
    talk = ai.talk()
    before = talk.update({"type": "realtime"})
    session = {"type": "realtime", "include": None, **members} if members else {}
    talk.refused("session.update", code, param, session=session)
    assert talk.update({"type": "realtime"}) == {**before, "include": before["include"]}


def test_a_refused_update_takes_nothing_along(ai):
    talk = ai.talk()
    talk.refused("session.update", "unknown_parameter", "session.temperature",
                 session={**telephony(instructions="changed"), "temperature": 1})
    session = talk.update({"type": "realtime"})
    assert session["instructions"] == ""
    assert session["audio"]["input"]["format"]["type"] == "audio/pcm"


@pytest.mark.parametrize("member", [{"reasoning": {"effort": "low"}},
                                    {"parallel_tool_calls": True}])
def test_reasoning_settings_are_refused_by_other_models(ai, member):
    ai.talk().update({"type": "realtime", **member})
    old = ai.talk(model="gpt-realtime")
    old.refused("session.update", "unsupported_parameter", f"session.{next(iter(member))}",
                session={"type": "realtime", **member})


def test_voice_is_locked_by_the_first_sound(talk):
    talk.update({"type": "realtime", "audio": {"output": {"voice": "cedar"}}})
    talk.say(HOURS)
    talk.answer()
    talk.refused("session.update", "cannot_update_voice", "session.audio.output.voice",
                 session={"type": "realtime", "audio": {"output": {"voice": "marin"}}})
    talk.update({"type": "realtime", "audio": {"output": {"voice": "cedar"}}})


# Client events.

def test_events_that_are_no_events_are_refused(talk):
    talk.socket.send("{\"type\":")
    assert talk.wait("error")["error"]["code"] == "invalid_json"
    talk.socket.send(b"\x00\x01")
    assert talk.wait("error")["error"]["code"] == "invalid_message"
    talk.send("")
    assert talk.wait("error")["error"]["param"] == "type"
    talk.refused("response.start", "invalid_value", "type")
    talk.refused("response.create", "unknown_parameter", "modalities", modalities=["text"])
    talk.refused("input_audio_buffer.append", "missing_required_parameter", "audio")
    talk.refused("input_audio_buffer.append", "invalid_value", "audio", audio="no base64!")
    talk.refused("output_audio_buffer.clear", "invalid_value")


WRONG_RESPONSES = [
    ({"instruction": "x"}, "unknown_parameter", "response.instruction"),
    ({"modalities": ["audio"]}, "unknown_parameter", "response.modalities"),
    ({"conversation": "other"}, "invalid_value", "response.conversation"),
    ({"metadata": {"k": 1}}, "invalid_value", "response.metadata"),
    ({"metadata": {f"k{i}": "v" for i in range(17)}}, "object_above_max_properties",
     "response.metadata"),
    ({"audio": {"output": {"speed": 1}}}, "unknown_parameter", "response.audio.output.speed"),
    ({"conversation": "none", "input": [{"type": "item_reference", "id": "item_x"}]},
     "invalid_value", "response.input[0]"),
]


@pytest.mark.parametrize("response,code,param", WRONG_RESPONSES,
                         ids=[row[2] + str(i) for i, row in enumerate(WRONG_RESPONSES)])
def test_wrong_response_create_is_refused(talk, response, code, param):
    talk.refused("response.create", code, param, response=response)


# Turns.

def test_turn_detection_runs_on_received_sound(talk):
    """A whole call's sound within milliseconds gives the times of the sound."""
    phrase = sound(HOURS)
    talk.append(silence(2000) + phrase)
    started = talk.wait("input_audio_buffer.speech_started")
    assert started["audio_start_ms"] == 2000 - 300
    talk.append(silence(280))
    talk.send("conversation.item.retrieve", item_id="nobody")
    talk.wait("error")
    assert "input_audio_buffer.speech_stopped" not in talk.types()
    talk.append(silence(60))
    stopped = talk.wait("input_audio_buffer.speech_stopped")
    assert stopped["item_id"] == started["item_id"]
    assert 0 <= 2000 + len(phrase) // 8 + 300 - stopped["audio_end_ms"] <= 100
    assert talk.wait("input_audio_buffer.committed")["item_id"] == started["item_id"]
    assert talk.wait("response.done")["response"]["status"] == "completed"


def test_answer_has_every_event_in_order(talk):
    talk.say(HOURS)
    words, heard, done = talk.answer()
    assert words == HOURS_ANSWER
    assert heard == sound(HOURS_ANSWER, "ai")
    assert done["status"] == "completed" and done["status_details"] is None
    usage = done["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["output_token_details"]["audio_tokens"] == len(heard) // 400
    order = ["input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped",
             "input_audio_buffer.committed", "response.created", "response.output_item.added",
             "response.content_part.added", "response.output_audio.delta",
             "response.output_audio.done", "response.output_audio_transcript.done",
             "response.content_part.done", "response.output_item.done", "response.done"]
    places = [talk.types().index(kind) for kind in order]
    assert places == sorted(places)
    assert "rate_limits.updated" in talk.types()
    deltas = [t for t in talk.types() if t.endswith(".delta") and "output_audio" in t]
    assert deltas[0] == "response.output_audio_transcript.delta"
    assert "response.output_audio.delta" in deltas[:3]


def test_items_are_retrieved_with_their_sound(talk):
    talk.say(HOURS)
    _, heard, done = talk.answer()
    caller = next(e["item_id"] for e in talk.seen if e["type"] == "input_audio_buffer.committed")
    for item_id, audio in ((caller, sound(HOURS)), (done["output"][0]["id"], heard)):
        talk.send("conversation.item.retrieve", item_id=item_id)
        item = talk.wait("conversation.item.retrieved")["item"]
        assert base64.b64decode(item["content"][0]["audio"]).strip(b"\xff") == audio.strip(b"\xff")


def test_transcript_belongs_to_the_callers_item(talk):
    talk.say(HOURS)
    item = talk.wait("input_audio_buffer.committed")["item_id"]
    done = talk.wait("conversation.item.input_audio_transcription.completed")
    assert (done["item_id"], done["transcript"]) == (item, HOURS)
    assert done["usage"]["type"] == "tokens"


def test_unknown_sound_is_not_understood(talk):
    noise = bytes((i * 37 + i // 91) % 120 for i in range(8000))
    talk.append(silence(200) + noise + silence(500))
    assert talk.answer()[0] == SORRY
    heard = talk.report()["heard"]
    assert [(h["text"], h["exact"]) for h in heard] == [(None, False)]
    assert heard[0]["bytes"] == len(noise)


def test_a_phrase_with_a_lost_frame_is_not_exact(talk):
    phrase = sound(HOURS)
    talk.append(silence(200) + phrase[:4800] + phrase[4960:] + silence(500))
    assert talk.answer()[0] == SORRY
    first = talk.report()["heard"][0]
    assert (first["text"], first["exact"]) == (HOURS, False)
    assert 4800 <= first["bytes"] < 4810


def test_turns_can_be_committed_by_hand(ai):
    talk = ai.talk(telephony(turn_detection=None))
    talk.append(silence(60))
    talk.refused("input_audio_buffer.commit", "input_audio_buffer_commit_empty")
    talk.append(sound(LONG))
    talk.send("input_audio_buffer.clear")
    talk.wait("input_audio_buffer.cleared")
    talk.refused("input_audio_buffer.commit", "input_audio_buffer_commit_empty")
    talk.append(sound(HOURS))
    talk.send("input_audio_buffer.commit")
    talk.wait("conversation.item.done")
    assert "response.created" not in talk.types()
    talk.send("response.create")
    assert talk.answer()[0] == HOURS_ANSWER


def test_pcm_sound_is_recognised_too(ai):
    """Each µ-law sample three times, as 24 kHz."""
    def linear(byte):
        code = ~byte & 0xFF
        value = ((((code & 15) << 3) + 132) << (code >> 4 & 7)) - 132
        return -value if code & 128 else value

    talk = ai.talk()
    pcm = b"".join(struct.pack("<3h", *[linear(b)] * 3)
                   for b in silence(200) + sound(HOURS) + silence(500))
    for at in range(0, len(pcm), 4800):
        talk.send("input_audio_buffer.append", audio=base64.b64encode(pcm[at:at + 4800]).decode())
    words, heard, _ = talk.answer()
    assert words == HOURS_ANSWER
    assert len(heard) == len(sound(HOURS_ANSWER, "ai")) * 6


def test_create_response_off_leaves_the_answer_to_the_client(ai):
    talk = ai.talk(telephony(turn_detection={
        "type": "server_vad", "silence_duration_ms": 300, "create_response": False,
        "interrupt_response": False}))
    talk.say(HOURS)
    talk.wait("conversation.item.input_audio_transcription.completed")
    assert "response.created" not in talk.types()
    talk.send("response.create")
    assert talk.answer()[0] == HOURS_ANSWER


def test_semantic_detection_waits_for_the_end_of_a_sentence(ai):
    talk = ai.talk(telephony(turn_detection={"type": "semantic_vad", "eagerness": "high"}))
    phrase = sound(LONG)
    talk.append(phrase[:8000] + silence(600))
    talk.send("conversation.item.retrieve", item_id="nobody")
    talk.wait("error")
    assert "input_audio_buffer.speech_stopped" not in talk.types()
    talk.append(silence(1500))
    talk.wait("input_audio_buffer.speech_stopped")
    talk.answer()
    talk.append(sound(HOURS) + silence(400))
    talk.wait("input_audio_buffer.speech_stopped")


def test_idle_timeout_asks_whether_somebody_is_there(ai):
    talk = ai.talk(telephony(turn_detection={
        "type": "server_vad", "silence_duration_ms": 300, "idle_timeout_ms": 5000}))
    talk.say(HOURS)
    _, heard, _ = talk.answer()
    talk.append(silence(len(heard) // 8 + 5100))
    idle = talk.wait("input_audio_buffer.timeout_triggered")
    assert idle["audio_end_ms"] - idle["audio_start_ms"] == 5000
    assert talk.wait("input_audio_buffer.committed")["item_id"] == idle["item_id"]
    assert talk.answer()[0] == "Are you still there?"


# Races of responses.

def test_second_response_is_refused_with_its_own_event_id(talk):
    talk.send("response.create", response={"metadata": {"req": "1"}})
    talk.refused("response.create", "conversation_already_has_active_response")
    created = talk.wait("response.created") if "response.created" not in talk.types() else None
    done = talk.wait("response.done")["response"]
    assert done["metadata"] == {"req": "1"}
    assert created is None or created["response"]["id"] == done["id"]
    assert talk.types().count("response.created") == 1


def test_a_turns_response_wins_against_ours(talk):
    talk.say(HOURS)
    talk.wait("response.created")
    talk.refused("response.create", "conversation_already_has_active_response")
    assert talk.answer()[0] == HOURS_ANSWER


def test_cancel_before_created_is_lost(ai):
    ai.fault("late_created", scope={"next": 1}, delay_ms=300)
    talk = ai.talk(telephony())
    talk.send("response.create")
    talk.refused("response.cancel", "response_cancel_not_active")
    response = talk.wait("response.created")["response"]
    talk.send("response.cancel", response_id=response["id"])
    done = talk.wait("response.done")["response"]
    assert (done["id"], done["status"]) == (response["id"], "cancelled")
    assert done["status_details"]["reason"] == "client_cancelled"


def test_barge_in_before_created_cancels_it_as_soon_as_it_is(ai):
    ai.fault("late_created", scope={"next": 1}, delay_ms=300)
    talk = ai.talk(telephony())
    talk.send("response.create")
    talk.append(sound(HOURS)[:3200])
    talk.wait("input_audio_buffer.speech_started")
    assert "response.created" not in talk.types()
    response = talk.wait("response.created")["response"]
    done = talk.wait("response.done")["response"]
    assert (done["id"], done["status"], done["output"]) == (response["id"], "cancelled", [])


def test_done_without_created(ai):
    ai.fault("done_without_created", scope={"next": 1})
    talk = ai.talk(telephony())
    talk.send("response.create")
    talk.wait("response.done")
    assert "response.created" not in talk.types()


def test_status_details_as_a_string(ai):
    ai.fault("status_details_string", scope={"next": 1})
    talk = ai.talk(telephony())
    talk.say(LONG)
    talk.wait("response.output_audio.delta")
    talk.send("response.cancel")
    assert talk.wait("response.done")["response"]["status_details"] == "client_cancelled"


def test_barge_in_cancels_and_truncation_has_its_bounds(talk):
    talk.say(LONG)
    delta = talk.wait("response.output_audio.delta")
    talk.append(sound(HOURS) + silence(500))
    talk.wait("input_audio_buffer.speech_started")
    done = talk.wait("response.done")["response"]
    assert done["status"] == "cancelled"
    assert done["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert done["output"][0]["status"] == "incomplete"
    heard = sum(len(base64.b64decode(e["delta"])) for e in talk.seen
                if e["type"] == "response.output_audio.delta" and e["item_id"] == delta["item_id"])
    item = {"item_id": delta["item_id"], "content_index": 0}
    error = talk.refused("conversation.item.truncate", "invalid_value", **item,
                         audio_end_ms=heard // 8 + 1)
    assert "already shorter than" in error["message"]
    talk.send("conversation.item.truncate", **item, audio_end_ms=100)
    assert talk.wait("conversation.item.truncated")["audio_end_ms"] == 100
    talk.refused("conversation.item.truncate", "invalid_value", **item, audio_end_ms=101)
    talk.send("conversation.item.retrieve", item_id=delta["item_id"])
    item = talk.wait("conversation.item.retrieved")["item"]
    assert "transcript" not in item["content"][0]
    assert talk.report()["truncations"][0]["audio_end_ms"] == 100


def test_interrupt_response_off_lets_the_response_run(ai):
    talk = ai.talk(telephony(turn_detection={
        "type": "server_vad", "silence_duration_ms": 300, "interrupt_response": False}))
    talk.say(LONG)
    talk.wait("response.output_audio.delta")
    talk.say(HOURS)
    error = talk.wait("error")["error"]
    assert error["code"] == "conversation_already_has_active_response"
    assert talk.wait("response.done")["response"]["status"] == "completed"


def test_max_output_tokens_ends_a_response_early(talk):
    talk.send("response.create", response={"max_output_tokens": 4})
    _, heard, done = talk.answer()
    assert (done["status"], done["status_details"]["reason"]) == ("incomplete", "max_output_tokens")
    assert len(heard) == 4 * 400


def test_several_items_are_one_sound(ai):
    ai.fault("several_items", scope={"next": 1})
    talk = ai.talk(telephony())
    talk.say(HOURS)
    words, heard, done = talk.answer()
    assert len(done["output"]) == 2
    assert heard == sound(HOURS_ANSWER, "ai")
    assert words.split() and " ".join(
        item["content"][0]["transcript"] for item in done["output"]) == HOURS_ANSWER


def test_out_of_band_response_leaves_the_conversation_alone(talk):
    talk.say(HOURS)
    talk.wait("response.created")
    talk.send("response.create", response={
        "conversation": "none", "output_modalities": ["text"], "metadata": {"for": "summary"},
        "input": [talk.item("user", "The lamp is broken. I want a new one. Thank you.")]})
    done = [talk.wait("response.done")["response"] for _ in range(2)]
    side = next(d for d in done if d["metadata"])
    assert side["conversation_id"] is None and side["metadata"] == {"for": "summary"}
    assert side["output"][0]["content"][0]["text"].startswith("The lamp is broken.")
    talk.send("conversation.item.retrieve", item_id=side["output"][0]["id"])
    assert talk.wait("error")["error"]["code"] == "item_retrieve_invalid_item_id"


# Items.

@pytest.mark.parametrize("kind", ["output_audio", "audio"])
def test_assistant_audio_cannot_be_created(talk, kind):
    item = {"type": "message", "role": "assistant", "content": [{"type": kind, "audio": "////"}]}
    talk.refused("conversation.item.create", "missing_required_parameter",
                 "item.content[0].text", item=item)


WRONG_ITEMS = [
    ({"type": "message", "role": "assistant", "content": [{"type": "input_text", "text": "x"}]},
     "invalid_value", "item.content[0].type"),
    ({"type": "message", "role": "user", "content": [{"type": "output_text", "text": "x"}]},
     "invalid_value", "item.content[0].type"),
    ({"type": "message", "role": "system", "content": [{"type": "input_audio", "audio": ""}]},
     "invalid_value", "item.content[0].type"),
    ({"type": "message", "role": "tool", "content": []}, "invalid_value", "item.role"),
    ({"type": "message", "content": []}, "missing_required_parameter", "item.role"),
    ({"type": "note"}, "invalid_value", "item.type"),
    ({"type": "message", "role": "user", "id": "x" * 33, "content": []},
     "string_above_max_length", "item.id"),
    ({"type": "function_call", "name": "f", "arguments": "{}", "call_id": "c" * 33},
     "string_above_max_length", "item.call_id"),
    ({"type": "function_call", "name": "f", "arguments": {}, "call_id": "c"}, "invalid_type",
     "item.arguments"),
    ({"type": "function_call_output", "call_id": "call_unknown", "output": "{}"},
     "invalid_tool_call_id", "item.call_id"),
    ({"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": "?"}]},
     "invalid_value", "item.content[0].audio"),
]


@pytest.mark.parametrize("item,code,param", WRONG_ITEMS,
                         ids=[f"{row[2]}-{i}" for i, row in enumerate(WRONG_ITEMS)])
def test_wrong_item_is_refused(talk, item, code, param):
    talk.refused("conversation.item.create", code, param, item=item)


def test_items_stand_where_they_are_put(talk):
    talk.refused("conversation.item.create", "item_create_invalid_previous_item_id",
                 previous_item_id="item_nobody", item=talk.item("user", "x"))
    for place, name in (("root", "b"), ("b", "c"), ("root", "a")):
        talk.send("conversation.item.create", previous_item_id=place,
                  item=talk.item("user", name, id=name))
        added = talk.wait("conversation.item.added")
        assert added["previous_item_id"] == (None if place == "root" else place)
        assert talk.wait("conversation.item.done")["item"]["id"] == name
    talk.refused("conversation.item.create", "item_create_duplicate_item_id",
                 item=talk.item("user", "again", id="a"))
    talk.send("conversation.item.delete", item_id="b")
    talk.wait("conversation.item.deleted")
    talk.refused("conversation.item.delete", "item_delete_invalid_item_id", item_id="b")
    talk.refused("conversation.item.retrieve", "item_retrieve_invalid_item_id", item_id="b")
    talk.refused("conversation.item.truncate", "item_truncate_invalid_item_id", item_id="b",
                 content_index=0, audio_end_ms=0)


def test_only_sound_of_the_model_is_truncated(talk):
    talk.send("conversation.item.create", item={
        "type": "function_call", "id": "f1", "call_id": "c1", "name": "f", "arguments": "{}"})
    talk.send("conversation.item.create", item=talk.item("assistant", "Hello.", id="a1"))
    for name in ("f1", "a1"):
        error = talk.refused("conversation.item.truncate", "invalid_value", item_id=name,
                             content_index=0, audio_end_ms=0)
        assert "Only model output audio" in error["message"]


def test_replayed_history_is_reported_and_answered(talk):
    for role, text in (("user", HOURS), ("assistant", HOURS_ANSWER),
                       ("system", "The line was cut."), ("user", "Do you speak Spanish?")):
        talk.send("conversation.item.create", item=talk.item(role, text))
    talk.send("response.create")
    assert talk.answer()[0].startswith("I am sorry, at the moment I only speak English")
    items = talk.report()["items"]
    assert [i["role"] for i in items] == ["user", "assistant", "system", "user"]
    assert [i["phrase"] for i in items if "phrase" in i] == [HOURS, "Do you speak Spanish?"]


@pytest.mark.parametrize("heard, answer", [
    ("We are open from nine", HOURS_ANSWER),
    ("We are open from [DIGITS_1] to six", HOURS_ANSWER),  # what a client masks in its history
    ("We are open from [DIGITS_1]", HOURS_ANSWER),
    (HOURS_ANSWER.replace("nine", "[DIGITS_1]"), "Are you still there?"),
    ("We are closed", "Are you still there?")])
def test_an_answer_that_was_cut_is_given_again(talk, heard, answer):
    for role, text in (("user", HOURS), ("assistant", heard)):
        talk.send("conversation.item.create", item=talk.item(role, text))
    talk.send("response.create", response={"instructions": "Go on where you were interrupted."})
    assert talk.answer()[0] == answer


def test_greeting_comes_from_the_instructions(ai):
    talk = ai.talk(telephony(instructions="Answer the telephone. Begin with “Welcome to Lamps.”"))
    talk.send("response.create")
    assert talk.answer()[0] == "Welcome to Lamps."
    session = "Answer the telephone. Begin with “Welcome to Lamps.”"
    talk.send("response.create", response={"instructions": session + " Say \"Goodbye then.\""})
    assert talk.answer()[0] == "Goodbye then."


# Functions.

TOOL = {"type": "function", "name": "lookup_order", "description": "Finds an order.",
        "parameters": {"type": "object", "properties": {"order_number": {"type": "string"}}}}
ORDER = "My order number is seven four one nine two."
ORDER_ANSWER = "Your order left our warehouse yesterday and arrives tomorrow."


def test_a_declared_function_is_called_and_its_output_answered(ai):
    talk = ai.talk(telephony(tools=[TOOL]))
    talk.say(ORDER)
    _, _, done = talk.answer()
    call = done["output"][0]
    assert (call["type"], call["name"], call["status"]) == ("function_call", "lookup_order",
                                                            "completed")
    assert json.loads(call["arguments"]) == {"order_number": "74192"}
    finished = next(e for e in talk.seen if e["type"] == "response.function_call_arguments.done")
    assert (finished["name"], finished["call_id"]) == ("lookup_order", call["call_id"])
    talk.send("conversation.item.create", item={
        "type": "function_call_output", "call_id": call["call_id"], "output": "{\"ok\":true}"})
    talk.send("response.create")
    assert talk.answer()[0] == ORDER_ANSWER
    assert talk.report()["tool_outputs"][0]["output"] == "{\"ok\":true}"


def test_a_function_that_is_not_declared_is_not_called(talk):
    talk.say(ORDER)
    words, _, done = talk.answer()
    assert words == ORDER_ANSWER
    assert [item["type"] for item in done["output"]] == ["message"]


# Faults.

def test_transcript_comes_late(ai):
    ai.fault("late_transcript", scope={"next": 1}, delay_ms=1500)
    talk = ai.talk(telephony())
    talk.say("Good morning, is anybody there?")
    talk.answer()
    talk.wait("conversation.item.input_audio_transcription.completed")
    types = talk.types()
    assert types.index("response.done") < types.index(
        "conversation.item.input_audio_transcription.completed")


def test_transcript_fails_and_the_turn_goes_on(ai):
    ai.fault("failed_transcript", scope={"next": 1})
    talk = ai.talk(telephony())
    talk.say(HOURS)
    failed = talk.wait("conversation.item.input_audio_transcription.failed")
    assert failed["error"]["code"]
    assert talk.answer()[0] == HOURS_ANSWER


def test_session_expires():
    with simulator("--session-limit", "1") as short:
        talk = short.talk()
        assert talk.wait("error")["error"]["code"] == "session_expired"
        assert talk.wait_closed() == 1001


@pytest.mark.parametrize("kind,code", [("close_1011", 1011), ("drop", 1006), ("rst", 1006),
                                       ("expire", 1001), ("quota_close", 1008)])
def test_connection_ends_by_fault(ai, talk, kind, code):
    ai.fault(kind, scope={"session": talk.id})
    assert talk.wait_closed() == code
    report = wait_report(talk, lambda r: not r["is_open"], "the session is closed")
    assert report["closed_by"] == "server"


def test_connection_is_dropped_in_the_middle_of_an_answer(ai):
    ai.fault("drop_in_audio", scope={"next": 1})
    talk = ai.talk(telephony())
    talk.say(HOURS)
    talk.wait("response.output_audio.delta")
    assert talk.wait_closed() == 1006
    assert "response.done" not in talk.types()


def test_half_open_socket_says_nothing_more(ai, talk):
    ai.fault("half_open", scope={"session": talk.id})
    wait_report(talk, lambda r: True, "the fault struck")
    pong = talk.socket.ping()
    talk.send("input_audio_buffer.clear")
    assert not pong.wait(0.5)
    with pytest.raises(TimeoutError):
        talk.socket.recv(timeout=0.1)
    talk.socket.close_timeout = 0.1


def test_malformed_message_comes_between(ai, talk):
    ai.fault("malformed", scope={"session": talk.id})
    text = talk.socket.recv(timeout=30)
    with pytest.raises(ValueError):
        json.loads(text)
    talk.say(HOURS)
    assert talk.answer()[0] == HOURS_ANSWER


@pytest.mark.parametrize("kind,code", [("rate_limit", "inference_rate_limit_exceeded"),
                                       ("quota", "insufficient_quota"), ("server_error", None)])
def test_response_fails_once(ai, kind, code):
    ai.fault(kind, scope={"next": 1})
    talk = ai.talk(telephony())
    talk.send("response.create")
    done = talk.wait("response.done")["response"]
    assert (done["status"], done["status_details"]["error"]["code"]) == ("failed", code)
    talk.send("response.create")
    assert talk.answer()[2]["status"] == "completed"


def test_latency_delays_events_and_keeps_their_order(ai, talk):
    ai.fault("latency", scope={"session": talk.id}, delay_ms=50)
    talk.say(HOURS)
    _, heard, done = talk.answer()
    assert heard == sound(HOURS_ANSWER, "ai") and done["status"] == "completed"


def test_faults_come_from_the_command_line_by_chance():
    with simulator("--fault", "refuse_upgrade_429:next=2", "--fault",
                   "rate_limit:probability=0.5,times=-1", "--seed", "7") as ai:
        assert [refused_upgrade(ai) for _ in range(2)] == [429, 429]
        talk = ai.talk(telephony())
        results = set()
        for _ in range(20):
            talk.send("response.create", response={"output_modalities": ["text"]})
            results.add(talk.wait("response.done")["response"]["status"])
        assert results == {"failed", "completed"}


def test_unknown_fault_is_refused(ai):
    ai.ask("POST", "/faults", {"kind": "earthquake"}, want=400)
    ai.ask("POST", "/faults", {"kind": "drop", "scope": {"session": "sess_x"}}, want=400)


def test_reports_are_forgotten_on_request(ai):
    talk = ai.talk()
    talk.close()
    wait_report(talk, lambda r: not r["is_open"], "the session is closed")
    ai.ask("DELETE", "/sessions")
    ai.ask("GET", f"/sessions/{talk.id}", want=404)


# REST.

def client(ai, **more):
    return openai.OpenAI(api_key=KEY, base_url=f"{ai.rest}/v1", **more)


def test_embeddings_are_unit_vectors_in_any_order(ai):
    texts = ["opening hours of the shop", "the shop's opening hours", "a broken lamp"]
    status, text = ai.post("/v1/embeddings", {"model": "text-embedding-3-small", "input": texts})
    rows = json.loads(text)["data"]
    assert status == 200 and [r["index"] for r in rows] != [0, 1, 2]
    vector = {r["index"]: r["embedding"] for r in rows}
    assert all(len(v) == 1536 and abs(math.hypot(*v) - 1) < 1e-5 for v in vector.values())

    def near(a, b):
        return sum(x * y for x, y in zip(vector[a], vector[b]))

    assert near(0, 1) > 0.5 > near(0, 2)
    status, text = ai.post("/v1/embeddings", {"model": "text-embedding-3-small", "input": texts[0],
                                              "encoding_format": "base64", "dimensions": 256})
    raw = base64.b64decode(json.loads(text)["data"][0]["embedding"])
    short = struct.unpack("<256f", raw)
    assert abs(math.hypot(*short) - 1) < 1e-5
    scale = math.hypot(*vector[0][:256])
    assert all(abs(a - b / scale) < 1e-5 for a, b in zip(short, vector[0]))


@pytest.mark.parametrize("body,status", [
    ({"model": "text-embedding-3-small", "input": ""}, 400),
    ({"model": "text-embedding-3-small", "input": []}, 400),
    ({"model": "text-embedding-3-small", "input": ["x"] * 2049}, 400),
    ({"model": "text-embedding-3-small", "input": "x " * 20000}, 400),
    ({"model": "text-embedding-3-small", "input": "x", "dimensions": 2000}, 400),
    ({"model": "text-embedding-ada-002", "input": "x", "dimensions": 100}, 400),
    ({"model": "gpt-5", "input": "x"}, 400),
    ({"model": "nothing", "input": "x"}, 404),
    ({"input": "x"}, 400),
    ({"model": "text-embedding-3-small", "input": "x", "encoding": "base64"}, 400)])
def test_wrong_embeddings_request_is_refused(ai, body, status):
    got, text = ai.post("/v1/embeddings", body)
    assert got == status
    assert json.loads(text)["error"]["type"] == "invalid_request_error"


def test_rest_wants_a_key(ai):
    status, text = ai.post("/v1/embeddings", {}, key="sk-wrong")
    assert (status, json.loads(text)["error"]["code"]) == (401, "invalid_api_key")


def test_rate_limit_says_when_to_come_back_or_does_not(ai):
    asking = client(ai, max_retries=0).embeddings.with_raw_response
    for retry_after_ms in (1500, -1):
        ai.fault("rest_429", scope={"next": 1}, retry_after_ms=retry_after_ms)
        with pytest.raises(openai.RateLimitError) as refusal:
            asking.create(model="text-embedding-3-small", input="x")
        headers = refusal.value.response.headers
        assert headers.get("retry-after-ms") == ("1500" if retry_after_ms > 0 else None)
        assert headers.get("retry-after") == ("2" if retry_after_ms > 0 else None)
        assert refusal.value.code == "rate_limit_exceeded"
    headers = asking.create(model="text-embedding-3-small", input="x").headers
    assert headers["x-ratelimit-remaining-requests"] and headers["x-request-id"]


def test_other_rest_faults(ai):
    body = {"model": "text-embedding-3-small", "input": "x"}
    ai.fault("rest_quota", scope={"next": 1})
    status, text = ai.post("/v1/embeddings", body)
    assert (status, json.loads(text)["error"]["code"]) == (429, "insufficient_quota")
    ai.fault("rest_html_502", scope={"next": 1})
    status, text = ai.post("/v1/embeddings", body)
    assert status == 502 and text.startswith("<html>")
    ai.fault("rest_500", scope={"next": 1})
    assert ai.post("/v1/embeddings", body)[0] == 500
    ai.fault("rest_slow", scope={"next": 1}, delay_ms=600)
    with pytest.raises(openai.APITimeoutError):
        client(ai, max_retries=0, timeout=0.2).embeddings.create(**body)
    assert ai.post("/v1/embeddings", body)[0] == 200


def test_official_client_retries_embeddings_until_they_come(ai):
    ai.fault("rest_429", scope={"next": 1}, retry_after_ms=10)
    rows = client(ai).embeddings.create(model="text-embedding-3-small", input=["a", "b"]).data
    assert {r.index for r in rows} == {0, 1} and len(rows[0].embedding) == 1536


TALK = [{"role": "system", "content": "Summarise."},
        {"role": "user", "content": "My lamp is broken. I bought it in May and it never worked "
                                    "as it should. Please send another."}]


def test_official_client_gets_summaries(ai):
    asking = client(ai)
    models = {m.id for m in asking.models.list()}
    assert {MODEL, "text-embedding-3-small"} <= models
    with pytest.raises(openai.NotFoundError):
        asking.models.retrieve("gpt-nothing")
    chat = asking.chat.completions.create(model="gpt-5-mini", messages=TALK)
    words = chat.choices[0].message.content
    assert words.startswith("My lamp is broken.") and chat.usage.total_tokens > 0
    answer = asking.responses.create(model="gpt-5-mini", input=TALK, store=False)
    assert answer.output[0].type == "reasoning" and answer.output_text == words
    shape = {"type": "object", "properties": {"summary": {"type": "string"},
                                              "mood": {"enum": ["calm", "angry"]}}}
    answer = asking.responses.create(model="gpt-5-mini", input=TALK, text={"format": {
        "type": "json_schema", "name": "s", "schema": shape}})
    assert json.loads(answer.output_text) == {"summary": words, "mood": "calm"}
    answer = asking.responses.create(model="gpt-5-mini", input=TALK, text={"format": {
        "type": "json_schema", "name": "s", "schema": {"type": "string"}}})
    assert json.loads(answer.output_text) == words
    with pytest.raises(openai.BadRequestError):
        asking.chat.completions.create(model="gpt-5-mini", messages=TALK, max_tokens=10)


# The official client.

END_CALL = {"type": "function", "name": "end_call", "description": "Ends the call.",
            "parameters": {"type": "object", "properties": {"reason": {"type": "string"}}}}


async def speak(connection, text):
    audio = silence(200) + sound(text) + silence(600)
    for at in range(0, len(audio), 160):
        await connection.input_audio_buffer.append(
            audio=base64.b64encode(audio[at:at + 160]).decode())


async def listen(connection):
    """One response to its end: (what the caller said, the AI's words, its sound, the response)."""
    caller, words, heard = None, "", b""
    async for event in connection:
        if event.type == "conversation.item.input_audio_transcription.completed":
            caller = event.transcript
        elif event.type == "response.output_audio_transcript.delta":
            words += event.delta
        elif event.type == "response.output_audio.delta":
            heard += base64.b64decode(event.delta)
        elif event.type == "error":
            raise AssertionError(event)
        elif event.type == "response.done":
            return caller, words, heard, event.response


async def converse(ai):
    official = openai.AsyncOpenAI(api_key=KEY, base_url=f"{ai.rest}/v1",
                                  websocket_base_url=f"{ai.ws}/v1")
    async with official.realtime.connect(model=MODEL) as connection:
        created = await connection.recv()
        assert created.type == "session.created"
        await connection.session.update(session=telephony(
            tools=[END_CALL], instructions="Greet the caller with “Harbour Lamps, good day.”"))
        assert (await connection.recv()).session.audio.output.format.type == "audio/pcmu"
        await connection.response.create()
        _, words, heard, _ = await listen(connection)
        assert words == "Harbour Lamps, good day." and heard == sound(words, "ai")
        for asked, answered in ((HOURS, HOURS_ANSWER),
                                ("How long does a refund take?",
                                 "A refund takes three to five working days.")):
            await speak(connection, asked)
            caller, words, heard, response = await listen(connection)
            assert (caller, words) == (asked, answered)
            assert heard == sound(answered, "ai") and response.usage.total_tokens > 0
        await speak(connection, "Goodbye.")
        _, words, _, response = await listen(connection)
        assert words == "Goodbye, and have a nice day."
        call = next(item for item in response.output if item.type == "function_call")
        assert call.name == "end_call"
        await connection.conversation.item.create(item={
            "type": "function_call_output", "call_id": call.call_id, "output": "{}"})
        return created.session.id


def test_official_client_holds_a_spoken_conversation(ai):
    report = ai.report(asyncio.run(converse(ai)))
    assert report["heard_texts"] == [HOURS, "How long does a refund take?", "Goodbye."]
    assert all(h["exact"] and h["bytes"] == h["of_bytes"] for h in report["heard"])
    assert report["errors"] == []


def test_tls(tmp_path):
    """With a certificate the service speaks TLS, both WebSocket and REST."""
    import ssl
    support.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-nodes", "-keyout", tmp_path / "key", "-out", tmp_path / "cert", "-days", "2",
                "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1")
    with simulator("--cert", str(tmp_path / "cert"), "--key", str(tmp_path / "key")) as ai:
        trust = ssl.create_default_context(cafile=str(tmp_path / "cert"))
        status, _ = support.request("GET", f"https://127.0.0.1:{ai.port}/v1/models",
                                    headers={"Authorization": f"Bearer {KEY}"}, context=trust)
        assert status == 200
