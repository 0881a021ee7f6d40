"""Handlers of replays and renderings. A key with a list of functions is given the samples of these alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import islice
from typing import Final

from msgspec.structs import replace

from calibrant.apischema.replay import DatasetChoice
from calibrant.base.errors import Forbidden, InvalidRequest
from calibrant.base.ids import uuid7
from calibrant.engine.engine import Engine
from calibrant.replay.rendering import rendered
from calibrant.replay.running import replayed
from calibrant.replay.samples import missing, of_datapoint, of_inferences
from calibrant.replay.tally import Tally
from calibrant.server.datasets import DatasetDesk
from calibrant.server.http import Answer, HttpRequest, StreamAnswer
from calibrant.server.inference import caller_of
from calibrant.server.inferences import Questions, recorded
from calibrant.server.visible import learnable, visible_functions
from calibrant.store.base import Reader
from calibrant.types.datapoint import DatapointQuery
from calibrant.types.key import Grants, Role
from calibrant.types.replay import Replay, Sample
from calibrant.wire import replay as wire
from calibrant.wire.body import stored_name

__all__ = ["ReplayDesk"]

_AT_ONCE: Final = 50
_POLL_S: Final = 0.05
_PATIENCE_S: Final = 5.0
"""How long ids that are not in the store wait for the recorder."""
_READS: Final[frozenset[Role]] = frozenset(("read", "optimizer", "confirmer", "admin"))


@dataclass(frozen=True, slots=True)
class ReplayDesk:
    """What the handlers of this file work on."""

    engine: Engine
    questions: Questions | None
    """Null where the configuration turns the record off."""
    datasets: DatasetDesk

    async def run(self, http: HttpRequest) -> StreamAnswer:
        """`POST /v1/replay`: a line that begins, one for each case as it is over, one that adds up."""
        _check_reads(http)
        wanted = wire.decode_replay(http.body, self.engine.config.metrics)
        _check_changes(wanted.how, http)
        samples, count = await self._samples(wanted, http)
        lines = self._lines(wanted, samples, count, http)
        return StreamAnswer(lines, content_type="application/jsonl", outlives_client=False)

    async def render(self, http: HttpRequest) -> Answer:
        """`POST /v1/inferences/render`."""
        wanted = wire.decode_render(http.body)
        samples = [each async for each in self._inferences(wanted.inference_ids, http)]
        samples += await asyncio.to_thread(lambda: self._datapoints(wanted.datapoint_ids, http))
        compiler, variants = self.engine.compiler, wanted.variants
        return Answer(
            200,
            await asyncio.to_thread(
                lambda: wire.encode_rendered([rendered(compiler, each, variants) for each in samples])
            ),
        )

    async def _lines(
        self, wanted: wire.Wanted, samples: AsyncIterator[Sample], count: int | None, http: HttpRequest
    ) -> AsyncIterator[bytes]:
        run_id, tally = uuid7(), Tally()
        yield wire.encode_run(run_id, count, wanted.how)
        caller = caller_of(http, "replay")
        async with aclosing(replayed(self.engine, samples, wanted.how, caller, run_id)) as cases:
            async for case in cases:
                tally.add(case)
                yield wire.encode_case(case)
        # Of many cases it takes a second or more, which others need not wait for.
        yield wire.encode_summary(run_id, await asyncio.to_thread(tally.summary))

    async def _samples(self, wanted: wire.Wanted, http: HttpRequest) -> tuple[AsyncIterator[Sample], int | None]:
        """Return what to ask, and how much that is where it is known."""
        if wanted.inference_ids is not None:
            self._opened()
            return self._inferences(wanted.inference_ids, http), len(wanted.inference_ids)
        if wanted.query is not None:
            query = replace(wanted.query, functions=visible_functions(http), payloads=False)
            rows = await self._opened().ask(lambda reader: reader.find(query))
            ids = tuple(row.id for row in rows)
            return self._inferences(ids, http), len(ids)
        if wanted.dataset is None:
            raise InvalidRequest("A replay needs exactly one of `inference_ids`, `query` and `dataset`")
        rows = self._stream(wanted.dataset, http)
        # What is wrong from the start is an answer with a status.
        return _pages(await asyncio.to_thread(_some, rows), rows), None

    async def _inferences(self, ids: Sequence[str], http: HttpRequest) -> AsyncIterator[Sample]:
        functions = visible_functions(http)
        arrived, patient = self.engine.clock.wall_ms(), True
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            found = await self._found(some, functions, http)
            if len(found) < len(some) and patient:
                # Once: then it has stored what had arrived, or is not going to.
                patient = False
                if await self._recorder_is_behind(arrived):
                    found = await self._found(some, functions, http)
            for id_ in some:
                yield found.get(id_) or missing("inference", id_)

    async def _found(
        self, ids: Sequence[str], functions: tuple[str, ...] | None, http: HttpRequest
    ) -> dict[str, Sample]:
        grants, compiler = Grants(functions=functions), self.engine.compiler
        withheld = self.datasets.withheld

        def look(reader: Reader) -> dict[str, Sample]:
            found = [row for row in reader.get(ids) if grants.function(row.function_name)]
            rows = learnable(http, withheld, found)
            return {sample.id: sample for sample in of_inferences(reader, compiler, rows)}

        return await self._opened().ask(look)

    async def _recorder_is_behind(self, arrived: int) -> bool:
        """Wait until what was accepted before an instant is stored; return whether anything was waited for."""
        clock, targets = self.engine.clock, self.engine.targets
        if targets is None or targets.watermark_ms() >= arrived:
            return False
        patience = clock.monotonic() + _PATIENCE_S
        while True:
            if targets.watermark_ms() >= arrived or clock.monotonic() >= patience:
                return True
            await asyncio.sleep(_POLL_S)

    def _datapoints(self, ids: Sequence[str], http: HttpRequest) -> list[Sample]:
        found = {row.id: of_datapoint(row) for row in self.datasets.reader(http).get(ids)} if ids else {}
        return [found.get(id_) or missing("datapoint", id_) for id_ in ids]

    def _stream(self, choice: DatasetChoice, http: HttpRequest) -> Iterator[Sample]:
        name = choice.function_name
        which = DatapointQuery(
            dataset_name=choice.name,
            version=choice.version,
            function_name=None if name is None else stored_name(name),
        )
        return map(of_datapoint, islice(self.datasets.reader(http).stream(which), choice.limit))

    def _opened(self) -> Questions:
        return recorded(self.questions)


def _some(rows: Iterator[Sample]) -> list[Sample]:
    return list(islice(rows, _AT_ONCE))


async def _pages(first: list[Sample], rows: Iterator[Sample]) -> AsyncIterator[Sample]:
    page = first
    while page:
        for sample in page:
            yield sample
        page = await asyncio.to_thread(_some, rows)


def _check_changes(how: Replay, http: HttpRequest) -> None:
    """Refuse at once what each case would be refused for.

    Raises:
        Forbidden: the key has a list of what it may use, and the variant is none of the configuration's.
    """
    named = "templates" if how.templates else "variant"
    if http.principal is not None and http.principal.grants is not None and (how.templates or how.variant is not None):
        raise Forbidden(
            f"{named}: this API key has a list of what it may use, so it may only replay through variants of the "
            "configuration; name one in `variant_name`",
            reason="extra",
        )


def _check_reads(http: HttpRequest) -> None:
    """Refuse a key that may ask models but not see what is recorded: cases show it.

    Raises:
        Forbidden: it has no role that reads.
    """
    if http.principal is not None and _READS.isdisjoint(http.principal.roles):
        raise Forbidden(
            "this API key has no role that reads the record, and a replay shows it; add the role `read`", reason="role"
        )
