"""The straight line, chunk by chunk. `fold` of what it yields is the reply that `infer` would have had."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from time import monotonic

from msgspec.structs import replace

from calibrant.base.errors import (
    CalibrantError,
    ClientDisconnected,
    InferenceTimeout,
    InternalError,
    ProviderError,
    SpoolFull,
)
from calibrant.engine.attempt import OpenStream
from calibrant.engine.caching import keep, uncharged
from calibrant.engine.compiled import CompiledProvider
from calibrant.engine.engine import Caller, Engine
from calibrant.engine.infer import begin, record, serve, wants_raw
from calibrant.engine.journal import Journal, ProviderCall
from calibrant.engine.json_text import JsonPieces
from calibrant.engine.limits import TIMER_S
from calibrant.engine.output import answer, head
from calibrant.engine.ownership import owned_chunks
from calibrant.engine.presence import LEFT
from calibrant.engine.record import begun
from calibrant.engine.resolve import Plan
from calibrant.engine.variants.run import open_stream_of
from calibrant.types.answer import Answered, Head
from calibrant.types.reply import Chunk, Reply, fold
from calibrant.types.request import InferenceRequest
from calibrant.types.rows import ModelInferenceRow

__all__ = ["Stream", "open_stream"]

_log = logging.getLogger(__name__)


async def open_stream(engine: Engine, request: InferenceRequest, caller: Caller, started: float) -> Stream:
    """Return a stream whose first chunk has come from upstream and whose beginning is recorded.

    Raises:
        RequestError: the request cannot be served as it stands.
        InferenceError: no variant could serve it; recorded all the same.
        SpoolFull: there is no room to record it.
    """
    plan, journal = begin(engine, request, caller, started)
    upstream = await serve(engine, plan, journal, open_stream_of)
    if engine.spool is not None and not request.dryrun:
        try:
            if plan.files is not None:
                await plan.files.settle(final=False)
            await engine.spool.append(begun(engine, plan, journal, monotonic()))
        except BaseException:
            upstream.response.close()
            raise
    preceding = tuple(journal.rows) if wants_raw(request) else ()
    verbatim = upstream.call is not None and upstream.call.verbatim
    who = head(engine, plan, journal.variant_name, verbatim=verbatim)
    return Stream(engine, plan, journal, upstream, who, preceding)


@dataclass(slots=True)
class Stream:
    """An inference that is answering. Iterate `chunks` to its end: that is what records it."""

    engine: Engine
    plan: Plan
    journal: Journal
    upstream: OpenStream
    head: Head
    preceding: tuple[ModelInferenceRow, ...] = ()
    """The calls that were over before the stream began, where the caller asked for what is raw of them."""
    answered: Answered | None = None
    """Set when the iteration is over: the whole, or what came of it."""
    error: CalibrantError | None = None
    """Set when the stream broke."""
    _seen: list[Chunk] = field(default_factory=list[Chunk])

    def chunks(self) -> AsyncIterator[list[Chunk]]:
        """Yield what comes, as many chunks at a time as came at once; then record the inference.

        Of a JSON function comes its output and nothing else. A stream that breaks, or that cannot be recorded, ends the
        iteration too: `error` says why.
        """
        return _output_alone(self._chunks()) if self.head.function_type == "json" else self._chunks()

    async def _chunks(self) -> AsyncGenerator[list[Chunk], None]:
        upstream = self.upstream
        decoder = upstream.decoder
        presence = self.plan.caller.presence
        if presence is not None:
            presence.watch(upstream.response.close)
        try:
            yield self._taken(upstream.first)
            async for data in upstream.rest:
                if upstream.keeping is not None:
                    upstream.keeping.add(data)
                chunks = decoder.feed(data)
                if chunks:
                    yield self._taken(chunks)
            chunks = decoder.close()
            if chunks:
                yield self._taken(chunks)
        except (InferenceTimeout, ProviderError) as error:
            self.error = self._named(error)
        except Exception as error:  # noqa: BLE001 - a named edge: what was sent must be recorded, whatever broke
            _log.exception("a stream broke on a fault of the gateway")
            self.engine.metrics.count("internal_errors", ("stream",))
            self.error = InternalError(f"a fault of the gateway: {type(error).__name__}")
        finally:
            upstream.response.close()
            if presence is not None:
                presence.forget(upstream.response.close)
        try:
            await self._finish()
        except SpoolFull as error:
            # What is not in the record has not been answered: the reader must hear of it before the end marker.
            self.error = error

    def _taken(self, chunks: list[Chunk]) -> list[Chunk]:
        call = self.upstream.call
        if call is not None:
            chunks = owned_chunks(chunks, call)
        self._seen += chunks
        return chunks

    def _named(self, error: InferenceTimeout | ProviderError) -> CalibrantError:
        """Return why the stream broke: the network knows neither whose time was over nor that nobody reads on."""
        presence, call = self.plan.caller.presence, self.upstream.call
        if presence is not None and presence.gone:
            return ClientDisconnected(LEFT)
        if call is None:
            return error
        if isinstance(error, InferenceTimeout):
            return call.limit.named(error, monotonic() + TIMER_S, begun=True)
        return call.discreet(error)

    async def _finish(self) -> None:
        reply = fold(self._seen)
        call = self.upstream.call
        if call is not None:
            if call.cached:
                reply = uncharged(reply, call)
            self._note(call, reply)
        self.answered = answer(self.head, self.plan, reply, self.journal)
        if wants_raw(self.plan.request):
            self.answered = replace(self.answered, calls=tuple(self.journal.rows))
        if self.plan.files is not None:
            await self.plan.files.settle()
        done = record(
            self.engine,
            self.plan,
            self.journal,
            answered=self.answered,
            error=self.error,
            first_chunk=self.upstream.first_at,
        )
        if done is not None:
            await done

    def _note(self, call: ProviderCall[CompiledProvider], reply: Reply) -> None:
        if self.error is None:
            self.journal.succeeded(call, reply, monotonic())
            kept = self.upstream.keeping
            if kept is not None and kept.pieces is not None:
                keep(self.engine, self.plan, call, reply, kept.headers, b"".join(kept.pieces))
            return
        self.journal.failed(call, self.error, monotonic(), partial=reply)
        if not isinstance(self.error, ClientDisconnected):
            names = (call.model_name, call.provider.provider.name, self.error.code)
            self.engine.metrics.count("provider_errors", names)


async def _output_alone(chunks: AsyncGenerator[list[Chunk], None]) -> AsyncIterator[list[Chunk]]:
    pieces = JsonPieces()
    async with aclosing(chunks):
        async for some in chunks:
            yield [pieces.add(chunk) for chunk in some]
    rest = pieces.rest()
    if rest is not None:
        yield [rest]
