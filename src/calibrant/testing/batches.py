"""A fake provider's batch interfaces, OpenAI's and Anthropic's, for tests: files, batches, results.

`BatchHouse.answer` is all of it and opens no socket; `run_batch_house` serves it over HTTP. A call whose last user
message has `refuse me` in it ends as an error, one with `forget me` is never made; all others are echoed. Batches go on
until `finish`, or end at once where `prompt` is set. It checks no key.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Generator
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, cast

import msgspec

from calibrant.testing.completion import completion, decode_request, error_body
from calibrant.testing.faults import Answer
from calibrant.testing.messages import message, message_error

__all__ = ["BatchHouse", "run_batch_house"]

_AT: Final = 1_767_225_600
_WHEN: Final = "2026-01-01T00:00:00Z"
_encode = msgspec.json.Encoder().encode
_Result = tuple[int, bytes]


class BatchHouse:
    """Everything that has been handed over, and what became of it. Plain attributes, for tests to read and set."""

    def __init__(self, *, prompt: bool = False) -> None:
        """Have nothing."""
        self.prompt = prompt
        self.files: dict[str, bytes] = {}
        self.openai: dict[str, dict[str, Any]] = {}
        self.anthropic: dict[str, dict[str, Any]] = {}
        self.calls: dict[str, list[dict[str, Any]]] = {}
        """What each batch is to make."""
        self.asked: list[tuple[str, str]] = []
        """Method and path of every request."""
        self.headers: list[dict[str, str]] = []
        """Their headers, names in lower case."""
        self.away = False
        """Whether everything is a 503."""

    def finish(self, *, made: int | None = None, cancelled: bool = False) -> None:
        """End every batch.

        Args:
            made: How many calls of each were made; null for all.
            cancelled: Whether that is because they were cancelled.
        """
        for batch_id, batch in self.openai.items():
            if batch["status"] not in ("completed", "cancelled"):
                self._end_openai(batch_id, made, cancelled=cancelled)
        for batch in self.anthropic.values():
            if batch["processing_status"] != "ended":
                batch |= {"processing_status": "ended", "ended_at": _WHEN, "results_url": "http://elsewhere.example/"}
                batch["made"] = made

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> _Result:
        """Return the status and the body of an answer."""
        self.asked.append((method, path))
        self.headers.append(headers)
        if self.away:
            return 503, error_body(503)
        routes: list[tuple[str, str, Callable[..., _Result]]] = [
            ("POST", r"/files", lambda: self._upload(headers, body)),
            ("GET", r"/files/([^/]+)/content", self._content),
            ("POST", r"/messages/batches", lambda: self._anthropic(body)),
            ("GET", r"/messages/batches/([^/]+)/results", self._results),
            ("GET", r"/messages/batches/([^/]+)", partial(self._told, self.anthropic)),
            ("POST", r"/messages/batches/([^/]+)/cancel", self._cancel_anthropic),
            ("POST", r"/batches", lambda: self._openai(body)),
            ("GET", r"/batches/([^/]+)", partial(self._told, self.openai)),
            ("POST", r"/batches/([^/]+)/cancel", self._cancel_openai),
        ]
        for verb, pattern, act in routes:
            found = re.search(pattern + "$", path)
            if found is not None and method == verb:
                return act(*found.groups())
        return 404, error_body(404)

    def _upload(self, headers: dict[str, str], body: bytes) -> _Result:
        head = f"content-type: {headers['content-type']}\r\n\r\n".encode()
        form = cast("Message", BytesParser(policy=HTTP).parsebytes(head + body))
        parts = cast("list[Message]", form.get_payload())
        fields = {part.get_param("name", header="content-disposition"): part.get_payload(decode=True) for part in parts}
        if fields.get("purpose") != b"batch":
            return 400, error_body(400, "purpose is missing")
        name = f"file-{len(self.files) + 1}"
        self.files[name] = cast("bytes", fields["file"])
        told = {"id": name, "object": "file", "bytes": len(self.files[name]), "created_at": _AT, "status": "processed"}
        return 200, _encode({**told, "filename": "batch.jsonl", "purpose": "batch"})

    def _content(self, name: str) -> _Result:
        return (200, self.files[name]) if name in self.files else (404, error_body(404))

    def _openai(self, body: bytes) -> _Result:
        asked = msgspec.json.decode(body)
        lines = [msgspec.json.decode(line) for line in self.files[asked["input_file_id"]].splitlines()]
        if any(line["url"] != asked["endpoint"] or line["method"] != "POST" for line in lines):
            return 400, error_body(400, "a line is for another endpoint")
        name = f"batch_{len(self.openai) + 1}"
        self.calls[name] = [{"id": line["custom_id"], "body": line["body"]} for line in lines]
        self.openai[name] = {"id": name, "object": "batch", "status": "in_progress", "created_at": _AT, **asked}
        if self.prompt:
            self._end_openai(name, None, cancelled=False)
        return 200, _encode(self.openai[name])

    def _end_openai(self, name: str, made: int | None, *, cancelled: bool) -> None:
        good: list[bytes] = []
        bad: list[bytes] = []
        for number, call in enumerate(self.calls[name][:made]):
            request = decode_request(_encode(call["body"]))
            line: dict[str, Any] = {"id": f"batch_req_{number}", "custom_id": call["id"], "error": None}
            if "forget me" in request.echo():
                problem = {"code": "batch_expired", "message": "This request could not be executed in time."}
                bad.append(_encode({**line, "response": None, "error": problem}))
            elif "refuse me" in request.echo():
                said = {"status_code": 400, "request_id": f"req_{number}", "body": msgspec.Raw(error_body(400))}
                bad.append(_encode({**line, "response": said}))
            else:
                text = completion(request, Answer(), number)
                said = {"status_code": 200, "request_id": f"req_{number}", "body": msgspec.Raw(text)}
                good.append(_encode({**line, "response": said}))
        batch = self.openai[name]
        batch["status"] = "cancelled" if cancelled else "completed"
        # Answers come in no order that anybody may count on.
        for field, lines in (("output_file_id", good[::-1]), ("error_file_id", bad)):
            if lines:
                batch[field] = f"{name}-{field}"
                self.files[batch[field]] = b"\n".join(lines) + b"\n"

    def _cancel_openai(self, name: str) -> _Result:
        self.openai[name]["status"] = "cancelling"
        return 200, _encode(self.openai[name])

    def _anthropic(self, body: bytes) -> _Result:
        name = f"msgbatch_{len(self.anthropic) + 1}"
        requests = msgspec.json.decode(body)["requests"]
        self.calls[name] = [{"id": each["custom_id"], "body": each["params"]} for each in requests]
        counts = {"canceled": 0, "errored": 0, "expired": 0, "processing": len(requests), "succeeded": 0}
        self.anthropic[name] = {
            "id": name,
            "type": "message_batch",
            "processing_status": "in_progress",
            "request_counts": counts,
            "created_at": _WHEN,
            "expires_at": _WHEN,
            "results_url": None,
        }
        if self.prompt:
            self.finish()
        return 200, _encode(self.anthropic[name])

    def _results(self, name: str) -> _Result:
        made = self.anthropic[name].get("made")
        cancelled = "cancel_initiated_at" in self.anthropic[name]
        lines: list[bytes] = []
        for number, call in enumerate(self.calls[name]):
            request = decode_request(_encode(call["body"]), "messages")
            if made is not None and number >= made:
                result: dict[str, Any] = {"type": "canceled" if cancelled else "expired"}
            elif "forget me" in request.echo():
                result = {"type": "expired"}
            elif "refuse me" in request.echo():
                result = {"type": "errored", "error": msgspec.Raw(message_error(400))}
            else:
                result = {"type": "succeeded", "message": msgspec.Raw(message(request, Answer(), number))}
            lines.append(_encode({"custom_id": call["id"], "result": result}))
        return 200, b"\n".join(reversed(lines))

    def _cancel_anthropic(self, name: str) -> _Result:
        self.anthropic[name] |= {"processing_status": "canceling", "cancel_initiated_at": _WHEN}
        return 200, _encode(self.anthropic[name])

    def _told(self, batches: dict[str, dict[str, Any]], name: str) -> _Result:
        return (200, _encode(batches[name])) if name in batches else (404, error_body(404))


@contextlib.contextmanager
def run_batch_house(house: BatchHouse) -> Generator[str]:
    """Serve a house from a thread for the block; gives its address."""

    class _Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            return

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, told = house.answer(self.command, self.path, headers, body)
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="batch house", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
