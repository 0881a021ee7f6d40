"""Tool calls as they come in pieces: which piece belongs to which call.

Servers differ: most number the calls, some leave the number out, some number every call 0, some repeat the id
in every piece or give two calls one id, some give none. Each call gets one id of its own and its name once.
"""

from __future__ import annotations

from msgspec import Struct

from calibrant.apischema.openai_chat import AnswerToolCall
from calibrant.providers.base import JSON_TOOL
from calibrant.providers.chat_answer import called, unique_id
from calibrant.types.reply import Delta, TextDelta, ToolCallDelta

__all__ = ["CallPieces"]


class _Call(Struct):
    """A tool call as far as it has come."""

    id: str
    own_id: str | None
    name: str | None = None
    json: bool = False


class CallPieces:
    """The tool calls of one streamed answer."""

    __slots__ = ("_by_index", "_calls", "_json_tool", "_taken")

    def __init__(self, *, json_tool: bool) -> None:
        """Start with no call."""
        self._json_tool = json_tool
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}
        self._taken: set[str] = set()

    @property
    def only_json(self) -> bool:
        """Whether there are calls and each is one of the JSON tool."""
        return bool(self._calls) and all(call.json for call in self._calls)

    def add(self, piece: AnswerToolCall) -> Delta | None:
        """Return what the piece adds to its call, or null where it adds nothing."""
        name, arguments = called(piece)
        call = self._find(piece, name)
        told = None
        if name is not None and call.name is None:
            told = call.name = name
            call.json = self._json_tool and name == JSON_TOOL
        if call.json:
            return TextDelta(call.id, arguments) if arguments else None
        return ToolCallDelta(call.id, arguments, told) if told is not None or arguments else None

    def _find(self, piece: AnswerToolCall, name: str | None) -> _Call:
        own_id = piece.id or None
        if piece.index is not None:
            known = self._by_index.get(piece.index)
        elif own_id is not None:
            known = next((call for call in self._calls if call.own_id == own_id), None)
        else:
            known = self._calls[-1] if self._calls else None
        if known is not None and not _is_another(known, own_id, name):
            return known
        place = len(self._calls)
        call = _Call(unique_id(own_id, self._taken, place), own_id)
        self._calls.append(call)
        self._by_index[place if piece.index is None else piece.index] = call
        return call


def _is_another(known: _Call, own_id: str | None, name: str | None) -> bool:
    if own_id is None:
        return False
    if known.own_id is not None:
        return own_id != known.own_id
    # The call began without its id.
    return name is not None and known.name is not None
