"""What is raw of the providers' answers, put beside an answer where the caller asked for it.

The fields are spliced into JSON that has been written already, so that whoever does not ask pays nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from calibrant.apischema.options import RawResponse, RawUsage
from calibrant.config.vendors import RELAY
from calibrant.types.reply import Chunk
from calibrant.types.request import InferenceRequest
from calibrant.types.rows import ModelInferenceRow

__all__ = ["RawFields", "raw_responses", "with_raw_responses"]

_json = msgspec.json.Encoder().encode
_END_OF_EVENT = b"}\n\n"
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _RelayAnswer(Struct, frozen=True):
    """What is raw in an answer of another gateway."""

    raw_usage: list[Raw] = []
    raw_response: list[Raw] = []
    tensorzero_raw_response: list[Raw] = []
    """The same of embeddings."""


_relay_decode = msgspec.json.Decoder(_RelayAnswer).decode


class RawFields:
    """Which raw fields one caller asked for, and under which names."""

    __slots__ = ("_original", "_prefix", "_response", "_usage")

    def __init__(self, request: InferenceRequest) -> None:
        """Note what is asked for."""
        self._prefix = "" if request.dialect == "native" else f"{request.prefix}_"
        self._usage = request.include_raw_usage
        self._response = request.include_raw_response
        self._original = request.include_original_response

    @classmethod
    def asked(cls, request: InferenceRequest) -> RawFields | None:
        """Return the fields, or null where the caller asked for none."""
        wanted = request.include_raw_usage or request.include_raw_response or request.include_original_response
        return cls(request) if wanted else None

    def whole(self, body: bytes, calls: Sequence[ModelInferenceRow]) -> bytes:
        """Return the body of a whole answer with the fields in it."""
        fields = self._usages(calls)
        if self._response:
            fields[f"{self._prefix}raw_response"] = raw_responses(calls)
        if self._original:
            fields[f"{self._prefix}original_response"] = _text(calls[-1].raw_response) if calls else None
        return _spliced(body, b"}", fields)

    def chunk(self, event: bytes, chunk: Chunk) -> bytes:
        """Return the event of a chunk with the provider's own event in it."""
        fields: dict[str, Any] = {}
        if chunk.raw and self._response:
            fields[f"{self._prefix}raw_chunk"] = _text(chunk.raw)
        if chunk.raw and self._original:
            fields[f"{self._prefix}original_chunk"] = _text(chunk.raw)
        return _spliced(event, _END_OF_EVENT, fields)

    def preceding(self, event: bytes, calls: Sequence[ModelInferenceRow]) -> bytes:
        """Return the event with what is raw of calls that were over before the stream began; empty without any."""
        fields = self._usages(calls)
        if self._response:
            fields[f"{self._prefix}raw_response"] = raw_responses(calls)
        return _spliced(event, _END_OF_EVENT, fields) if fields else b""

    def final(self, event: bytes, calls: Sequence[ModelInferenceRow]) -> bytes:
        """Return the last event of a stream with the usage of every call in it."""
        return _spliced(event, _END_OF_EVENT, self._usages(calls))

    def _usages(self, calls: Sequence[ModelInferenceRow]) -> dict[str, Any]:
        if not self._usage:
            return {}
        entries: list[RawUsage | Raw] = []
        for row in calls:
            if row.raw_usage and not row.cached:
                told = RawUsage(row.id, row.provider_type, row.api_type, _value(row.raw_usage))
                entries += _relayed(row, "raw_usage") or [told]
        return {f"{self._prefix}raw_usage": entries}


def raw_responses(calls: Sequence[ModelInferenceRow]) -> list[RawResponse | Raw]:
    """Return what each provider answered, failed calls included; of another gateway, what its providers answered."""
    entries: list[RawResponse | Raw] = []
    for row in calls:
        if row.raw_response and not row.cached:
            told = RawResponse(row.id, row.provider_type, row.api_type, _text(row.raw_response))
            entries += _relayed(row, "raw_response") or [told]
    return entries


def _relayed(row: ModelInferenceRow, field: Literal["raw_usage", "raw_response"]) -> Sequence[Raw]:
    """Return what another gateway told of its own calls: in its answer, or in some events of its stream."""
    if row.provider_type != RELAY or row.raw_response is None:
        return ()
    try:
        answers = [_relay_decode(row.raw_response)]
    except _UNREADABLE:
        answers = list(_events(row.raw_response))
    if field == "raw_usage":
        return [entry for answer in answers for entry in answer.raw_usage]
    return [entry for answer in answers for entry in (*answer.raw_response, *answer.tensorzero_raw_response)]


def _events(lines: bytes) -> Iterator[_RelayAnswer]:
    for line in lines.splitlines():
        try:
            yield _relay_decode(line)
        except _UNREADABLE:
            continue


def with_raw_responses(body: bytes, prefix: str, calls: Sequence[ModelInferenceRow]) -> bytes:
    """Return a written answer with what each provider answered in it, under a vendor prefix."""
    return _spliced(body, b"}", {f"{prefix}_raw_response": raw_responses(calls)})


def _spliced(body: bytes, end: bytes, fields: dict[str, Any]) -> bytes:
    return body.removesuffix(end) + b"," + _json(fields)[1:] + end[1:] if fields else body


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8", "replace")


def _value(raw: bytes | None) -> Raw | None:
    """Return the JSON as it came, or null for what is none."""
    if raw is None:
        return None
    try:
        msgspec.json.decode(raw)
    except _UNREADABLE:
        return None
    return Raw(raw)
