"""Messages, and the input of a function."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from calibrant.types.content import InputBlock

__all__ = ["Input", "Message", "Role"]

Role = Literal["user", "assistant"]


class Message(Struct, frozen=True, gc=False):
    """One turn. Tool results are content of a user message."""

    role: Role
    content: tuple[InputBlock, ...]


class Input(Struct, frozen=True, gc=False, omit_defaults=True):
    """What a function is given: a system prompt (text, or arguments of its template) and messages."""

    messages: tuple[Message, ...] = ()
    system: str | dict[str, Any] | None = None
