"""Has several variants answer the same request at once, for a variant that makes one answer of theirs.

Candidates answer whole, with their own parameters and not the request's, as TensorZero has it. One that fails drops
out; each call of theirs is in the record, whatever became of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from calibrant.base.errors import AllCandidatesFailed, CalibrantError, ClientDisconnected, InternalError, InvalidRequest
from calibrant.engine.compiled import CompiledBestOfN, CompiledMixtureOfN, Servable
from calibrant.engine.engine import Engine
from calibrant.engine.journal import Journal
from calibrant.engine.json_text import json_text
from calibrant.engine.limits import Limit, outermost, tighter
from calibrant.engine.resolve import Plan
from calibrant.engine.sent import without_parameters
from calibrant.types.content import Text, Thought
from calibrant.types.reply import Reply
from calibrant.types.request import NO_PARAMS

__all__ = ["Candidate", "ReplyOf", "Round", "answers", "listed", "side_plan"]

_log = logging.getLogger(__name__)
_json = msgspec.json.Encoder().encode

ReplyOf = Callable[[Engine, Plan, Servable, Journal], Awaitable[Reply]]
"""Has any variant answer."""


class Candidate(Struct, frozen=True):
    """What one candidate answered."""

    place: int
    """In the configuration's list."""
    reply: Reply


class Round(Struct):
    """What became of all candidates, noted for the record as it happens."""

    type: str
    candidates: tuple[str, ...]
    """Variants, as the configuration lists them."""
    failed: dict[int, str] = {}
    """Error codes by place."""
    order: tuple[int, ...] | None = None
    """The places in the order in which the judge or the fuser saw them; null where nobody was asked."""
    chosen: int | None = None
    """The place of the candidate whose answer is served; null where the answer was fused."""
    fallback: str | None = None
    """Why the choice was left to chance: the error code of the judge's or the fuser's failure."""

    def note(self, journal: Journal) -> None:
        """Put it into the record of the inference."""
        journal.strategy = _json(self)


async def answers(
    engine: Engine,
    plan: Plan,
    variant: CompiledBestOfN | CompiledMixtureOfN,
    journal: Journal,
    reply_of: ReplyOf,
    record: Round,
) -> list[Candidate]:
    """Return the answers of the candidates that did not fail, in the order of the configuration.

    Raises:
        AllCandidatesFailed: there is none.
        InferenceTimeout: the variant's time is over.
        ClientDisconnected: nobody waits for an answer any more.
    """
    began = monotonic()
    limit = _limit(engine, plan, variant, journal, began)
    wanted = side_plan(plan)
    parts = [_part(journal, variant, limit, began, place) for place in range(len(variant.candidates))]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(_reply(engine, wanted, candidate, part, reply_of))
                for candidate, part in zip(variant.candidates, parts, strict=True)
            ]
    finally:
        journal.absorb(parts, monotonic() - began)
        journal.variant_name = variant.variant.name
    results = [task.result() for task in tasks]
    found: list[Candidate] = []
    reasons: list[str] = []
    for place, result in enumerate(results):
        if isinstance(result, ClientDisconnected):
            # Nobody waits for the others' answers either.
            raise result
        if isinstance(result, CalibrantError):
            record.failed[place] = result.code
            reasons.append(f"{record.candidates[place]}: {result.message}")
        else:
            found.append(Candidate(place, result))
    if not found:
        record.note(journal)
        limit.check(monotonic())
        first = results[0]
        if isinstance(first, InvalidRequest) and all(isinstance(result, InvalidRequest) for result in results):
            # Nobody was asked: the fault is the request's.
            raise first
        raise AllCandidatesFailed(f"all candidates of {variant.variant.name!r} failed: {'; '.join(reasons)}")
    return found


def listed(plan: Plan, shown: Sequence[Candidate]) -> str:
    """Return the candidates' answers as text for a judge or a fuser, numbered from 0 in this order."""
    pieces = [
        f'<candidate number="{number}">\n{_text(plan, candidate.reply)}\n</candidate>'
        for number, candidate in enumerate(shown)
    ]
    return "\n".join(pieces)


def side_plan(plan: Plan) -> Plan:
    """Return the plan for a call that is made beside the answer: whole, and without the request's parameters."""
    request = plan.request
    sent = None if request.sent is None else without_parameters(request.sent)
    return replace(plan, request=replace(request, params=NO_PARAMS, stream=False, sent=sent))


async def _reply(
    engine: Engine, plan: Plan, candidate: Servable, journal: Journal, reply_of: ReplyOf
) -> Reply | CalibrantError:
    try:
        return await reply_of(engine, plan, candidate, journal)
    except CalibrantError as error:
        return error
    except Exception as fault:  # noqa: BLE001 - a named edge: a fault in one candidate must not end the others
        _log.exception("a candidate failed on a fault of the gateway")
        engine.metrics.count("internal_errors", ("candidate",))
        return InternalError(f"a fault of the gateway: {type(fault).__name__}")


def _limit(
    engine: Engine, plan: Plan, variant: CompiledBestOfN | CompiledMixtureOfN, journal: Journal, now: float
) -> Limit:
    """Set and return the limit of the whole: of a stream, what its first chunk has."""
    config = variant.variant
    outer = journal.limit or outermost(engine.config.gateway, now)
    limit = tighter(outer, config.timeouts, now, "variant", config.name, stream=plan.request.stream)
    journal.limit = limit
    return limit.until_first()


def _part(
    journal: Journal, variant: CompiledBestOfN | CompiledMixtureOfN, limit: Limit, now: float, place: int
) -> Journal:
    seconds = variant.variant.candidate_timeout_s
    if seconds is not None and now + seconds < limit.total:
        limit = Limit(now + seconds, f"a candidate of {variant.variant.name!r}")
    # The same candidate named twice is to answer twice.
    return Journal(journal.inference_id, limit=limit, salt=f"{journal.salt}candidate_{place}/")


def _text(plan: Plan, reply: Reply) -> str:
    if plan.function.function.type == "json":
        return json_text(reply.content) or ""
    # What was thought is no answer, and its signature says nothing to anybody else.
    blocks = [block for block in reply.content if not isinstance(block, Thought)]
    texts = [block.text for block in blocks if isinstance(block, Text)]
    return "\n".join(texts) if len(texts) == len(blocks) else _json(blocks).decode()
