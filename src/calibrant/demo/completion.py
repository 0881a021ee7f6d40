"""The few shapes of OpenAI's chat completions that the demonstration's server reads and writes. Pure.

Fields that a small model has no use for (tools, penalties, schemas) are accepted and ignored. A token is a
run of characters between spaces: these models have no subwords, and `usage` counts what they read and
wrote.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

import msgspec
from msgspec import Struct

from calibrant.base.errors import InvalidRequest

__all__ = [
    "Completion",
    "Message",
    "Part",
    "Request",
    "ResponseFormat",
    "StreamOptions",
    "complete",
    "decode",
    "encode",
    "encode_error",
    "encode_models",
    "stream",
    "written",
]

MAX_TEXT = 20_000
"""Characters of a user message; more is refused, as a model refuses more than its context."""


class Part(Struct, frozen=True):
    """A piece of a message's content."""

    type: str
    text: str = ""


class Message(Struct, frozen=True):
    """One message."""

    role: str
    content: str | list[Part] | None = None

    @property
    def text(self) -> str:
        """The text of the message, its other parts left out."""
        if self.content is None or isinstance(self.content, str):
            return self.content or ""
        return "".join(part.text for part in self.content)


class ResponseFormat(Struct, frozen=True):
    """What the caller wants back."""

    type: str = "text"


class StreamOptions(Struct, frozen=True):
    """What a stream ends with."""

    include_usage: bool = False


class Request(Struct, frozen=True):
    """A request for a chat completion."""

    model: str
    messages: list[Message]
    stream: bool = False
    temperature: float | None = None
    seed: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    response_format: ResponseFormat | None = None
    stream_options: StreamOptions | None = None

    @property
    def text(self) -> str:
        """The text of the last message of the user."""
        return next((m.text for m in reversed(self.messages) if m.role == "user"), "")

    @property
    def wants_json(self) -> bool:
        """Whether the answer must be JSON."""
        return self.response_format is not None and self.response_format.type != "text"


class Completion(Struct, frozen=True):
    """An answer, ready to be written in either form."""

    id: str
    created: int
    model: str
    text: str
    finish: Literal["stop", "length"]
    prompt_tokens: int
    completion_tokens: int
    fingerprint: str = "calibrant-demo"
    """What the model that answered says of its own version."""

    @property
    def usage(self) -> dict[str, int]:
        """What was read and written."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
        }


def decode(body: bytes) -> Request:
    """Return the request in a body.

    Raises:
        InvalidRequest: it is not JSON, or not a request that can be served.
    """
    try:
        request = msgspec.json.decode(body, type=Request)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"the body is not a chat completion request: {error}") from error
    if not request.messages:
        raise InvalidRequest("messages: at least one message is needed")
    if len(request.text) > MAX_TEXT:
        raise InvalidRequest(f"messages: the last user message is longer than {MAX_TEXT} characters")
    if not 0 <= (request.temperature or 0) <= 2:
        raise InvalidRequest("temperature: must be between 0 and 2")
    if any(n is not None and n < 1 for n in (request.max_tokens, request.max_completion_tokens)):
        raise InvalidRequest("max_tokens: must be at least 1")
    return request


def complete(request: Request, text: str, *, id: str, created: int) -> Completion:  # noqa: A002 - OpenAI's word
    """Return the completion of a request: the model's text, cut where the caller's limit cuts it."""
    pieces = _pieces(text)
    limits = [n for n in (request.max_tokens, request.max_completion_tokens) if n is not None]
    kept = pieces[: min(limits)] if limits else pieces
    return Completion(
        id=f"chatcmpl-{id}",
        created=created,
        model=request.model,
        text="".join(kept),
        finish="stop" if len(kept) == len(pieces) else "length",
        prompt_tokens=sum(len(message.text.split()) for message in request.messages),
        completion_tokens=len(kept),
    )


def encode(completion: Completion) -> bytes:
    """Return the body of an answer that is not streamed."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": completion.text},
        "logprobs": None,
        "finish_reason": completion.finish,
    }
    head = _head(completion, "chat.completion")
    return msgspec.json.encode({**head, "choices": [choice], "usage": completion.usage})


def stream(completion: Completion, *, usage: bool) -> Iterator[bytes]:
    """Yield the events of a streamed answer, one a token, down to `[DONE]`."""
    head = _head(completion, "chat.completion.chunk")

    def event(delta: dict[str, str], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _event({**head, "choices": [choice]})

    yield event({"role": "assistant", "content": ""})
    for piece in _pieces(completion.text):
        yield event({"content": piece})
    yield event({}, completion.finish)
    if usage:
        yield _event({**head, "choices": [], "usage": completion.usage})
    yield b"data: [DONE]\n\n"


def written(request: Request, completion: Completion) -> bytes | Iterator[bytes]:
    """Return the answer in the form that was asked for: a body, or the events of a stream."""
    if not request.stream:
        return encode(completion)
    usage = request.stream_options is not None and request.stream_options.include_usage
    return stream(completion, usage=usage)


def encode_models(names: tuple[str, ...]) -> bytes:
    """Return the body of a list of models."""
    data = [{"id": name, "object": "model", "created": 0, "owned_by": "calibrant-demo"} for name in names]
    return msgspec.json.encode({"object": "list", "data": data})


def encode_error(message: str, code: str) -> bytes:
    """Return the body of an error."""
    kind = "server_error" if code == "server_error" else "invalid_request_error"
    return msgspec.json.encode({"error": {"message": message, "type": kind, "param": None, "code": code}})


def _head(completion: Completion, kind: str) -> dict[str, str | int]:
    return {
        "id": completion.id,
        "object": kind,
        "created": completion.created,
        "model": completion.model,
        "system_fingerprint": completion.fingerprint,
    }


def _event(value: object) -> bytes:
    return b"data: " + msgspec.json.encode(value) + b"\n\n"


def _pieces(text: str) -> list[str]:
    return re.findall(r"\s*\S+\s*$|\s*\S+", text)
