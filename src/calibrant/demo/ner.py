"""A run of the named-entity example through a gateway: ask, score against the truth, send feedback.

Sentences go in episodes of one to three that stand together in a document, so the rows of an episode
resemble each other, as real ones do. Each answer gets `exact_match`, `entity_f1` and a demonstration of the
right one. It only speaks HTTP to a gateway that runs already, and keeps no figures but the ones it returns.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from itertools import groupby
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from calibrant.base.errors import BadAnswer, InvalidRequest, Refused, Unreachable
from calibrant.demo.corpus import Entities, Row, f1

__all__ = ["FUNCTION", "Outcome", "Summary", "episodes", "run"]

FUNCTION = "extract_entities"
_TIMEOUT_S = 60.0


class Outcome(Struct, frozen=True):
    """One inference and how it did."""

    inference_id: str
    episode_id: str
    variant: str
    exact_match: bool
    f1: float


class Summary(Struct, frozen=True):
    """What a run did."""

    outcomes: tuple[Outcome, ...]
    failures: tuple[str, ...]
    """What the gateway said of each inference or feedback that it refused."""

    @property
    def episodes(self) -> int:
        """How many episodes had an answer."""
        return len({outcome.episode_id for outcome in self.outcomes})


class _Output(Struct, frozen=True):
    parsed: Entities | None = None


class _Answer(Struct, frozen=True):
    inference_id: str
    episode_id: str
    variant_name: str
    output: _Output


def run(
    gateway_url: str,
    rows: Sequence[Row],
    inferences: int = 400,
    seed: int = 0,
    report: Callable[[int, int], object] | None = None,
    *,
    api_key: str | None = None,
    concurrency: int = 8,
) -> Summary:
    """Send `inferences` sentences and the feedback on each; returns what came of them.

    Args:
        gateway_url: Where a gateway with the configuration of `examples/ner` listens.
        rows: Sentences with their entities; none that the models have learned from.
        inferences: How many; with fewer rows than that, each row once.
        seed: Of the choice of episodes.
        report: Called with (done, total) as episodes end, from this thread.
        api_key: One of the gateway's, where it asks for keys.
        concurrency: Episodes at a time.

    Raises:
        InvalidRequest: the URL is no http or https URL.
        Unreachable: the gateway cannot be reached, or breaks off.
        BadAnswer: what answers is not such a gateway.
    """
    chosen = list(episodes(rows, inferences, seed))
    total = sum(map(len, chosen))
    outcomes: list[Outcome] = []
    failures: list[str] = []
    done = 0
    _Gateway(gateway_url, api_key)  # A URL that cannot be is refused before any thread starts.
    with ThreadPoolExecutor(concurrency, thread_name_prefix="demo-ner") as pool:
        futures = [pool.submit(_play, gateway_url, api_key, episode) for episode in chosen]
        try:
            for episode, future in zip(chosen, futures, strict=True):
                summary = future.result()
                outcomes.extend(summary.outcomes)
                failures.extend(summary.failures)
                done += len(episode)
                if report is not None:
                    report(done, total)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return Summary(tuple(outcomes), tuple(failures))


def episodes(rows: Sequence[Row], inferences: int, seed: int) -> Iterator[list[Row]]:
    """Yield `inferences` rows, in random order, as episodes of one to three neighbours of a document."""
    draw = random.Random(seed)
    cut: list[list[Row]] = []
    for _, group in groupby(rows, key=lambda row: row.document):
        document = list(group)
        while document:
            size = draw.randint(1, 3)
            cut.append(document[:size])
            del document[:size]
    left = inferences
    for episode in draw.sample(cut, len(cut)):
        if left <= 0:
            return
        yield episode[:left]
        left -= len(episode)


class _Gateway:
    """One connection to the gateway, kept open."""

    def __init__(self, url: str, api_key: str | None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidRequest(f"{url!r} is not the URL of a gateway: try http://127.0.0.1:3000")
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._connection = kind(parts.hostname, parts.port, timeout=_TIMEOUT_S)
        self._base = parts.path.rstrip("/")
        self._url = url
        self._headers = {"content-type": "application/json"}
        if api_key is not None:
            self._headers["authorization"] = f"Bearer {api_key}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def post(self, path: str, body: object) -> bytes:
        """Return the body of a 200.

        Raises:
            Unreachable: the connection failed.
            Refused: the status is another.
        """
        try:
            self._connection.request("POST", self._base + path, msgspec.json.encode(body), self._headers)
            response = self._connection.getresponse()
            answer = response.read()
        except (OSError, HTTPException) as error:
            self._connection.close()
            message = f"no gateway answers at {self._url} ({error}). Start one with `calibrant up`."
            message = f"no gateway answers at {self._url} ({error}). Start one with `calibrant up`."
            raise Unreachable(message) from error
        if response.status != 200:
            message = answer[:300].decode(errors="replace")
            raise Refused(f"{path}: {response.status}: {message}", upstream_status=response.status)
        return answer


def _play(gateway_url: str, api_key: str | None, episode: Sequence[Row]) -> Summary:
    """Run one episode, one sentence after the other."""
    outcomes: list[Outcome] = []
    failures: list[str] = []
    episode_id: str | None = None
    with _Gateway(gateway_url, api_key) as gateway:
        for row in episode:
            try:
                answer = _infer(gateway, row.text, episode_id)
                episode_id = answer.episode_id
                found = answer.output.parsed
                exact = found is not None and found.counts() == row.entities.counts()
                # An answer that is not valid scores the worst; leaving it out would flatter its variant.
                score = 0.0 if found is None else f1(found, row.entities)
                outcome = Outcome(answer.inference_id, episode_id, answer.variant_name, exact, score)
                outcomes.append(outcome)
                _send_feedback(gateway, outcome, row.entities)
            except Refused as error:
                failures.append(error.message)
    return Summary(tuple(outcomes), tuple(failures))


def _infer(gateway: _Gateway, text: str, episode_id: str | None) -> _Answer:
    sentence = {"type": "template", "name": "sentence", "arguments": {"text": text}}
    request = {
        "function_name": FUNCTION,
        "input": {"messages": [{"role": "user", "content": [sentence]}]},
        "tags": {"source": "demo"},
    }
    if episode_id is not None:
        request["episode_id"] = episode_id
    body = gateway.post("/inference", request)
    try:
        return msgspec.json.decode(body, type=_Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadAnswer(f"/inference: not the answer of a JSON function: {error}", raw_response=body) from error


def _send_feedback(gateway: _Gateway, outcome: Outcome, truth: Entities) -> None:
    values = {"exact_match": outcome.exact_match, "entity_f1": outcome.f1, "demonstration": truth}
    for metric, value in values.items():
        body = {"metric_name": metric, "value": value, "inference_id": outcome.inference_id}
        gateway.post("/feedback", body)
