"""The run against a stand-in for the gateway that keeps what it was sent."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest

from calibrant.base.errors import BadAnswer, InvalidRequest, Unreachable
from calibrant.base.ids import uuid7
from calibrant.demo import gazetteer
from calibrant.demo.corpus import load
from calibrant.demo.ner import episodes, run

CORPUS = load()
TAGGER = gazetteer.train(CORPUS.train)


class Gateway(ThreadingHTTPServer):
    """Answers like a gateway; `answer` may be replaced."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.sent: list[tuple[str, dict]] = []
        self.keys: set[str | None] = set()
        self.answer = self.infer
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/base/"

    def infer(self, path: str, body: dict) -> tuple[int, object]:
        if path == "/base/feedback":
            return 200, {"feedback_id": uuid7()}
        text = body["input"]["messages"][0]["content"][0]["arguments"]["text"]
        found = TAGGER.extract(text)
        output = {"raw": "", "parsed": found}
        episode = body.get("episode_id") or uuid7()
        return 200, {
            "inference_id": uuid7(),
            "episode_id": episode,
            "variant_name": "gazetteer",
            "output": output,
        }


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Gateway

    def do_POST(self) -> None:
        body = msgspec.json.decode(self.rfile.read(int(self.headers["content-length"])))
        with self.server.lock:
            self.server.sent.append((self.path, body))
            self.server.keys.add(self.headers["authorization"])
            status, answer = self.server.answer(self.path, body)
        data = msgspec.json.encode(answer)
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def gateway() -> Iterator[Gateway]:
    with Gateway() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_each_answer_gets_its_feedback_and_episodes_hold_together() -> None:
    reports: list[tuple[int, int]] = []
    with gateway() as server:
        summary = run(server.url, CORPUS.validation, 60, 1, lambda done, total: reports.append((done, total)))
    inferences = [body for path, body in server.sent if path == "/base/inference"]
    feedback = [body for path, body in server.sent if path == "/base/feedback"]
    assert len(summary.outcomes) == len(inferences) == 60
    assert not summary.failures
    assert 20 <= summary.episodes < 60
    assert {o.episode_id for o in summary.outcomes} >= {b["episode_id"] for b in inferences if "episode_id" in b}
    assert sum("episode_id" not in body for body in inferences) == summary.episodes
    assert reports[-1] == (60, 60)
    assert reports == sorted(reports)
    for outcome in summary.outcomes:
        got = {b["metric_name"]: b["value"] for b in feedback if b["inference_id"] == outcome.inference_id}
        assert got["exact_match"] is outcome.exact_match
        assert got["entity_f1"] == pytest.approx(outcome.f1)
        assert set(got["demonstration"]) == {"person", "organization", "location", "miscellaneous"}
        assert outcome.exact_match == (outcome.f1 == 1.0)


def test_an_answer_that_is_not_valid_scores_the_worst() -> None:
    with gateway() as server:

        def answer(path: str, body: dict) -> tuple[int, object]:
            status, good = server.infer(path, body)
            return status, good | {"output": {"raw": "sorry", "parsed": None}} if "output" in good else good

        server.answer = answer
        summary = run(server.url, CORPUS.validation, 9)
    assert {(o.exact_match, o.f1) for o in summary.outcomes} == {(False, 0.0)}


def test_what_the_gateway_refuses_is_counted_and_the_run_goes_on() -> None:
    with gateway() as server:
        calls = iter(range(1000))
        server.answer = lambda path, body: (
            (502, {"error": "all variants failed"})
            if path == "/base/inference" and next(calls) % 3 == 0
            else server.infer(path, body)
        )
        summary = run(server.url, CORPUS.validation, 30)
    assert len(summary.outcomes) == 20
    assert len(summary.failures) == 10
    assert "502" in summary.failures[0]
    assert "all variants failed" in summary.failures[0]


def test_a_gateway_that_is_not_there_or_is_none_is_said_so() -> None:
    with pytest.raises(InvalidRequest, match="not the URL"):
        run("localhost:3000", CORPUS.validation, 3)
    with pytest.raises(Unreachable, match="calibrant up"):
        run("http://127.0.0.1:1", CORPUS.validation, 3)
    with gateway() as server:
        server.answer = lambda *_: (200, {"hello": "world"})
        with pytest.raises(BadAnswer, match="JSON function"):
            run(server.url, CORPUS.validation, 3)


def test_episodes_are_neighbours_of_one_document_and_no_row_comes_twice() -> None:
    cut = list(episodes(CORPUS.validation, 10_000, seed=3))
    rows = [row for episode in cut for row in episode]
    assert len(rows) == len(CORPUS.validation)
    assert len({row.text for row in rows}) == len(rows)
    assert all(len({row.document for row in episode}) == 1 for episode in cut)
    assert {len(episode) for episode in cut} == {1, 2, 3}
    assert cut == list(episodes(CORPUS.validation, 10_000, seed=3))
    assert cut != list(episodes(CORPUS.validation, 10_000, seed=4))
    assert sum(map(len, episodes(CORPUS.validation, 100, seed=0))) == 100


@pytest.mark.parametrize(("key", "shown"), [(None, None), ("sk-1", "Bearer sk-1")])
def test_the_key_is_shown_with_every_request(key: str | None, shown: str | None) -> None:
    with gateway() as server:
        run(server.url, CORPUS.validation, 4, api_key=key)
        assert len(server.sent) == 16 and server.keys == {shown}
