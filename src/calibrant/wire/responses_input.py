"""Items of the Responses dialect, brought into messages of our own.

- `instructions` and all `system` and `developer` messages become one system prompt, joined by line breaks.
- What a model said in a row (reasoning, messages, calls) is one message; so are tools' answers in a row.
- An item or a part that we cannot read becomes an unknown block, and is noted as sayable in this dialect only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec
from msgspec import Raw

from calibrant.apischema import responses_body as shape
from calibrant.base.errors import InvalidRequest
from calibrant.types.content import InputBlock, Text, Thought, ToolCall, ToolResult, Unknown
from calibrant.types.message import Input, Message, Role
from calibrant.types.sent import SentMessage
from calibrant.wire.body import invalid
from calibrant.wire.responses_ids import owner_of
from calibrant.wire.responses_parts import to_part
from calibrant.wire.thought_seal import is_sealed, unseal

__all__ = ["InputReader", "read"]

_head = msgspec.json.Decoder(shape.ItemHead)
_message = msgspec.json.Decoder(shape.MessageBody)
_called = msgspec.json.Decoder(shape.CalledItem)
_answered = msgspec.json.Decoder(shape.OutputItem)
_reasoned = msgspec.json.Decoder(shape.Reasoned)
_reference = msgspec.json.Decoder(shape.ReferenceItem)
_part = msgspec.json.Decoder(shape.Part)
_anything = msgspec.json.Decoder()
_fields = msgspec.json.Decoder(dict[str, Raw])
_json = msgspec.json.Encoder().encode

T = TypeVar("T")


def read(decoder: msgspec.json.Decoder[T], raw: Raw, path: str) -> T:
    """Return a piece of a body as the decoder's type.

    Raises:
        InvalidRequest: it is not of that shape; the message has the path within the whole body.
    """
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"Invalid request body: {_placed(str(error), path)}") from error
    except msgspec.DecodeError as error:
        raise invalid(f"not valid JSON: {error}", path) from error
    except UnicodeDecodeError as error:
        raise invalid(f"not valid UTF-8: {error.reason}", path) from error
    except RecursionError as error:
        raise invalid("nested too deeply", path) from error


def _placed(problem: str, path: str) -> str:
    return problem.replace("`$", f"`{path}", 1) if "`$" in problem else f"{problem} - at `{path}`"


class InputReader:
    """Reads the items of one request, one after the other."""

    def __init__(self, instructions: str | None) -> None:
        """Start before the first item."""
        self.only_here: list[str] = []
        """Paths of what cannot be said in another dialect."""
        self.references: dict[str, str] = {}
        """Items of our answers that are named: the inference by the item's id."""
        self.unnamed = False
        self.written: list[SentMessage] = []
        """The items as they came, but for what only we can read."""
        self.system_messages: list[str] = []
        self._instructions = instructions
        self._turns: list[Message] = []
        self._names: dict[str, str] = {}
        self._blocks: list[InputBlock] = []
        self._role: Role | None = None

    def read(self, given: str | Sequence[Raw] | None, *, continued: bool) -> Input:
        """Return the input.

        Args:
            given: What the body has.
            continued: Whether an earlier answer comes before it, which may have made the calls that it answers.

        Raises:
            InvalidRequest: an item stands where it cannot, or answers a call that was never made.
        """
        if isinstance(given, str):
            self._turns.append(Message("user", (Text(given),)))
            self.written.append(SentMessage(_json({"role": "user", "content": given}), 0))
        else:
            for index, raw in enumerate(given or ()):
                self._item(raw, f"$.input[{index}]", continued=continued)
            self._close()
        pieces = [*([] if self._instructions is None else [self._instructions]), *self.system_messages]
        return Input(tuple(self._turns), "\n".join(pieces) if pieces else None)

    def _item(self, raw: Raw, path: str, *, continued: bool) -> None:
        head = read(_head, raw, path)
        kind = "message" if head.type is None and head.role is not None else head.type
        keep: bytes | None = bytes(raw) if head.id is None or owner_of(head.id) is None else _without_id(raw)
        sealed = False
        match kind:
            case "message":
                self._said(read(_message, raw, path), path)
            case "function_call" | "custom_tool_call":
                self._add("assistant", self._call(read(_called, raw, path)))
            case "function_call_output" | "custom_tool_call_output":
                self._add("user", self._result(read(_answered, raw, path), path, continued=continued))
            case "reasoning":
                found = read(_reasoned, raw, path)
                self._add("assistant", _thought(found))
                sealed = is_sealed(found.encrypted_content)
            case "item_reference":
                keep = self._referred(read(_reference, raw, path).id, raw, path)
            case None:
                raise invalid("an item needs `type`, or `role` and `content` for a message", path)
            case _:
                self.only_here.append(f"{path} of type {kind!r}")
                answers = kind.endswith("_output") or kind == "mcp_approval_response"
                self._add("user" if answers else "assistant", Unknown(read(_anything, raw, path)))
        if not sealed:
            nowhere = head.role in ("system", "developer") or (kind == "item_reference" and keep is not None)
            self.written.append(SentMessage(keep, None if nowhere else self._place()))

    def _place(self) -> int:
        """Return which message the last item became a part of: one that may still go on, or a user's own."""
        return len(self._turns) if self._role is not None else len(self._turns) - 1

    def _said(self, message: shape.MessageBody, path: str) -> None:
        blocks = self._content(message.content, message.role, f"{path}.content")
        match message.role:
            case "user":
                self._close()
                self._turns.append(Message("user", tuple(blocks)))
            case "assistant":
                self._add("assistant", *blocks)
            case "system" | "developer":
                texts = [block.text for block in blocks if isinstance(block, Text)]
                if len(texts) != len(blocks):
                    raise invalid("a system or developer message takes text only", f"{path}.content")
                self.system_messages.append("\n".join(texts))
            case _:
                raise invalid(
                    f"unknown role {message.role!r}; send 'user', 'assistant', 'system' or 'developer'", f"{path}.role"
                )

    def _content(self, content: str | Sequence[Raw], role: str, path: str) -> list[InputBlock]:
        if isinstance(content, str):
            return [Text(content)]
        return [
            block
            for place, raw in enumerate(content)
            if (block := self._one_part(raw, role, f"{path}[{place}]")) is not None
        ]

    def _one_part(self, raw: Raw, role: str, path: str) -> InputBlock | None:
        part = read(_part, raw, path)
        if part.file_id is not None:
            self.only_here.append(f"{path}.file_id")
            return None
        block = to_part(part, role, path)
        if block is None:
            self.only_here.append(f"{path} of type {part.type!r}")
            return Unknown(read(_anything, raw, path))
        return block

    def _call(self, item: shape.CalledItem) -> ToolCall:
        self._names[item.call_id] = item.name
        written = item.arguments if item.arguments is not None else item.input
        return ToolCall(item.call_id, item.name, written or "")

    def _result(self, item: shape.OutputItem, path: str, *, continued: bool) -> ToolResult:
        name = self._names.get(item.call_id, item.name)
        if name is None:
            if not continued:
                raise invalid(f"no earlier item calls a tool with the id {item.call_id!r}", f"{path}.call_id")
            self.unnamed = True
        if isinstance(item.output, str):
            return ToolResult(item.call_id, name or "", item.output)
        blocks = self._content(item.output, "user", f"{path}.output")
        texts = [block.text for block in blocks if isinstance(block, Text)]
        if len(texts) != len(blocks):
            self.only_here.append(f"{path}.output: an answer that is not text")
        return ToolResult(item.call_id, name or "", "\n".join(texts))

    def _referred(self, item: str, raw: Raw, path: str) -> bytes | None:
        found = owner_of(item)
        if found is None:
            # Whoever keeps that item may know it.
            self.only_here.append(f"{path}.id: an item that is not in this record")
            return bytes(raw)
        self.references[item] = found[0]
        self._add("assistant", Unknown({"type": "item_reference", "id": item}))
        return None

    def _add(self, role: Role, *blocks: InputBlock) -> None:
        if self._role != role:
            self._close()
            self._role = role
        self._blocks += blocks

    def _close(self) -> None:
        if self._role is not None:
            self._turns.append(Message(self._role, tuple(self._blocks)))
            self._role = None
            self._blocks = []


def _without_id(raw: Raw) -> bytes:
    # The id of an item that we made means nothing to whoever else is sent the item.
    fields = _fields.decode(raw)
    return _json({name: value for name, value in fields.items() if name != "id"})


def _thought(item: shape.Reasoned) -> Thought:
    text = "".join(part.text for part in item.content) if item.content else None
    own = None if item.id is None or owner_of(item.id) is not None else item.id
    return unseal(item.encrypted_content, text, item.summary or None, own)
