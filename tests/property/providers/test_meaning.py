"""A conversation that our types can hold keeps its meaning on the way to a provider and back.

The provider is an echo: it answers with the last assistant turn of the request, which is how a vendor would have
said it. What the user said is looked for in the request itself, piece by piece, in order.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contract.providers.cases import provider

from calibrant.config.vendors import VENDORS
from calibrant.providers.catalog import adapter
from calibrant.providers.facts import facts
from calibrant.types.call import ModelCall
from calibrant.types.content import File, Text, Thought, ToolCall, ToolResult
from calibrant.types.message import Message
from calibrant.types.reply import Reply
from calibrant.types.request import Params
from calibrant.types.tool import Tool, ToolConfig

FIELDS: dict[str, dict[str, Any]] = {
    "azure": {"options": {"endpoint": "https://x.test"}},
    "aws_bedrock": {"options": {"region": "us-east-1"}},
    "aws_sagemaker": {"options": {"region": "us-east-1", "endpoint_name": "e", "hosted_provider": "openai"}},
    "gcp_vertex_anthropic": {"options": {"location": "us-east5", "project_id": "p"}},
    "gcp_vertex_gemini": {"options": {"location": "us-east5", "project_id": "p"}},
    **{kind: {"api_base": "http://x.test/v1"} for kind in ("vllm", "sglang", "tgi")},
    "responses": {"options": {"api_type": "responses", "include_encrypted_reasoning": True}},
}
SIGNED = {
    "anthropic",
    "gcp_vertex_anthropic",
    "aws_bedrock",
    "gcp_vertex_gemini",
    "google_ai_studio_gemini",
    "responses",
}
"""Dialects that carry a signature beside a thought."""
WITHOUT_IDS = {"gcp_vertex_gemini"}
"""Dialects that know a call by its name and place alone."""


def _chat(body: dict[str, Any]) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": body["messages"][-1], "finish_reason": "stop"}]}


def _responses(body: dict[str, Any]) -> dict[str, Any]:
    items = body["input"]
    last = max(
        i for i, item in enumerate(items) if item.get("role") == "user" or item["type"] == "function_call_output"
    )
    return {"status": "completed", "output": items[last + 1 :]}


def _anthropic(body: dict[str, Any]) -> dict[str, Any]:
    content = body["messages"][-1]["content"]
    content = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return {"type": "message", "role": "assistant", "content": content, "stop_reason": "end_turn"}


def _gemini(body: dict[str, Any]) -> dict[str, Any]:
    return {"candidates": [{"content": body["contents"][-1], "finishReason": "STOP"}]}


def _bedrock(body: dict[str, Any]) -> dict[str, Any]:
    return {"output": {"message": body["messages"][-1]}, "stopReason": "end_turn"}


ECHOES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    **dict.fromkeys(VENDORS, _chat),
    "responses": _responses,
    **dict.fromkeys(("anthropic", "gcp_vertex_anthropic"), _anthropic),
    **dict.fromkeys(("google_ai_studio_gemini", "gcp_vertex_gemini"), _gemini),
    "aws_bedrock": _bedrock,
}

words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12).filter(
    lambda text: text.strip() == text and "<think>" not in text
)
names = st.sampled_from(("get_weather", "get_time"))
arguments = st.dictionaries(words, st.none() | st.booleans() | st.integers(-(2**53), 2**53) | words, max_size=3)
ids = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=9, max_size=9)
images = st.binary(min_size=1, max_size=6).map(lambda data: File(data=b64encode(data).decode(), mime_type="image/png"))


@st.composite
def conversations(draw: st.DrawFn, kind: str) -> ModelCall:
    """Draw a conversation that ends with an assistant turn."""
    known = facts("openai" if kind == "responses" else kind)
    assert known is not None
    taken: set[str] = set()
    messages: list[Message] = []
    waiting: list[ToolCall] = []
    for _ in range(draw(st.integers(1, 3))):
        user: list[Any] = [ToolResult(call.id, call.raw_name, draw(words)) for call in waiting]
        user.append(Text(draw(words)))
        if known.images and draw(st.booleans()):
            user.append(draw(images))
        messages.append(Message("user", tuple(user)))
        said: list[Any] = []
        if known.thoughts_returned and draw(st.booleans()):
            signature = draw(ids) if kind in SIGNED else None
            own = "openai" if kind == "responses" else kind
            said.append(Thought(draw(words), signature, provider_type=own, extra_data=_item(kind, signature)))
        said.append(Text(draw(words)))
        waiting = []
        if known.tools:
            for own_id in draw(st.lists(ids.filter(lambda i: i not in taken), max_size=3, unique=True)):
                taken.add(own_id)
                text = msgspec.json.encode(draw(arguments)).decode()
                waiting.append(ToolCall(own_id, draw(names), text))
        messages.append(Message("assistant", (*said, *waiting)))
    tools = ToolConfig(
        tuple(Tool(name, "d", {"type": "object", "properties": {}}) for name in ("get_weather", "get_time"))
    )
    return ModelCall(
        draw(st.none() | words),
        tuple(messages),
        Params(max_tokens=2048),
        tools if known.tools else None,
    )


def _item(kind: str, signature: str | None) -> Any:
    return {"id": f"rs_{signature}"} if kind == "responses" else None


def meaning(reply: Reply | Message) -> dict[str, Any]:
    """Return what a turn says, without how it is cut into blocks."""
    return {
        "text": "".join(block.text for block in reply.content if isinstance(block, Text)),
        "thoughts": [(b.text, b.signature) for b in reply.content if isinstance(b, Thought)],
        "calls": [
            (b.id, b.raw_name, msgspec.json.decode(b.raw_arguments)) for b in reply.content if isinstance(b, ToolCall)
        ],
    }


def _leaves(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in _leaves(inner)]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in _leaves(inner)]
    return []


def _pieces(message: Message) -> list[str]:
    found: list[str] = []
    for block in message.content:
        match block:
            case Text(text):
                found.append(text)
            case ToolResult(result=result):
                found.append(result)
            case File(data=data):
                found.append(data or "")
            case _:
                pass
    return found


def made(kind: str) -> Any:
    fields = FIELDS.get(kind, {})
    return adapter(provider("openai" if kind == "responses" else kind, **fields))


@pytest.mark.parametrize("kind", sorted(ECHOES))
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_a_turn_comes_back_as_it_went(kind: str, data: st.DataObject) -> None:
    call = data.draw(conversations(kind))
    it = made(kind)
    body = msgspec.json.decode(it.encode(call).body)
    reply = it.decode(200, (), msgspec.json.encode(ECHOES[kind](body)), json_tool=False)
    came, went = meaning(reply), meaning(call.messages[-1])
    if kind in WITHOUT_IDS:
        came["calls"], went["calls"] = ([each[1:] for each in said["calls"]] for said in (came, went))
    assert came == went


@pytest.mark.parametrize("kind", sorted(ECHOES))
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_what_the_user_said_is_all_there_and_in_order(kind: str, data: st.DataObject) -> None:
    call = data.draw(conversations(kind))
    leaves = iter(_leaves(msgspec.json.decode(made(kind).encode(call).body)))
    rest = list(leaves)
    if call.system is not None:
        assert any(call.system in leaf for leaf in rest)
    place = 0
    for message in call.messages:
        if message.role == "user":
            for piece in _pieces(message):
                place = next(i for i in range(place, len(rest)) if piece in rest[i]) if piece else place
