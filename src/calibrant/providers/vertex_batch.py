"""Vertex AI's batches of Gemini: a file of requests in Cloud Storage, a job, and files of answers in Cloud Storage.

An answer comes with its request and without an id, so each request has a label that says whose it is. What a request
is, and what an answer means, `gemini.py` knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Raw

from calibrant.apischema.provider_batch import StorageList, VertexBatchLine, VertexJob
from calibrant.config.schema import Provider
from calibrant.providers.base import Steps
from calibrant.providers.batch_read import read, read_lines
from calibrant.providers.refusal import UNREADABLE, bad_answer, refused
from calibrant.providers.vertex import vertex_base
from calibrant.types.call import BatchCall, BatchEnd, BatchLine, Exchange, Headers, HttpCall

__all__ = ["VertexBatches", "vertex_batches"]

_STORAGE = "https://storage.googleapis.com"
_JSON: Headers = (("content-type", "application/json"),)
_LABEL = "calibrant-inference-id"
_OVER: Final = frozenset(
    f"JOB_STATE_{state}" for state in ("SUCCEEDED", "PARTIALLY_SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED")
)
_job = msgspec.json.Decoder(VertexJob)
_list = msgspec.json.Decoder(StorageList)
_line = msgspec.json.Decoder(VertexBatchLine)
_fields = msgspec.json.Decoder(dict[str, Raw])
_labels = msgspec.json.Decoder(dict[str, Raw])
_encode = msgspec.json.Encoder().encode


def vertex_batches(provider: Provider) -> VertexBatches | None:
    """Return the codec, or null where the configuration has no places for files, or the model is an endpoint."""
    if provider.options.get("endpoint_id") or not provider.options.get("batch_input"):
        return None
    return VertexBatches(provider)


class VertexBatches:
    """Speaks of batches to Vertex AI."""

    __slots__ = ("_input", "_jobs", "_model", "_name", "_output")

    def __init__(self, provider: Provider) -> None:
        """Keep what is the same for every batch.

        Raises:
            ConfigError: it lacks `location` or `project_id`.
        """
        self._name = provider.name
        self._jobs = f"{vertex_base(provider)}/batchPredictionJobs"
        self._model = f"publishers/google/models/{provider.model_name}"
        self._input: str = provider.options["batch_input"].rstrip("/")
        self._output: str = provider.options["batch_output"].rstrip("/")

    def submit(self, calls: Sequence[BatchCall]) -> Steps[str]:
        """Put the calls into a file and begin a job; returns its id.

        Raises:
            Refused: the provider sent an error.
            BadAnswer: an answer is not what the protocol promises.
        """
        content = b"".join([_to_line(call) for call in calls])
        name = f"{sha256(content).hexdigest()[:32]}.jsonl"
        bucket, path = _place(f"{self._input}/{name}")
        query = urlencode({"uploadType": "media", "name": path})
        url = f"{_STORAGE}/upload/storage/v1/b/{quote(bucket, safe='')}/o?{query}"
        put = yield HttpCall("POST", url, (("content-type", "application/jsonl"),), content)
        if not 200 <= put.status < 300:
            raise refused(self._name, put.status, put.headers, put.body)
        asked = {
            "displayName": f"calibrant-{name.removesuffix('.jsonl')}",
            "model": self._model,
            "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": [f"{self._input}/{name}"]}},
            "outputConfig": {"predictionsFormat": "jsonl", "gcsDestination": {"outputUriPrefix": self._output}},
        }
        made = read(self._name, (yield HttpCall("POST", self._jobs, _JSON, _encode(asked))), _job)
        return made.name.rpartition("/")[2]

    def poll(self, batch_id: str) -> Steps[BatchEnd | None]:
        """Ask how a job goes, and fetch its files once it is over; returns null while it goes on.

        Raises:
            Refused, BadAnswer: as for `submit`.
        """
        answer = yield HttpCall("GET", f"{self._jobs}/{quote(batch_id, safe='')}", (), b"")
        job = read(self._name, answer, _job)
        if job.state not in _OVER:
            return None
        lines: list[BatchLine] = []
        folder = None if job.output_info is None else job.output_info.gcs_output_directory
        if folder is not None:
            if not folder.startswith(self._output):
                raise bad_answer(self._name, answer.status, answer.body, "the job's output is not where it should be")
            bucket, prefix = _place(folder.rstrip("/") + "/")
            for name in (yield from self._names(bucket, prefix)):
                got = yield HttpCall("GET", f"{_objects(bucket)}/{quote(name, safe='')}?alt=media", (), b"")
                lines += [_to_batch_line(line) for line in read_lines(self._name, got, _line)]
        state = job.state.removeprefix("JOB_STATE_").lower()
        problem = (
            job.error.message
            if job.error is not None and job.error.message
            else f"the job {state}, without an answer to this"
        )
        return BatchEnd(tuple(lines), problem, state == "cancelled")

    def cancel(self, batch_id: str) -> Steps[None]:
        """Have a job end early.

        Raises:
            Refused: the provider sent an error.
        """
        answer = yield HttpCall("POST", f"{self._jobs}/{quote(batch_id, safe='')}:cancel", _JSON, b"{}")
        if not 200 <= answer.status < 300:
            raise refused(self._name, answer.status, answer.headers, answer.body)

    def _names(self, bucket: str, prefix: str) -> Steps[list[str]]:
        """Return the files of answers in a folder."""
        found: list[str] = []
        query = {"prefix": prefix, "fields": "items(name),nextPageToken"}
        while True:
            page = read(self._name, (yield HttpCall("GET", f"{_objects(bucket)}?{urlencode(query)}", (), b"")), _list)
            found += [each.name for each in page.items if each.name.endswith(".jsonl")]
            if page.next_page_token is None:
                return found
            query["pageToken"] = page.next_page_token


def _objects(bucket: str) -> str:
    return f"{_STORAGE}/storage/v1/b/{quote(bucket, safe='')}/o"


def _place(uri: str) -> tuple[str, str]:
    """Return the bucket and the path of a `gs://` address."""
    bucket, _, path = uri.removeprefix("gs://").partition("/")
    return bucket, path


def _to_line(call: BatchCall) -> bytes:
    fields = _fields.decode(call.body)
    labels = _labels.decode(fields["labels"]) if "labels" in fields else {}
    fields["labels"] = Raw(_encode({**labels, _LABEL: call.id}))
    return _encode({"request": fields}).replace(b"\n", b" ") + b"\n"


def _to_batch_line(line: VertexBatchLine) -> BatchLine:
    inference_id = line.request.labels.get(_LABEL, "")
    said = bytes(line.response)
    try:
        made = bool(said) and bool(msgspec.json.decode(said))
    except UNREADABLE:
        made = False
    if line.status or not made:
        return BatchLine(inference_id, None, line.status or "the provider did not make it")
    return BatchLine(inference_id, Exchange(200, _JSON, said))
