"""What of a chat completion's body goes to providers of the dialect as it was written.

Only where something is in it that our own words lack: a field of `PASSED`, the name of a schema, a message's name, a
`developer` message or one of the system between others. All other requests say the same in our words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter

import msgspec
from msgspec import Raw

from calibrant.apischema import openai_request as shape
from calibrant.types.request import Params
from calibrant.types.sent import Sent, SentMessage
from calibrant.wire import body as checks

__all__ = ["to_sent"]

_fields = msgspec.json.Decoder(dict[str, Raw])
_raws = msgspec.json.Decoder(list[Raw])
_names = msgspec.json.Decoder(list[str])
_any = msgspec.json.Decoder()
_passed: Callable[[shape.ChatBody], tuple[object, ...]] = attrgetter(*shape.PASSED)
_UNSENT = (shape.ABSENT,) * len(shape.PASSED)
_NULL = b"null"
_OURS = re.compile(rb'"(?:tensorzero|calibrant)(?:::|_)')
"""The start of a field of ours within a message."""


def to_sent(asked: shape.ChatBody, body: bytes, params: Params | None) -> Sent | None:
    """Return what only the caller's own words say; null where ours say everything.

    Args:
        asked: The request.
        body: As it came.
        params: What the caller has said in our own parameters, which counts instead of fields of the body.

    Raises:
        InvalidRequest: a field that is only passed on nests too deep, or is no text.
    """
    plain = _passed(asked) == _UNSENT
    form = asked.response_format
    named = form is not None and form.json_schema is not None and form.json_schema.name is not None
    kept = _has_own_words(asked.messages)
    if plain and not named and not kept:
        # As nearly every request.
        return None
    checks.check_text(body)
    fields = checks.parse(_fields, body)
    passed = {} if plain else {key: fields[key] for key in shape.PASSED if bytes(fields.get(key, _NULL)) != _NULL}
    if named and (params is None or params.json_mode is None):
        passed["response_format"] = fields["response_format"]
    if not passed and not kept:
        return None
    _check_depth(body, passed)
    return Sent(
        "openai_chat",
        asked.model,
        passed,
        _messages(asked.messages, _raws.decode(fields["messages"])) if kept else (),
        only=tuple(_only(passed)),
    )


def _has_own_words(messages: Sequence[shape.OpenAIMessage]) -> bool:
    found = False
    first = messages[0] if messages else None
    for message in messages:
        # By the type itself: every request pays for this.
        if message.name is not None or type(message) is shape.DeveloperMessage:
            found = True
        elif type(message) is shape.SystemMessage:
            found = found or message is not first
        elif type(message) is shape.AssistantMessage:
            if message.refusal is not None or message.audio is not None:
                found = True
            if message.tensorzero_extra_content or message.calibrant_extra_content:
                # Some of its blocks may be for another model, and then the messages are not the same for all.
                return False
    return found


def _messages(messages: Sequence[shape.OpenAIMessage], raws: Sequence[Raw]) -> tuple[SentMessage, ...]:
    """Return each message with the one of our input that it became; results of tools in a row became one."""
    out: list[SentMessage] = []
    place = -1
    after_result = False
    for message, raw in zip(messages, raws, strict=True):
        text = bytes(raw)
        written = None if _OURS.search(text) else text
        if isinstance(message, shape.SystemMessage):
            out.append(SentMessage(written, None))
            continue
        is_result = isinstance(message, shape.ToolMessage)
        if not (is_result and after_result):
            place += 1
        after_result = is_result
        out.append(SentMessage(written, place))
    return tuple(out)


def _only(passed: Mapping[str, Raw]) -> list[str]:
    """Return which fields change the answer so much that it would be another without them."""
    found = [f"`$.{key}`" for key in ("audio", "web_search_options") if key in passed]
    if "modalities" in passed and checks.parse(_names, bytes(passed["modalities"])) != ["text"]:
        found.append("`$.modalities`")
    return found


def _check_depth(body: bytes, passed: Mapping[str, Raw]) -> None:
    """Refuse what nests too deep: changes by `extra_body` walk through it."""
    if body.count(b"[") + body.count(b"{") <= checks.MAX_DEPTH:
        return
    for key, raw in passed.items():
        text = bytes(raw)
        if text.count(b"[") + text.count(b"{") > checks.MAX_DEPTH:
            checks.refuse_deep(checks.parse(_any, text), f"$.{key}")
