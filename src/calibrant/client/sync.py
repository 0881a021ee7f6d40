"""`Client`: a gateway, for code that waits."""

from __future__ import annotations

import random
import time
from collections.abc import Generator
from types import TracebackType
from typing import Literal, Self, TypeVar, Unpack, cast, overload

import httpx2

import calibrant.client.batches as batches
import calibrant.client.confirmations as confirmations
import calibrant.client.datasets as datasets
import calibrant.client.files as files
import calibrant.client.inferences as inferences
import calibrant.client.keys as keys
import calibrant.client.replays as replays
import calibrant.client.routes as routes
from calibrant.client.call import Call
from calibrant.client.events import ChunkDecoder
from calibrant.client.inference import InferenceChunk, InferenceOptions, InferenceResponse, inference
from calibrant.client.lines import LineDecoder, Lines
from calibrant.client.methods import lines_method, method
from calibrant.client.retry import Failed, Retry, failure_of, pause_before_next, refusal_of
from calibrant.client.settings import DEFAULT_TIMEOUT_S, DEFAULT_URL, LIMITS, answered, failed, settings

__all__ = ["Client", "Stream"]

T = TypeVar("T")


class Stream:
    """The chunks of a streamed inference, once, in their order.

    The connection is given back when the last chunk has been taken, when the stream is closed (`with`, `close`), and at
    the latest when nobody refers to it any more. The gateway finishes and records the inference anyway, unless it is
    configured otherwise.
    """

    def __init__(self, chunks: Generator[InferenceChunk | None]) -> None:
        """Take over a generator that has opened the connection when it yields its first value, null."""
        self._chunks = chunks
        next(chunks)

    def __iter__(self) -> Self:
        """Return the stream itself."""
        return self

    def __next__(self) -> InferenceChunk:
        """Return the next chunk.

        Raises:
            StreamFailed: the gateway says that the inference failed.
            ConnectionLost: the stream broke off.
            TimedOut: the gateway was silent for too long.
            BadReply: what comes is no stream of a gateway.
        """
        return cast("InferenceChunk", next(self._chunks))

    def close(self) -> None:
        """Give the connection back; no more chunks come."""
        self._chunks.close()

    def __enter__(self) -> Self:
        """Return the stream itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the stream."""
        self.close()


class Client:
    """A gateway. Threads may share one client.

    Every method but `inference` takes its arguments by name and is described where its call is built, in
    `calibrant.client`; errors are those of `calibrant.client.errors`.
    """

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        *,
        api_key: str | None = None,
        timeout: float | None = DEFAULT_TIMEOUT_S,
        max_retries: int = 2,
        http_client: httpx2.Client | None = None,
    ) -> None:
        """Make a client; nothing is sent yet.

        Args:
            base_url: Where the gateway is, with its `base_path` if it has one.
            api_key: A key of the gateway; where it is null, that of the environment (`CALIBRANT_API_KEY`, then
                `TENSORZERO_API_KEY`).
            timeout: Seconds that the gateway may be silent, before an answer and between pieces of one. Null is no
                limit.
            max_retries: How often a call is made again at most, where that is safe.
            http_client: What sends the requests, for proxies and certificates of your own. Whoever made it closes it.

        Raises:
            ValueError: the address is none, or the key cannot be one.
        """
        self._settings = settings(base_url, api_key, timeout)
        self._retry = Retry(max_retries=max_retries)
        self._http = httpx2.Client(limits=LIMITS) if http_client is None else http_client
        self._owns_http = http_client is None

    @classmethod
    def build_http(
        cls,
        *,
        gateway_url: str,
        timeout: float | None = None,
        verbose_errors: bool = False,
        api_key: str | None = None,
    ) -> Self:
        """Make a client as TensorZero's is made; `verbose_errors` changes nothing here."""
        return cls(gateway_url, timeout=timeout, api_key=api_key)

    @overload
    def inference(
        self, *, stream: Literal[False] | None = None, **options: Unpack[InferenceOptions]
    ) -> InferenceResponse: ...
    @overload
    def inference(self, *, stream: Literal[True], **options: Unpack[InferenceOptions]) -> Stream: ...
    @overload
    def inference(
        self, *, stream: bool | None = None, **options: Unpack[InferenceOptions]
    ) -> InferenceResponse | Stream: ...
    def inference(
        self, *, stream: bool | None = None, **options: Unpack[InferenceOptions]
    ) -> InferenceResponse | Stream:
        """Make an inference of a function or a model: whole, or as a stream of chunks."""
        call = inference(stream=stream, **options)
        return Stream(self._chunks(call)) if stream else self.run(call)

    feedback = method(routes.feedback)
    list_feedback = method(routes.list_feedback)
    embeddings = method(routes.embeddings)
    list_models = method(routes.list_models)
    purge_cache = method(routes.purge_cache)
    status = method(routes.status)
    health = method(routes.health)

    batch_inference = method(batches.batch_inference)
    get_batch_inference = method(batches.get_batch_inference)
    list_batch_inferences = method(batches.list_batch_inferences)
    cancel_batch_inference = method(batches.cancel_batch_inference)

    get_inferences = method(inferences.get_inferences)
    list_inferences = method(inferences.list_inferences)
    export_inferences = lines_method(files.export_inferences)

    replay = lines_method(replays.replay)
    render = method(replays.render)
    experimental_render_samples = method(replays.experimental_render_samples)

    create_datapoints = method(datasets.create_datapoints)
    create_datapoints_from_inferences = method(datasets.create_datapoints_from_inferences)
    update_datapoints = method(datasets.update_datapoints)
    update_datapoints_metadata = method(datasets.update_datapoints_metadata)
    get_datapoints = method(datasets.get_datapoints)
    list_datapoints = method(datasets.list_datapoints)
    delete_datapoints = method(datasets.delete_datapoints)
    delete_dataset = method(datasets.delete_dataset)
    create_dataset = method(datasets.create_dataset)
    get_dataset = method(datasets.get_dataset)
    list_datasets = method(datasets.list_datasets)
    list_dataset_changes = method(datasets.list_dataset_changes)
    clone_datapoints = method(datasets.clone_datapoints)
    export_dataset = lines_method(files.export_dataset)
    import_dataset = method(files.import_dataset)

    confirm = method(confirmations.confirm)
    list_confirmations = method(confirmations.list_confirmations)
    get_confirmation = method(confirmations.get_confirmation)
    get_holdout = method(confirmations.get_holdout)
    reveal_datapoints = method(confirmations.reveal_datapoints)

    workflow_evaluation_run = method(routes.workflow_evaluation_run)
    workflow_evaluation_run_episode = method(routes.workflow_evaluation_run_episode)

    plan_erasure = method(files.plan_erasure)
    erase = method(files.erase)

    list_keys = method(keys.list_keys)
    create_key = method(keys.create_key)
    change_key = method(keys.change_key)
    disable_key = method(keys.disable_key)
    enable_key = method(keys.enable_key)
    list_audit = method(keys.list_audit)

    def run(self, call: Call[T]) -> T:
        """Make a call that somebody else has built, and return its answer.

        Raises:
            ClientError: it failed, also after being made again.
        """
        response = self._exchange(call, stream=False)
        return call.read(response.content)

    def lines(self, call: Call[T]) -> Lines[T]:
        """Make a call whose answer is lines, and return them as they come.

        Raises:
            ClientError: it failed, also after being made again.
        """
        return Lines(self._taken(call), call.read)

    def _exchange(self, call: Call[T], *, stream: bool) -> httpx2.Response:
        made = 0
        while True:
            came = self._once(call, stream=stream)
            outcome = came if isinstance(came, Failed) else answered(came, stream=stream)
            made += 1
            draw = random.random()  # noqa: S311 - jitter, not cryptography
            pause = pause_before_next(call, outcome, made=made, retry=self._retry, draw=draw, now_s=time.time())
            if pause is None:
                break
            time.sleep(pause)
        if isinstance(came, Failed):
            raise failure_of(call, came)
        if not came.is_success:
            raise refusal_of(call, answered(came, stream=stream), now_s=time.time())
        return came

    def _once(self, call: Call[T], *, stream: bool) -> httpx2.Response | Failed:
        try:
            response = self._http.send(self._settings.request(self._http, call), stream=stream)
            if stream and not response.is_success:
                response.read()
        except httpx2.RequestError as error:
            return failed(error)
        return response

    def _chunks(self, call: Call[InferenceResponse]) -> Generator[InferenceChunk | None]:
        response = self._exchange(call, stream=True)
        decoder = ChunkDecoder(call, response.headers)
        try:
            yield None  # it is open now: what is abandoned from here on is closed below
            for piece in response.iter_bytes():
                yield from decoder.feed(piece)
            decoder.close()
        except httpx2.RequestError as error:
            decoder.broke(failed(error))
        finally:
            response.close()

    def _taken(self, call: Call[T]) -> Generator[bytes | int | None]:
        response = self._exchange(call, stream=True)
        decoder = LineDecoder(call, response.headers)
        try:
            yield decoder.following  # it is open now, as above
            for piece in response.iter_bytes():
                yield from decoder.feed(piece)
            decoder.close()
        except httpx2.RequestError as error:
            decoder.broke(failed(error))
        finally:
            response.close()

    def close(self) -> None:
        """Close the connections."""
        if self._owns_http:
            self._http.close()

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the connections."""
        self.close()

    def __repr__(self) -> str:
        """Return where the gateway is, and nothing of the key."""
        return f"{type(self).__name__}({self._settings.base_url!r})"
