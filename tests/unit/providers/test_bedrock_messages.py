from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.contract.providers.cases import provider

from calibrant.base.errors import ProviderError
from calibrant.providers.bedrock_messages import first_cache_point, to_messages, used_tools
from calibrant.types.content import CachePoint, File, RawText, Text, Thought, ToolCall, ToolResult
from calibrant.types.message import Message

CLAUDE = provider("aws_bedrock", model_name="us.anthropic.claude-sonnet-4-5")
NOVA = provider("aws_bedrock", model_name="us.amazon.nova-2-lite-v1:0")


def sent(*messages: Message, to: Any = CLAUDE) -> Any:
    return msgspec.to_builtins([(message.role, message.content) for message in to_messages(to, messages)])


def test_arguments_go_back_as_the_model_wrote_them() -> None:
    written = '{"n": 1.50, "big": 12345678901234567890123, "e": 1e2}'
    (message,) = to_messages(CLAUDE, (Message("assistant", (ToolCall("a", "f", written),)),))
    assert written.encode() in msgspec.json.encode(message)


def test_reasoning_without_a_signature() -> None:
    # As an answer that broke off leaves it: Claude refuses it, others never sign.
    cut = Message("assistant", (Thought("Hm.", provider_type="aws_bedrock"), Text("a")))
    assert sent(cut) == [("assistant", [{"text": "a"}])]
    assert sent(cut, to=NOVA) == [
        ("assistant", [{"reasoningContent": {"reasoningText": {"text": "Hm."}}}, {"text": "a"}])
    ]


@pytest.mark.parametrize(
    "thought",
    [
        Thought(None, provider_type="aws_bedrock"),
        Thought(" ", provider_type="aws_bedrock"),
        Thought("Hm.", "sig", provider_type="gcp_vertex_anthropic"),
        Thought("Hm."),
    ],
)
def test_reasoning_that_is_left_out(thought: Thought) -> None:
    assert sent(Message("assistant", (thought, Text("a"))), to=NOVA) == [("assistant", [{"text": "a"}])]


def test_signed_reasoning_of_which_nobody_said_whose_it_is() -> None:
    ((_, content),) = sent(Message("assistant", (Thought("Hm.", "sig"),)))
    assert content == [{"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "sig"}}}]


def test_a_cache_point_never_follows_reasoning_or_a_document_that_is_no_pdf() -> None:
    notes = File(data="aGk=", mime_type="text/plain")
    ((_, content),) = sent(Message("user", (notes, CachePoint())))
    assert [next(iter(block)) for block in content] == ["document"]
    ((_, content),) = sent(Message("user", (Text("a"), notes, notes, CachePoint())))
    assert [next(iter(block)) for block in content] == ["text", "cachePoint", "document", "document"]
    paper = File(data="aGk=", mime_type="application/pdf")
    ((_, content),) = sent(Message("user", (paper, CachePoint())))
    assert [next(iter(block)) for block in content] == ["document", "cachePoint"]
    ((_, content),) = sent(Message("assistant", (Thought("Hm.", "sig", provider_type="aws_bedrock"), CachePoint())))
    assert [next(iter(block)) for block in content] == ["reasoningContent"]


def test_a_cache_point_between_turns_belongs_to_the_one_before() -> None:
    turns = sent(Message("user", (Text("a"),)), Message("assistant", (CachePoint(), Text("b"))))
    assert turns == [("user", [{"text": "a"}, {"cachePoint": {"type": "default"}}]), ("assistant", [{"text": "b"}])]


def test_tools_that_were_used() -> None:
    talk = (
        Message("assistant", (ToolCall("a", "raw", "{}", "known"), ToolCall("b", "g", "{}"))),
        Message("user", (ToolResult("a", "known", "x"), ToolResult("b", "g", "y"))),
    )
    assert used_tools(talk) == ("known", "g")


def test_a_block_that_should_have_been_rendered() -> None:
    with pytest.raises(ProviderError, match="a block RawText has no place here") as caught:
        to_messages(CLAUDE, (Message("user", (RawText("a"),)),))
    assert not caught.value.retryable


def test_a_turn_without_blocks() -> None:
    assert to_messages(CLAUDE, (Message("user", ()),)) == []
    assert first_cache_point((Message("user", ()),)) is None
    assert first_cache_point(()) is None
