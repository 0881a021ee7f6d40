"""From the body of a whole answer to a `Reply`; and what a stream reads the same way: items, usage, statuses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Raw

from calibrant.apischema.openai_responses import Incomplete, Item, ItemPart, ResponseAnswer, ResponseUsage
from calibrant.base.errors import ProviderError
from calibrant.providers.base import JSON_TOOL
from calibrant.providers.refusal import UNREADABLE, bad_answer, refusal_in, refusal_within
from calibrant.types.content import OutputBlock, Text, Thought, ToolCall, Unknown
from calibrant.types.reply import FinishReason, Reply, Usage

__all__ = ["Ending", "decode_responses", "failure_in", "item_of", "summary_of", "text_of", "usage_of"]


_answer_decoder = msgspec.json.Decoder(ResponseAnswer)
_item_decoder = msgspec.json.Decoder(Item)
_usage_decoder = msgspec.json.Decoder(ResponseUsage)
_incomplete_decoder = msgspec.json.Decoder(Incomplete)
_any_decoder = msgspec.json.Decoder()

_INCOMPLETE: dict[str | None, FinishReason] = {"max_output_tokens": "length", "content_filter": "content_filter"}


class Ending:
    """What the items of an answer say about its end."""

    __slots__ = ("called", "called_json", "refused")

    def __init__(self) -> None:
        """Start before the first item."""
        self.refused = False
        self.called = False
        self.called_json = False

    def reason(self, answer: ResponseAnswer) -> tuple[FinishReason | None, bytes]:
        """Return why the answer ended, and the provider's detail."""
        details = bytes(answer.incomplete_details)
        if answer.status == "incomplete":
            why = None if details in (b"", b"null") else _incomplete_decoder.decode(details).reason
            return _INCOMPLETE.get(why, "unknown"), details
        if answer.status not in ("completed", None):
            return "unknown", b""
        if self.refused:
            return "content_filter", b""
        return ("tool_call" if self.called else "stop"), b""


def decode_responses(provider: str, provider_type: str, status: int, body: bytes, *, json_tool: bool) -> Reply:
    """Return the whole answer.

    Raises:
        Refused: the body is an error after all, or the answer failed.
        BadAnswer: the body is no response.
    """
    ending = Ending()
    try:
        answer = _answer_decoder.decode(body)
        blocks = [
            block for raw in answer.output or () for block in _blocks(raw, provider_type, ending, json_tool=json_tool)
        ]
        finish, detail = ending.reason(answer)
    except UNREADABLE as error:
        raise refusal_in(provider, status, body) or bad_answer(
            provider, status, body, f"the answer is not a response: {error}"
        ) from None
    failure = failure_in(provider, answer, body)
    if failure is not None:
        raise failure
    if answer.output is None:
        raise refusal_in(provider, status, body) or bad_answer(provider, status, body, "the answer has no output")
    return Reply(
        content=tuple(blocks),
        usage=usage_of(answer.usage) or Usage(),
        finish_reason=finish,
        raw=body,
        model=answer.model or None,
        request_id=answer.id or None,
        finish_detail=detail,
    )


def failure_in(provider: str, answer: ResponseAnswer, body: bytes) -> ProviderError | None:
    """Return why the answer failed, or null where it did not."""
    if bytes(answer.error) in (b"", b"null"):
        return refusal_within(provider, Raw(b"null"), body) if answer.status == "failed" else None
    return refusal_within(provider, answer.error, body)


def item_of(raw: Raw) -> Item:
    """Return an item of the output.

    Raises:
        msgspec.DecodeError: it is none.
    """
    return _item_decoder.decode(raw)


def _blocks(raw: Raw, provider_type: str, ending: Ending, *, json_tool: bool) -> Iterable[OutputBlock]:
    item = item_of(raw)
    match item.type:
        case "message":
            for part in item.content or ():
                ending.refused = ending.refused or bool(part.refusal)
                text = part.refusal or part.text
                if text:
                    yield Text(text)
        case "function_call":
            if json_tool and item.name == JSON_TOOL:
                yield Text(item.arguments or "")
            else:
                ending.called = True
                yield ToolCall(item.call_id or item.id or "", item.name or "", item.arguments or "")
        case "custom_tool_call":
            ending.called = True
            yield ToolCall(item.call_id or item.id or "", item.name or "", item.input or "")
        case "reasoning":
            yield Thought(
                text_of(item.content),
                item.encrypted_content or None,
                summary_of(item.summary),
                provider_type,
                None if item.id is None else {"id": item.id},
            )
        case _:
            yield Unknown(_any_decoder.decode(raw))


def text_of(parts: Sequence[ItemPart] | None) -> str | None:
    """Return the text of reasoning, or null where none is shown."""
    texts = [part.text for part in parts or () if part.text is not None]
    return "".join(texts) if texts else None


def summary_of(parts: Sequence[ItemPart] | None) -> list[dict[str, str]] | None:
    """Return the paragraphs of a summary, or null where there are none."""
    return [{"type": "summary_text", "text": part.text or ""} for part in parts or ()] or None


def usage_of(raw: Raw) -> Usage | None:
    """Return the usage, or null where there is none."""
    text = bytes(raw)
    if text in (b"", b"null"):
        return None
    try:
        found = _usage_decoder.decode(text)
    except UNREADABLE:
        return Usage(raw=text)
    sent, made = found.input_tokens_details, found.output_tokens_details
    return Usage(
        found.input_tokens,
        found.output_tokens,
        None if sent is None else sent.cached_tokens,
        None if sent is None else sent.cache_write_tokens,
        None if made is None else made.reasoning_tokens,
        text,
    )
