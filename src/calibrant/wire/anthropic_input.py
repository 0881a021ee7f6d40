"""Messages of Anthropic's dialect: into our own, and as they go on to a provider of the same dialect.

- Messages of the role `system` join the system prompt, in their order, separated by line breaks.
- What tools answered comes first in its message, then the files that tools answered with, then the rest.
- A mark of the prompt cache becomes a `CachePoint` after its block.
- What no other dialect can say is listed with its path, so that it is refused there and never dropped.
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from calibrant.apischema import anthropic_request as shape
from calibrant.base.errors import InvalidRequest
from calibrant.types.content import (
    CachePoint,
    File,
    InputBlock,
    RawText,
    Template,
    Text,
    ToolCall,
    ToolResult,
    Unknown,
)
from calibrant.types.message import Input, Message
from calibrant.types.sent import SentMessage
from calibrant.wire import anthropic_thought, files
from calibrant.wire.body import MAX_DEPTH, invalid, refuse_deep

__all__ = ["Reader", "part_of", "raw_depth"]

T = TypeVar("T")

_encode = msgspec.json.Encoder().encode
_any = msgspec.json.Decoder()
_kind = msgspec.json.Decoder(shape.Kind)
_message = msgspec.json.Decoder(dict[str, Raw])


def part_of(decoder: msgspec.json.Decoder[T], raw: Raw, path: str) -> T:
    """Return a part of the body as the decoder's type.

    Raises:
        InvalidRequest: it has another shape; the message has the path in the whole body.
    """
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        inner = str(error)
        text = inner.replace("`$", f"`{path}", 1) if "`$" in inner else f"{inner} - at `{path}`"
        raise InvalidRequest(f"Invalid request body: {text}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise invalid(f"cannot be read: {error}", path) from error


class Reader:
    """Reads the messages of one request."""

    __slots__ = ("_foreign", "_names", "only")

    def __init__(self) -> None:
        """Start with nothing read."""
        self.only: list[str] = []
        """What no other dialect can say, by path."""
        self._names: dict[str, str] = {}
        self._foreign: list[int] = []

    def input(
        self, body: shape.MessagesBody, raws: Sequence[Raw], mark: CachePoint | None
    ) -> tuple[Input, tuple[SentMessage, ...]]:
        """Return the input that the body makes, and its messages as they go on.

        Args:
            body: The request.
            raws: Its messages, as written.
            mark: The mark of the cache that stands before the messages.

        Raises:
            InvalidRequest: a part is malformed or stands where it cannot; the message has the path.
        """
        system = self._system(body.system, "$.system")
        turns: list[Message] = []
        sent: list[SentMessage] = []
        for index, (message, raw) in enumerate(zip(body.messages, raws, strict=True)):
            path = f"$.messages[{index}].content"
            if message.role == "system":
                system += self._system(message.content, path)
                sent.append(SentMessage(bytes(raw), None))
                continue
            self._foreign = []
            content = self._content(message.content, message.role, path)
            sent.append(SentMessage(self._as_sent(raw, message), len(turns)))
            turns.append(Message(message.role, content))
        if turns and mark is not None:
            turns[0] = Message(turns[0].role, (mark, *turns[0].content))
        if turns and body.cache_control is not None:
            last = turns[-1]
            turns[-1] = Message(last.role, (*last.content, CachePoint(body.cache_control.ttl)))
        return Input(tuple(turns), _joined(system) if system else None), tuple(sent)

    def _as_sent(self, raw: Raw, message: shape.MessageBody) -> bytes | None:
        """Return a message for a provider of the dialect: without blocks that are another dialect's own."""
        if not self._foreign:
            return bytes(raw)
        kept = [block for place, block in enumerate(message.content) if place not in self._foreign]
        return _encode({**_message.decode(raw), "content": kept}) if kept else None

    def _system(self, system: str | list[Raw] | None, path: str) -> list[str | dict[str, Any]]:
        if system is None or isinstance(system, str):
            return [system] if system else []
        pieces: list[str | dict[str, Any]] = []
        for place, raw in enumerate(system):
            where = f"{path}[{place}]"
            if part_of(_kind, raw, where).type != "text":
                raise invalid("a system prompt takes blocks of type 'text'", f"{where}.type")
            block = _text(part_of(_DECODERS["text"], raw, where), "system", where)
            pieces.append(block.arguments if isinstance(block, Template) else block.text)
        return pieces

    def _content(self, content: str | list[Raw], role: str, path: str) -> tuple[InputBlock, ...]:
        if isinstance(content, str):
            return (Text(content),)
        results: list[InputBlock] = []
        files_of_results: list[InputBlock] = []
        rest: list[InputBlock] = []
        for place, raw in enumerate(content):
            where = f"{path}[{place}]"
            kind = part_of(_kind, raw, where).type
            if kind is None:
                raise invalid("a block needs its `type`", where)
            decoder = _DECODERS.get(kind)
            if decoder is None:
                rest.append(self._other(raw, kind, where))
                continue
            body = part_of(decoder, raw, where)
            if isinstance(body, shape.ToolResultBody):
                results.append(self._result(body, files_of_results, where))
                results += _mark(body.cache_control)
            else:
                rest += self._blocks(body, kind, role, where, place)
        return (*results, *files_of_results, *rest)

    def _blocks(self, body: Struct, kind: str, role: str, path: str, place: int) -> list[InputBlock]:
        match body:
            case shape.TextBody():
                return [_text(body, role, path), *_mark(body.cache_control)]
            case shape.SourcedBody():
                return [*self._sourced(body, kind, path), *_mark(body.cache_control)]
            case shape.ThinkingBody():
                return self._thought(body.thinking, body.signature, place)
            case shape.RedactedBody():
                return self._thought(None, body.data, place)
            case shape.ToolUseBody():
                if role == "user":
                    raise invalid("a tool_use belongs into a message of the assistant", path)
                self._names[body.id] = body.name
                return [_call(body, path), *_mark(body.cache_control)]
            case shape.TemplateBody():
                return [Template(body.name, body.arguments), *_mark(body.cache_control)]
            case shape.RawTextBody():
                return [RawText(body.value), *_mark(body.cache_control)]
            case shape.ForeignBlock():
                self._foreign.append(place)
                return [Unknown(body.data)]
            case _:
                raise invalid(f"a block of type {kind!r} cannot stand here", path)

    def _thought(self, text: str | None, opaque: str, place: int) -> list[InputBlock]:
        thought, alone = anthropic_thought.read(text, opaque)
        if thought.provider_type != "anthropic":
            # Anthropic refuses reasoning that it has not signed.
            self._foreign.append(place)
        return [thought, Text("")] if alone else [thought]

    def _result(self, body: shape.ToolResultBody, beside: list[InputBlock], path: str) -> ToolResult:
        name = self._names.get(body.tool_use_id)
        if name is None:
            raise invalid(
                f"no earlier assistant message has a tool_use with the id {body.tool_use_id!r}", f"{path}.tool_use_id"
            )
        if body.content is None or isinstance(body.content, str):
            return ToolResult(body.tool_use_id, name, body.content or "")
        texts: list[str] = []
        for place, raw in enumerate(body.content):
            where = f"{path}.content[{place}]"
            kind = part_of(_kind, raw, where).type
            if kind == "text":
                block = _text(part_of(_DECODERS["text"], raw, where), "tool_result", where)
                texts += [block.text] if isinstance(block, Text) else []
            elif kind in _FILES:
                beside += self._sourced(part_of(_DECODERS["image"], raw, where), kind, where)
            else:
                self._no_other(where, kind)
        return ToolResult(body.tool_use_id, name, "\n".join(texts))

    def _sourced(self, body: shape.SourcedBody, kind: str, path: str) -> list[InputBlock]:
        if body.citations is not None and body.citations.enabled:
            self._no_other(f"{path}.citations")
        found = self._file(body, kind, path)
        if body.context and kind == "document":
            return [Text(body.context), *found]
        return found

    def _file(self, body: shape.SourcedBody, kind: str, path: str) -> list[InputBlock]:
        source = body.source
        where = f"{path}.source"
        match source.type:
            case "base64" if source.data is not None:
                media = source.media_type
                return [files.from_base64(source.data, path=f"{where}.data", mime_type=media, filename=body.title)]
            case "url" if source.url is not None:
                media = source.media_type or ("application/pdf" if kind == "document" else None)
                return [files.from_url(source.url, path=f"{where}.url", mime_type=media, filename=body.title)]
            case "text" if source.data is not None:
                data = binascii.b2a_base64(source.data.encode("utf-8", "replace"), newline=False).decode()
                return [File(data=data, mime_type=source.media_type or "text/plain", filename=body.title)]
            case "content" if source.content is not None:
                return self._pages(source.content, f"{where}.content")
            case "base64" | "url" | "text" | "content":
                raise invalid(f"a source of type {source.type!r} lacks what it is named for", where)
            case other:
                self._no_other(where, other)
                return [Unknown({"type": kind, "source": {"type": other}})]

    def _pages(self, content: str | list[Raw], path: str) -> list[InputBlock]:
        """Return what a document holds that is written as blocks."""
        if isinstance(content, str):
            return [Text(content)]
        found: list[InputBlock] = []
        for place, raw in enumerate(content):
            where = f"{path}[{place}]"
            kind = part_of(_kind, raw, where).type
            if kind == "text":
                found.append(_text(part_of(_DECODERS["text"], raw, where), "document", where))
            elif kind == "image":
                found += self._sourced(part_of(_DECODERS["image"], raw, where), kind, where)
            else:
                self._no_other(where, kind)
        return found

    def _other(self, raw: Raw, kind: str, path: str) -> InputBlock:
        self._no_other(path, kind)
        if raw_depth(raw) > MAX_DEPTH:
            refuse_deep(_any.decode(raw), path)
        return Unknown(part_of(_any, raw, path))

    def _no_other(self, path: str, kind: str | None = None) -> None:
        self.only.append(f"`{path}`" if kind is None else f"`{path}` ({kind})")


def raw_depth(raw: Raw) -> int:
    """Return what a document's depth cannot exceed."""
    data = bytes(raw)
    return data.count(b"[") + data.count(b"{")


_FILES = ("image", "document")
_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    "text": msgspec.json.Decoder(shape.TextBody),
    "image": msgspec.json.Decoder(shape.SourcedBody),
    "document": msgspec.json.Decoder(shape.SourcedBody),
    "thinking": msgspec.json.Decoder(shape.ThinkingBody),
    "redacted_thinking": msgspec.json.Decoder(shape.RedactedBody),
    "tool_use": msgspec.json.Decoder(shape.ToolUseBody),
    "tool_result": msgspec.json.Decoder(shape.ToolResultBody),
    "unknown": msgspec.json.Decoder(shape.ForeignBlock),
    "tensorzero::template": msgspec.json.Decoder(shape.TemplateBody),
    "calibrant::template": msgspec.json.Decoder(shape.TemplateBody),
    "tensorzero::raw_text": msgspec.json.Decoder(shape.RawTextBody),
    "calibrant::raw_text": msgspec.json.Decoder(shape.RawTextBody),
}


def _text(part: shape.TextBody, role: str, path: str) -> Text | Template:
    arguments = part.tensorzero_arguments if part.calibrant_arguments is None else part.calibrant_arguments
    if part.text is not None and arguments is None:
        return Text(part.text)
    if arguments is not None and part.text is None and role in ("system", "user", "assistant"):
        return Template(role, arguments)
    raise invalid("a text block needs exactly one of `text` and `tensorzero::arguments`", path)


def _call(body: shape.ToolUseBody, path: str) -> ToolCall:
    arguments = bytes(body.input)
    if arguments[:1] != b"{":
        raise invalid("the input of a tool is an object", f"{path}.input")
    return ToolCall(body.id, body.name, arguments.decode())


def _mark(control: shape.CacheMark | None) -> list[InputBlock]:
    return [] if control is None else [CachePoint(control.ttl)]


def _joined(pieces: list[str | dict[str, Any]]) -> str | dict[str, Any]:
    if len(pieces) == 1:
        return pieces[0]
    texts = [piece for piece in pieces if isinstance(piece, str)]
    if len(texts) == len(pieces):
        return "\n".join(texts)
    raise invalid("the system prompt must be text, or the arguments of one template; merge its blocks", "$.system")
