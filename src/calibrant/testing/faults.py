"""What a fake provider does with a request, as frozen values: how late, how paced, what is said, what fails.

Nothing here does I/O. `steps.py` turns a `Script` into bytes and waits; `connection.py` plays them.

A gateway under test is another process and shares no memory with the test, so a script may also be asked
for by the model's name: `fault:stall`, `fault:429,retry_after=2`, `fault:reset_mid_body,after_chunks=0`.
"""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

import msgspec
from msgspec import Struct

__all__ = [
    "Answer",
    "Fault",
    "Latency",
    "Pace",
    "Script",
    "Tokens",
    "ToolUse",
    "json_answer",
    "parse_model",
]

Fault = Literal[
    "none",
    "reset_before_headers",
    "reset_after_headers",
    "reset_mid_body",
    "stall",
    "stall_mid_body",
    "only_pings",
    "truncated",
    "ended_early",
    "missing_done",
    "malformed_json",
    "html",
    "empty",
    "not_http",
    "length_too_long",
    "length_too_short",
    "slow_headers",
    "slow_body",
    "error_event",
    "split_utf8",
]
"""What goes wrong once the request is in.

- `reset_*`: a TCP reset, before the head, after it, or after `after_chunks` pieces of the body.
- `stall`, `stall_mid_body`: the connection stays open and nothing (more) comes.
- `only_pings`: `after_chunks` pieces that say nothing, `delay_s` apart, and then no more.
- `truncated`: the connection is closed after `after_chunks` pieces, with no regard to framing.
- `ended_early`: the same, but the HTTP message ends as it should.
- `missing_done`: a whole stream without `[DONE]`.
- `malformed_json`: after `after_chunks` events one that is not JSON; without streaming, a body that is not.
- `html`, `empty`, `not_http`: status 200 with a page, status 200 with nothing, and no HTTP at all.
- `length_too_long`, `length_too_short`: a Content-Length that is not the body's.
- `slow_headers`, `slow_body`: `delay_s` inside the head, or before each piece of the body.
- `error_event`: after `after_chunks` events of a stream with status 200, an error; without streaming, an
  error body with status 200.
- `split_utf8`: the body arrives in pieces that end inside a character.

A refused connection is no script: nobody is there to read it. See `Upstream.refuse`.
"""

_PREFIX = "fault:"


class Latency(Struct, frozen=True, forbid_unknown_fields=True):
    """Time until the first byte: constant, or lognormal around its median."""

    median_s: float = 0.0
    sigma: float = 0.0
    """Standard deviation of the logarithm; 0 is constant."""

    def seconds(self, normal: float) -> float:
        """Return the wait for one standard normal draw."""
        return self.median_s * math.exp(self.sigma * normal) if self.sigma else self.median_s


class Pace(Struct, frozen=True, forbid_unknown_fields=True):
    """How a stream's text is cut and timed."""

    chunks: int = 0
    """Pieces of text; 0 is one a word."""
    interval_s: float = 0.0
    """Between pieces, on a fixed schedule: a late piece does not make the next one late."""
    stamp: bool = False
    """Each piece is `@N;` instead of the text, N the monotonic clock in nanoseconds when it was written."""


class Tokens(Struct, frozen=True, forbid_unknown_fields=True):
    """The usage to report."""

    prompt: int = 12
    completion: int = 8
    cached: int | None = None
    reasoning: int | None = None


class ToolUse(Struct, frozen=True, forbid_unknown_fields=True):
    """One tool call to answer with."""

    name: str
    arguments: str = "{}"
    """JSON, or whatever a confused model would write."""
    id: str = ""
    """Empty for `call_N`, N its place."""


class Answer(Struct, frozen=True, forbid_unknown_fields=True):
    """What the model says."""

    text: str | None = None
    """Null echoes the last user message, unless there are tool calls."""
    tool_calls: tuple[ToolUse, ...] = ()
    reasoning: str | None = None
    """Sent as `reasoning_content`."""
    tokens: Tokens | None = Tokens()
    """Null reports no usage."""
    finish_reason: str | None = None
    """Null is `tool_calls` or `stop`, whichever fits."""
    calls_in_turn: bool = False
    """Whether an OpenAI stream has a piece of each call, then the next of each, as some servers send them."""


class Script(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything about one answer. The default is a plain, immediate echo."""

    answer: Answer = Answer()
    latency: Latency = Latency()
    pace: Pace = Pace()
    fault: Fault = "none"
    status: int = 200
    """From 400 on, an error in the provider's shape."""
    retry_after: float | None = None
    """Seconds in a Retry-After header, with an error status."""
    after_chunks: int = 2
    """Where in the body a fault strikes. A body that is not streamed counts as four pieces."""
    delay_s: float = 1.0
    """For the slow faults."""
    gzip: bool = False
    """Compress the body, event by event in a stream."""


def json_answer(value: Any) -> Answer:
    """Return an answer whose text is a value as JSON."""
    return Answer(text=msgspec.json.encode(value).decode())


def parse_model(model: str) -> Script | None:
    """Return the script that a model's name asks for, or null where it asks for none.

    Raises:
        ValueError: the name starts with `fault:` and goes on with what nobody knows.
    """
    # A gateway may qualify the name, as in `vendor/fault:429`.
    _, found, spec = model.partition(_PREFIX)
    if not found:
        return None
    name, *settings = spec.split(",")
    fields: dict[str, Any] = {}
    if name.isdigit():
        fields["status"] = int(name)
    elif name in get_args(Fault):
        fields["fault"] = name
    else:
        raise ValueError(f"{name!r} in model {model!r} is neither a status nor one of {', '.join(get_args(Fault))}")
    for setting in settings:
        key, _, value = setting.partition("=")
        fields[key.strip()] = value
    try:
        return msgspec.convert(fields, Script, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(f"the settings of model {model!r}: {error}") from error
