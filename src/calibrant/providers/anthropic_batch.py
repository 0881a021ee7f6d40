"""Anthropic's message batches: the calls go in one request, and their results come as lines.

What a call's parameters are, and what its message means, `anthropic.py` knows. The address of the results that the API
tells is not followed: they are asked for where the batch is, so that the key goes nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote

import msgspec
from msgspec import Raw

from calibrant.apischema.provider_batch import AnthropicBatch, AnthropicBatchLine, AnthropicError
from calibrant.config.schema import Provider
from calibrant.providers.base import Steps
from calibrant.providers.batch_read import read, read_lines
from calibrant.types.call import BatchCall, BatchEnd, BatchLine, Exchange, Headers, HttpCall

__all__ = ["AnthropicBatches"]

_BASE = "https://api.anthropic.com/v1"
_HEADERS: Headers = (("content-type", "application/json"), ("anthropic-version", "2023-06-01"))
_STATUS: Final[Mapping[str, int]] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""The status that an error would have come with; that of all others is 500."""
_UNMADE: Final[Mapping[str, str]] = {
    "canceled": "the batch was cancelled before the provider made it",
    "expired": "the provider did not make it in time; send it again",
}
_batch = msgspec.json.Decoder(AnthropicBatch)
_line = msgspec.json.Decoder(AnthropicBatchLine)
_error = msgspec.json.Decoder(AnthropicError)
_encode = msgspec.json.Encoder().encode


class AnthropicBatches:
    """Speaks of batches to Anthropic."""

    __slots__ = ("_name", "_url")

    def __init__(self, provider: Provider) -> None:
        """Keep what is the same for every batch."""
        self._name = provider.name
        self._url = (provider.api_base or _BASE).rstrip("/") + "/messages/batches"

    def submit(self, calls: Sequence[BatchCall]) -> Steps[str]:
        """Send the calls; returns the batch's id.

        Raises:
            Refused: the provider sent an error.
            BadAnswer: the answer is not what the protocol promises.
        """
        body = _encode({"requests": [{"custom_id": call.id, "params": Raw(call.body)} for call in calls]})
        made = read(self._name, (yield HttpCall("POST", self._url, _HEADERS, body)), _batch)
        return made.id

    def poll(self, batch_id: str) -> Steps[BatchEnd | None]:
        """Ask how a batch goes, and fetch the results once it is over; returns null while it goes on.

        Raises:
            Refused, BadAnswer: as for `submit`.
        """
        url = f"{self._url}/{quote(batch_id, safe='')}"
        batch = read(self._name, (yield HttpCall("GET", url, _HEADERS, b"")), _batch)
        if batch.processing_status != "ended":
            return None
        answer = yield HttpCall("GET", f"{url}/results", _HEADERS, b"")
        lines = tuple(_to_batch_line(line) for line in read_lines(self._name, answer, _line))
        return BatchEnd(lines, "the batch has ended, without an answer to this", batch.cancel_initiated_at is not None)

    def cancel(self, batch_id: str) -> Steps[None]:
        """Have a batch end early.

        Raises:
            Refused: the provider sent an error.
        """
        url = f"{self._url}/{quote(batch_id, safe='')}/cancel"
        read(self._name, (yield HttpCall("POST", url, _HEADERS, b"")), _batch)


def _to_batch_line(line: AnthropicBatchLine) -> BatchLine:
    result = line.result
    if result.type == "succeeded" and bytes(result.message):
        return BatchLine(line.custom_id, Exchange(200, _HEADERS[:1], bytes(result.message)))
    if result.type == "errored" and bytes(result.error):
        return BatchLine(line.custom_id, Exchange(_status(result.error), _HEADERS[:1], bytes(result.error)))
    return BatchLine(line.custom_id, None, _UNMADE.get(result.type, f"the provider calls it {result.type[:80]!r}"))


def _status(error: Raw) -> int:
    try:
        return _STATUS.get(_error.decode(error).error.type, 500)
    except msgspec.MsgspecError:
        return 500
