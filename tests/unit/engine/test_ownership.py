"""A block that only its provider can read says whose it is, and goes back to that one alone."""

import msgspec
import pytest
from tests.support.engine import Answer, Line, said

from calibrant.types.content import Text, Unknown
from calibrant.types.message import Input, Message
from calibrant.wire import native, openai_chat

NOW = 1_780_000_000_000
BLOCK = {"type": "a_block_of_next_year", "x": [1.5]}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [{"type": "text", "text": "Hi."}, BLOCK],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 3, "output_tokens": 2},
}
OWNED = Unknown(BLOCK, "m", "p")
TOML = """
[models.m]
routing = ["p", "q"]
[models.m.providers.p]
type = "anthropic"
model_name = "claude-sonnet-4-6"
api_base = "http://p.m/v1"
api_key_location = "none"
[models.m.providers.q]
type = "openai"
model_name = "gpt"
api_base = "http://q.m/v1"
api_key_location = "none"
[models.n]
routing = ["p"]
[models.n.providers.p]
type = "anthropic"
model_name = "claude-sonnet-4-6"
api_base = "http://p.n/v1"
api_key_location = "none"
[functions.f]
type = "chat"
[functions.f.variants.v]
type = "chat_completion"
model = "m"
[functions.f.variants.w]
type = "chat_completion"
model = "n"
[functions.f.variants.one]
type = "experimental_mixture_of_n"
candidates = ["v"]
fuser = { model = "m" }
"""
EVENTS = [
    {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": BLOCK},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "Hi."}},
    {"type": "content_block_stop", "index": 1},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
    {"type": "message_stop"},
]


def events():
    return Answer(*(b"event: x\ndata: " + msgspec.json.encode(each) + b"\n\n" for each in EVENTS))


@pytest.mark.parametrize("variant", ["v", "one"])
def test_a_whole_answer_says_whose_its_blocks_are(tmp_path, variant):
    line = Line(tmp_path, TOML, MESSAGE)
    answered = line.infer(variant_name=variant)
    assert answered.content == (Text("Hi."), OWNED)
    block = {"type": "unknown", "data": BLOCK, "model_name": "m", "provider_name": "p"}
    assert msgspec.json.decode(native.encode(answered))["content"][1] == block
    assert msgspec.json.decode(line.row.output)[1] == block
    (choice,) = msgspec.json.decode(openai_chat.encode(answered))["choices"]
    assert choice["message"]["tensorzero_extra_content"] == [{**block, "insert_index": 1}]


@pytest.mark.parametrize("variant, reply", [("v", events), ("one", lambda: MESSAGE)])
def test_so_does_a_stream(tmp_path, variant, reply):
    line = Line(tmp_path, TOML, reply())
    stream, seen = line.stream(variant_name=variant)
    assert OWNED in stream.answered.content
    writes, chats = native.Events(stream.head), openai_chat.Events(stream.head)
    told = [writes.chunk(chunk) for chunk in seen]
    pieces = [p for each in told if each for p in msgspec.json.decode(each.removeprefix(b"data: "))["content"]]
    (unknown,) = [piece for piece in pieces if piece["type"] == "unknown"]
    assert (unknown["data"], unknown["model_name"], unknown["provider_name"]) == (BLOCK, "m", "p")
    chunks = [msgspec.json.decode(each[6:]) for each in map(chats.chunk, seen) if each]
    (extra,) = [x for each in chunks for x in each["choices"][0]["delta"].get("tensorzero_extra_content", ())]
    assert (extra["data"], extra["model_name"], extra["provider_name"]) == (BLOCK, "m", "p")


def test_a_block_that_is_sent_back_goes_to_its_own_provider(tmp_path):
    line = Line(tmp_path, TOML, MESSAGE)
    body = msgspec.json.decode(native.encode(line.infer(variant_name="v")))
    turns = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": body["content"]},
        {"role": "user", "content": "b"},
    ]
    asked = {"function_name": "f", "input": {"messages": turns}}
    back = native.decode(msgspec.json.encode(asked), now_ms=NOW).input
    # Its own provider, which fails; another one of the model; the same type of another model.
    replies = iter([Answer(b"{}", status=500), said("b"), MESSAGE])
    line = Line(tmp_path, TOML, lambda _: next(replies))
    line.infer(variant_name="v", input=back)
    line.infer(variant_name="w", input=back)
    own, other, elsewhere = line.sender.bodies
    assert own["messages"][1]["content"] == [{"type": "text", "text": "Hi."}, BLOCK]
    assert other["messages"][1] == elsewhere["messages"][1] == {"role": "assistant", "content": "Hi."}


def test_whose_it_was_said_to_be_stays(tmp_path):
    """Another gateway knows better which of its providers answered."""
    relay = '[gateway.relay]\ngateway_url = "http://central"\n'
    answer = {
        "inference_id": "0196ffff-0000-7000-8000-000000000001",
        "episode_id": "0196ffff-0000-7000-8000-000000000002",
        "variant_name": "m",
        "content": [
            {"type": "unknown", "data": 1, "model_name": "m", "provider_name": "theirs"},
            {"type": "unknown", "data": 2},
        ],
        "usage": {"input_tokens": 1, "output_tokens": 1},
        "finish_reason": "stop",
    }
    line = Line(tmp_path, relay + TOML, answer)
    asked = Input((Message("user", (Text("a"),)),))
    assert line.infer(variant_name="v", input=asked).content == (Unknown(1, "m", "theirs"), Unknown(2, "m", None))
