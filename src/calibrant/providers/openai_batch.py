"""OpenAI's batches: a file of calls is uploaded, a batch is made of it, and its answers are files again.

What a line's body is, and what its answer means, `openai_chat.py` and `openai_responses.py` know.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final
from urllib.parse import quote

import msgspec
from msgspec import Raw

from calibrant.apischema.provider_batch import OpenAIBatch, OpenAIBatchLine, OpenAIFile, OpenAIProblem
from calibrant.config.schema import Provider
from calibrant.providers.base import Steps
from calibrant.providers.batch_read import one_line, read, read_lines
from calibrant.types.call import BatchCall, BatchEnd, BatchLine, Exchange, Headers, HttpCall

__all__ = ["OpenAIBatches"]

_BASE = "https://api.openai.com/v1"
_JSON: Headers = (("content-type", "application/json"),)
_OVER: Final = frozenset({"completed", "failed", "expired", "cancelled"})
_file = msgspec.json.Decoder(OpenAIFile)
_batch = msgspec.json.Decoder(OpenAIBatch)
_line = msgspec.json.Decoder(OpenAIBatchLine)
_encode = msgspec.json.Encoder().encode


class OpenAIBatches:
    """Speaks of batches to OpenAI."""

    __slots__ = ("_base", "_endpoint", "_name")

    def __init__(self, provider: Provider) -> None:
        """Keep what is the same for every batch."""
        self._name = provider.name
        self._base = (provider.api_base or _BASE).rstrip("/")
        responses = provider.options.get("api_type") == "responses"
        # OpenAI's own path, wherever the server stands.
        self._endpoint = "/v1/responses" if responses else "/v1/chat/completions"

    def submit(self, calls: Sequence[BatchCall]) -> Steps[str]:
        """Upload the calls and make a batch of them; returns its id.

        Raises:
            Refused: the provider sent an error.
            BadAnswer: an answer is not what the protocol promises.
        """
        lines = b"".join([self._to_line(call) for call in calls])
        kind, form = _form({"purpose": "batch"}, "batch.jsonl", lines)
        uploaded = read(self._name, (yield HttpCall("POST", f"{self._base}/files", (kind,), form)), _file)
        asked = {"input_file_id": uploaded.id, "endpoint": self._endpoint, "completion_window": "24h"}
        made = read(self._name, (yield HttpCall("POST", f"{self._base}/batches", _JSON, _encode(asked))), _batch)
        return made.id

    def poll(self, batch_id: str) -> Steps[BatchEnd | None]:
        """Ask how a batch goes, and fetch its files once it is over; returns null while it goes on.

        Raises:
            Refused, BadAnswer: as for `submit`.
        """
        batch = read(self._name, (yield self._get(f"batches/{quote(batch_id, safe='')}")), _batch)
        if batch.status not in _OVER:
            return None
        lines: list[BatchLine] = []
        for file_id in (batch.output_file_id, batch.error_file_id):
            if file_id is not None:
                answer = yield self._get(f"files/{quote(file_id, safe='')}/content")
                lines += [_to_batch_line(line) for line in read_lines(self._name, answer, _line)]
        told = batch.errors.data if batch.errors is not None else []
        problem = "; ".join(_text(each) for each in told) or f"the batch is {batch.status}, without an answer to this"
        return BatchEnd(tuple(lines), problem, batch.status == "cancelled")

    def cancel(self, batch_id: str) -> Steps[None]:
        """Have a batch end early.

        Raises:
            Refused: the provider sent an error.
        """
        url = f"{self._base}/batches/{quote(batch_id, safe='')}/cancel"
        read(self._name, (yield HttpCall("POST", url, (), b"")), _batch)

    def _get(self, path: str) -> HttpCall:
        return HttpCall("GET", f"{self._base}/{path}", (), b"")

    def _to_line(self, call: BatchCall) -> bytes:
        line = {"custom_id": call.id, "method": "POST", "url": self._endpoint, "body": Raw(one_line(call.body))}
        return _encode(line) + b"\n"


def _form(fields: dict[str, str], filename: str, content: bytes) -> tuple[tuple[str, str], bytes]:
    """Return a form with a file, and the header that goes with it. Its boundary comes from the file, which lacks it."""
    boundary = f"calibrant-{sha256(content).hexdigest()}"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n'
        "Content-Type: application/jsonl\r\n\r\n"
    )
    body = b"".join([*parts, head.encode(), content, f"\r\n--{boundary}--\r\n".encode()])
    return ("content-type", f"multipart/form-data; boundary={boundary}"), body


def _to_batch_line(line: OpenAIBatchLine) -> BatchLine:
    if line.response is None:
        return BatchLine(
            line.custom_id, None, "the provider did not make it" if line.error is None else _text(line.error)
        )
    said = line.response
    headers: Headers = (("content-type", "application/json"),)
    if said.request_id is not None:
        headers = (*headers, ("x-request-id", said.request_id))
    return BatchLine(line.custom_id, Exchange(said.status_code, headers, bytes(said.body)))


def _text(problem: OpenAIProblem) -> str:
    where = "" if problem.line is None else f"line {problem.line}: "
    return where + (problem.message or problem.code or "no reason given")
