"""`AsyncClient`: a gateway, for code that is awaited."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable
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
from calibrant.client.lines import AsyncLines, LineDecoder
from calibrant.client.methods import lines_method_async, method_async
from calibrant.client.retry import Failed, Retry, failure_of, pause_before_next, refusal_of
from calibrant.client.settings import DEFAULT_TIMEOUT_S, DEFAULT_URL, LIMITS, answered, failed, settings

__all__ = ["AsyncClient", "AsyncStream"]

T = TypeVar("T")


class AsyncStream:
    """The chunks of a streamed inference, once, in their order.

    The connection is given back when the last chunk has been taken, when the stream is closed (`async with`, `close`),
    and soon after nobody refers to it any more. The gateway finishes and records the inference anyway, unless it is
    configured otherwise.
    """

    def __init__(self, chunks: AsyncGenerator[InferenceChunk | None]) -> None:
        """Take over a generator that has opened the connection and yielded its first value, null."""
        self._chunks = chunks

    def __aiter__(self) -> Self:
        """Return the stream itself."""
        return self

    async def __anext__(self) -> InferenceChunk:
        """Return the next chunk.

        Raises:
            StreamFailed: the gateway says that the inference failed.
            ConnectionLost: the stream broke off.
            TimedOut: the gateway was silent for too long.
            BadReply: what comes is no stream of a gateway.
        """
        return cast("InferenceChunk", await anext(self._chunks))

    async def close(self) -> None:
        """Give the connection back; no more chunks come."""
        await self._chunks.aclose()

    async def __aenter__(self) -> Self:
        """Return the stream itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Close the stream."""
        await self.close()


class AsyncClient:
    """A gateway. The tasks of one event loop may share one client.

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
        http_client: httpx2.AsyncClient | None = None,
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
        self._http = httpx2.AsyncClient(limits=LIMITS) if http_client is None else http_client
        self._owns_http = http_client is None

    @overload
    @classmethod
    def build_http(
        cls,
        *,
        gateway_url: str,
        timeout: float | None = None,
        verbose_errors: bool = False,
        async_setup: Literal[True] = True,
        api_key: str | None = None,
    ) -> Awaitable[Self]: ...
    @overload
    @classmethod
    def build_http(
        cls,
        *,
        gateway_url: str,
        timeout: float | None = None,
        verbose_errors: bool = False,
        async_setup: Literal[False],
        api_key: str | None = None,
    ) -> Self: ...
    @classmethod
    def build_http(
        cls,
        *,
        gateway_url: str,
        timeout: float | None = None,
        verbose_errors: bool = False,
        async_setup: bool = True,
        api_key: str | None = None,
    ) -> Awaitable[Self] | Self:
        """Make a client as TensorZero's is made: awaited, unless `async_setup` is false.

        `verbose_errors` changes nothing here: an error has all there is in `text`.
        """
        made = cls(gateway_url, timeout=timeout, api_key=api_key)
        return _soon(made) if async_setup else made

    @overload
    async def inference(
        self, *, stream: Literal[False] | None = None, **options: Unpack[InferenceOptions]
    ) -> InferenceResponse: ...
    @overload
    async def inference(self, *, stream: Literal[True], **options: Unpack[InferenceOptions]) -> AsyncStream: ...
    @overload
    async def inference(
        self, *, stream: bool | None = None, **options: Unpack[InferenceOptions]
    ) -> InferenceResponse | AsyncStream: ...
    async def inference(
        self, *, stream: bool | None = None, **options: Unpack[InferenceOptions]
    ) -> InferenceResponse | AsyncStream:
        """Make an inference of a function or a model: whole, or as a stream of chunks."""
        call = inference(stream=stream, **options)
        if not stream:
            return await self.run(call)
        chunks = self._chunks(call)
        await anext(chunks)
        return AsyncStream(chunks)

    feedback = method_async(routes.feedback)
    list_feedback = method_async(routes.list_feedback)
    embeddings = method_async(routes.embeddings)
    list_models = method_async(routes.list_models)
    purge_cache = method_async(routes.purge_cache)
    status = method_async(routes.status)
    health = method_async(routes.health)

    batch_inference = method_async(batches.batch_inference)
    get_batch_inference = method_async(batches.get_batch_inference)
    list_batch_inferences = method_async(batches.list_batch_inferences)
    cancel_batch_inference = method_async(batches.cancel_batch_inference)

    get_inferences = method_async(inferences.get_inferences)
    list_inferences = method_async(inferences.list_inferences)
    export_inferences = lines_method_async(files.export_inferences)

    replay = lines_method_async(replays.replay)
    render = method_async(replays.render)
    experimental_render_samples = method_async(replays.experimental_render_samples)

    create_datapoints = method_async(datasets.create_datapoints)
    create_datapoints_from_inferences = method_async(datasets.create_datapoints_from_inferences)
    update_datapoints = method_async(datasets.update_datapoints)
    update_datapoints_metadata = method_async(datasets.update_datapoints_metadata)
    get_datapoints = method_async(datasets.get_datapoints)
    list_datapoints = method_async(datasets.list_datapoints)
    delete_datapoints = method_async(datasets.delete_datapoints)
    delete_dataset = method_async(datasets.delete_dataset)
    create_dataset = method_async(datasets.create_dataset)
    get_dataset = method_async(datasets.get_dataset)
    list_datasets = method_async(datasets.list_datasets)
    list_dataset_changes = method_async(datasets.list_dataset_changes)
    clone_datapoints = method_async(datasets.clone_datapoints)
    export_dataset = lines_method_async(files.export_dataset)
    import_dataset = method_async(files.import_dataset)

    confirm = method_async(confirmations.confirm)
    list_confirmations = method_async(confirmations.list_confirmations)
    get_confirmation = method_async(confirmations.get_confirmation)
    get_holdout = method_async(confirmations.get_holdout)
    reveal_datapoints = method_async(confirmations.reveal_datapoints)

    workflow_evaluation_run = method_async(routes.workflow_evaluation_run)
    workflow_evaluation_run_episode = method_async(routes.workflow_evaluation_run_episode)

    plan_erasure = method_async(files.plan_erasure)
    erase = method_async(files.erase)

    list_keys = method_async(keys.list_keys)
    create_key = method_async(keys.create_key)
    change_key = method_async(keys.change_key)
    disable_key = method_async(keys.disable_key)
    enable_key = method_async(keys.enable_key)
    list_audit = method_async(keys.list_audit)

    async def run(self, call: Call[T]) -> T:
        """Make a call that somebody else has built, and return its answer.

        Raises:
            ClientError: it failed, also after being made again.
        """
        response = await self._exchange(call, stream=False)
        return call.read(response.content)

    async def lines(self, call: Call[T]) -> AsyncLines[T]:
        """Make a call whose answer is lines, and return them as they come.

        Raises:
            ClientError: it failed, also after being made again.
        """
        taken = self._taken(call)
        return AsyncLines(taken, cast("int | None", await anext(taken)), call.read)

    async def _exchange(self, call: Call[T], *, stream: bool) -> httpx2.Response:
        made = 0
        while True:
            came = await self._once(call, stream=stream)
            outcome = came if isinstance(came, Failed) else answered(came, stream=stream)
            made += 1
            draw = random.random()  # noqa: S311 - jitter, not cryptography
            pause = pause_before_next(call, outcome, made=made, retry=self._retry, draw=draw, now_s=time.time())
            if pause is None:
                break
            await asyncio.sleep(pause)
        if isinstance(came, Failed):
            raise failure_of(call, came)
        if not came.is_success:
            raise refusal_of(call, answered(came, stream=stream), now_s=time.time())
        return came

    async def _once(self, call: Call[T], *, stream: bool) -> httpx2.Response | Failed:
        try:
            response = await self._http.send(self._settings.request(self._http, call), stream=stream)
            if stream and not response.is_success:
                await response.aread()
        except httpx2.RequestError as error:
            return failed(error)
        return response

    async def _chunks(self, call: Call[InferenceResponse]) -> AsyncGenerator[InferenceChunk | None]:
        response = await self._exchange(call, stream=True)
        decoder = ChunkDecoder(call, response.headers)
        try:
            yield None  # it is open now: what is abandoned from here on is closed below, by the loop if by nobody else
            async for piece in response.aiter_bytes():
                for chunk in decoder.feed(piece):
                    yield chunk
            decoder.close()
        except httpx2.RequestError as error:
            decoder.broke(failed(error))
        finally:
            await response.aclose()

    async def _taken(self, call: Call[T]) -> AsyncGenerator[bytes | int | None]:
        response = await self._exchange(call, stream=True)
        decoder = LineDecoder(call, response.headers)
        try:
            yield decoder.following  # it is open now, as above
            async for piece in response.aiter_bytes():
                for line in decoder.feed(piece):
                    yield line
            decoder.close()
        except httpx2.RequestError as error:
            decoder.broke(failed(error))
        finally:
            await response.aclose()

    async def close(self) -> None:
        """Close the connections."""
        if self._owns_http:
            await self._http.aclose()

    async def __aenter__(self) -> Self:
        """Return the client itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self.close()

    def __repr__(self) -> str:
        """Return where the gateway is, and nothing of the key."""
        return f"{type(self).__name__}({self._settings.base_url!r})"


async def _soon(made: T) -> T:
    return made
