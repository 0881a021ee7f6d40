"""From our messages to Converse's: turns of one role joined, tool results first, cache points where they may stand.

Source: docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html; what Converse refuses although
the page does not say so, from github.com/strands-agents/harness-sdk/issues/1966 and pull/3677,
github.com/0xPlaygrounds/rig/issues/1673 and github.com/OpenHands/OpenHands/issues/5339.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

from calibrant.apischema.bedrock import (
    CacheBlock,
    CachePointMark,
    ConverseMessage,
    DocumentBlock,
    ReasoningBlock,
    ReasoningContent,
    ReasoningText,
    TextBlock,
    ToolResult,
    ToolResultBlock,
    ToolUse,
    ToolUseBlock,
)
from calibrant.base.errors import ProviderError
from calibrant.config.schema import Provider
from calibrant.providers.bedrock_files import file_block
from calibrant.providers.bedrock_model import is_claude
from calibrant.providers.call_arguments import arguments_object
from calibrant.types import content as ours
from calibrant.types.message import Message

__all__ = ["first_cache_point", "to_messages", "used_tools"]

_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
_NO_OUTPUT = "(no output)"
_CACHEABLE_DOCUMENT = "pdf"


def first_cache_point(messages: Sequence[Message]) -> CacheBlock | None:
    """Return the cache point that stands before every message: it ends tools and system prompt."""
    if messages and messages[0].content:
        first = messages[0].content[0]
        if isinstance(first, ours.CachePoint):
            return CacheBlock(CachePointMark(first.ttl))
    return None


def used_tools(messages: Sequence[Message]) -> tuple[str, ...]:
    """Return the names of the tools that the conversation has used already, each once."""
    names = (
        block.name if isinstance(block, ours.ToolResult) else block.name or block.raw_name
        for message in messages
        for block in message.content
        if isinstance(block, (ours.ToolCall, ours.ToolResult))
    )
    return tuple(dict.fromkeys(names))


def to_messages(provider: Provider, messages: Sequence[Message]) -> list[ConverseMessage]:
    """Return the messages without the system prompt.

    Raises:
        ProviderError: a block has no form in this dialect.
    """
    out: list[ConverseMessage] = []
    documents = count(1)
    for message in messages:
        content = message.content
        same = bool(out) and out[-1].role == message.role
        if not same and len(content) == 1 and isinstance(content[0], ours.Text) and content[0].text.strip():
            out.append(ConverseMessage(message.role, [TextBlock(content[0].text)]))
            continue
        blocks = out.pop().content if same else []
        before = len(blocks)
        for block in content:
            if isinstance(block, ours.CachePoint):
                _mark(blocks or (out[-1].content if out else []), CacheBlock(CachePointMark(block.ttl)))
            elif (made := _block(provider, block, documents)) is not None:
                blocks.append(made)
        if len(blocks) > before or same:
            out.append(ConverseMessage(message.role, _results_first(blocks)))
    return out


def _mark(blocks: list[Any], point: CacheBlock) -> None:
    """Put a cache point behind the blocks, or as near to it as Converse takes one.

    It refuses one that is the first of its turn, one behind reasoning, and one behind a document that is no PDF.
    """
    place = len(blocks)
    while place and _bars_cache_point(blocks[place - 1]):
        place -= 1
    if place and not isinstance(blocks[place - 1], CacheBlock):
        blocks.insert(place, point)


def _bars_cache_point(block: Any) -> bool:
    if isinstance(block, DocumentBlock):
        return block.document.format != _CACHEABLE_DOCUMENT
    return isinstance(block, ReasoningBlock)


def _results_first(blocks: list[Any]) -> list[Any]:
    """Return the blocks with what tools answered in front; a cache point stays behind the block before it."""
    results: list[Any] = []
    others: list[Any] = []
    last = others
    for block in blocks:
        if not isinstance(block, CacheBlock):
            last = results if isinstance(block, ToolResultBlock) else others
        last.append(block)
    return [*results, *others] if results else blocks


def _block(provider: Provider, block: ours.InputBlock, documents: Iterator[int]) -> Any:
    match block:
        case ours.Text(text):
            # Converse refuses text that is blank.
            return TextBlock(text) if text.strip() else None
        case ours.ToolCall(id, raw_name, raw_arguments, name):
            return ToolUseBlock(ToolUse(_call_id(id), name or raw_name, arguments_object(provider, raw_arguments)))
        case ours.ToolResult(id, _, result):
            said = TextBlock(result if result.strip() else _NO_OUTPUT)
            return ToolResultBlock(ToolResult(_call_id(id), (said,)))
        case ours.File():
            return file_block(provider, block, documents)
        case ours.Thought():
            return _thought(provider, block)
        case ours.Unknown(data, _, provider_name):
            return data if provider_name in (None, provider.name) else None
        case _:
            raise ProviderError(
                f"provider {provider.name!r}: a block {type(block).__name__} has no place here in a message",
                retryable=False,
            )


def _call_id(id: str) -> str:  # noqa: A002 - our own word for it
    # An id of another vendor may be too long or hold what Converse refuses; the result must still find its call.
    return id if _ID.fullmatch(id) else "call_" + hashlib.sha256(id.encode()).hexdigest()[:32]


def _thought(provider: Provider, thought: ours.Thought) -> ReasoningBlock | None:
    # Another provider's reasoning means nothing here.
    own = thought.provider_type == provider.type
    if not own and (thought.provider_type is not None or not thought.signature):
        return None
    if thought.text is None:
        return ReasoningBlock(ReasoningContent(redacted_content=thought.signature)) if thought.signature else None
    if not thought.signature and (is_claude(provider.model_name) or not thought.text.strip()):
        # Claude refuses reasoning without its signature, as an answer that broke off leaves it.
        return None
    return ReasoningBlock(ReasoningContent(ReasoningText(thought.text, thought.signature)))
