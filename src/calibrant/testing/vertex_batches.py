"""A fake of Vertex AI's batch jobs and of the bucket that they read and write, for tests; no sockets.

As `batches.BatchHouse`: a call with `refuse me` in it ends as an error, one with `forget me` is never made, all others
are echoed; jobs go on until `finish`, or end at once where `prompt` is set.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qs, unquote

import msgspec

from calibrant.testing.faults import Answer
from calibrant.testing.gemini import asked_of_gemini, generated, generation_error

__all__ = ["VertexHouse"]

_encode = msgspec.json.Encoder().encode
_Result = tuple[int, bytes]


class VertexHouse:
    """Jobs and files. Plain attributes, for tests to read and set."""

    def __init__(self, *, prompt: bool = False) -> None:
        """Have nothing."""
        self.prompt = prompt
        self.objects: dict[tuple[str, str], bytes] = {}
        """Files, by bucket and name."""
        self.jobs: dict[str, dict[str, Any]] = {}
        self.calls: dict[str, list[dict[str, Any]]] = {}
        """What each job is to make."""
        self.asked: list[tuple[str, str]] = []
        """Method and path of every request."""
        self.headers: list[dict[str, str]] = []
        """Their headers, names in lower case."""
        self.away = False
        """Whether everything is a 503."""

    def finish(self, *, made: int | None = None, cancelled: bool = False) -> None:
        """End every job.

        Args:
            made: How many calls of each were made; null for all.
            cancelled: Whether that is because they were cancelled.
        """
        for name, job in self.jobs.items():
            if job["state"] in ("JOB_STATE_SUCCEEDED", "JOB_STATE_CANCELLED"):
                continue
            job["state"] = "JOB_STATE_CANCELLED" if cancelled else "JOB_STATE_SUCCEEDED"
            folder = f"{job['outputConfig']['gcsDestination']['outputUriPrefix']}/prediction-model-{name}"
            job["outputInfo"] = {"gcsOutputDirectory": folder}
            bucket, _, path = folder.removeprefix("gs://").partition("/")
            lines = [self._line(call, number) for number, call in enumerate(self.calls[name][:made])]
            # In two files, and in no order that anybody may count on.
            for place, part in enumerate((lines[1::2], lines[::2])):
                content = b"\n".join(line for line in part if line is not None)
                self.objects[bucket, f"{path}/{place}/predictions.jsonl"] = content

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> _Result:
        """Return the status and the body of an answer to a path, which begins after the version."""
        self.asked.append((method, path))
        self.headers.append(headers)
        if self.away:
            return 503, generation_error(503)
        address, _, query = path.partition("?")
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        routes: list[tuple[str, str, Callable[..., _Result]]] = [
            ("POST", r"/b/([^/]+)/o", partial(self._upload, asked, body)),
            ("GET", r"/b/([^/]+)/o", partial(self._list, asked)),
            ("GET", r"/b/([^/]+)/o/([^/]+)", self._object),
            ("POST", r"/projects/[^/]+/locations/[^/]+/batchPredictionJobs", partial(self._begin, body)),
            ("GET", r"/projects/[^/]+/locations/[^/]+/batchPredictionJobs/([^/:]+)", self._told),
            ("POST", r"/projects/[^/]+/locations/[^/]+/batchPredictionJobs/([^/:]+):cancel", self._cancel),
        ]
        for verb, pattern, act in routes:
            found = re.fullmatch(pattern, address)
            if found is not None and method == verb:
                return act(*[unquote(each) for each in found.groups()])
        return 404, generation_error(404)

    def _upload(self, asked: dict[str, str], body: bytes, bucket: str) -> _Result:
        self.objects[bucket, asked["name"]] = body
        return 200, _encode({"kind": "storage#object", "name": asked["name"], "bucket": bucket})

    def _list(self, asked: dict[str, str], bucket: str) -> _Result:
        names = sorted(n for b, n in self.objects if b == bucket and n.startswith(asked["prefix"]))
        at = int(asked.get("pageToken", "0"))
        page: dict[str, Any] = {"items": [{"name": name} for name in names[at : at + 1]]}
        return 200, _encode(page | ({"nextPageToken": str(at + 1)} if at + 1 < len(names) else {}))

    def _object(self, bucket: str, name: str) -> _Result:
        found = self.objects.get((bucket, name))
        return (404, generation_error(404)) if found is None else (200, found)

    def _begin(self, body: bytes) -> _Result:
        asked = msgspec.json.decode(body)
        name = str(len(self.jobs) + 1)
        (uri,) = asked["inputConfig"]["gcsSource"]["uris"]
        bucket, _, path = uri.removeprefix("gs://").partition("/")
        self.calls[name] = [msgspec.json.decode(line)["request"] for line in self.objects[bucket, path].splitlines()]
        whole = f"projects/p/locations/l/batchPredictionJobs/{name}"
        self.jobs[name] = {**asked, "name": whole, "state": "JOB_STATE_PENDING"}
        if self.prompt:
            self.finish()
        return 200, _encode(self.jobs[name])

    def _told(self, name: str) -> _Result:
        return (200, _encode(self.jobs[name])) if name in self.jobs else (404, generation_error(404))

    def _cancel(self, name: str) -> _Result:
        self.jobs[name]["state"] = "JOB_STATE_CANCELLING"
        return 200, b"{}"

    def _line(self, call: dict[str, Any], number: int) -> bytes | None:
        request = asked_of_gemini(b"/models/gemini:generateContent", _encode(call))
        line: dict[str, Any] = {"status": "", "processed_time": "2026-01-01T00:00:00Z", "request": call}
        if "forget me" in request.echo():
            return None
        if "refuse me" in request.echo():
            return _encode({**line, "status": "Bad Request: answered 400", "response": {}})
        return _encode({**line, "response": msgspec.Raw(generated(request, Answer(), number))})
