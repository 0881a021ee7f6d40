"""A confirmation, from the draw of sealed items to the line in the ledger that says whether it passed.

What it spends and what it reads is settled in the catalogue before a model is asked, so that whoever breaks it off
gains nothing. It asks without a cache and records nothing; what the variants said stays in the vault.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from math import isfinite
from time import monotonic
from typing import Final

import msgspec
from blake3 import blake3
from msgspec import Struct
from msgspec.structs import replace

from calibrant.base.clock import Clock
from calibrant.base.errors import CalibrantError, ConfirmationRefused, InvalidRequest, NotFound, StoreUnavailable
from calibrant.base.ids import uuid7
from calibrant.config.schema import Config
from calibrant.datasets import holdout
from calibrant.datasets.asking import request_of
from calibrant.datasets.editing import Actor
from calibrant.engine.engine import Caller, Engine
from calibrant.engine.infer import infer
from calibrant.evaluations.base import Evaluator, Output
from calibrant.evaluations.drawing import Drawn, Touched, design_effect, drawn
from calibrant.evaluations.ledger import beginning, lines_of, of_period, period_of, spent, told_in, twin_in
from calibrant.evaluations.running import HELD_MS, abandon, abandon_silent, end, held, holding, lost
from calibrant.measure.budget import alpha_of, items_needed
from calibrant.measure.confirmation import decide
from calibrant.store.catalogue import Catalogue, Tx
from calibrant.store.vault import SealedAnswer
from calibrant.types.answer import Answered
from calibrant.types.confirmation import BUDGET, Confirmation, Proposal
from calibrant.types.datapoint import Content, JsonValue

__all__ = ["confirm", "untouched"]

_ENDPOINT: Final = "confirmation"
_AGAIN_S: Final = 5.0
"""Between two tries to write what came of a confirmation."""
_encode = msgspec.json.Encoder().encode


class _Said(Struct, frozen=True):
    """What one variant made of one item."""

    output: Output | None
    score: float | None
    fault: str | None = None


def untouched(_contents: Sequence[Content]) -> tuple[int, ...]:
    """Say that no prompt has words of any content."""
    return ()


async def confirm(
    engine: Engine,
    catalogue: Catalogue,
    proposal: Proposal,
    evaluator: Evaluator,
    actor: Actor,
    touched: Touched = untouched,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
    confirmation_id: str | None = None,
) -> Confirmation:
    """Ask both variants about fresh sealed items, and return whether the candidate is better.

    Args:
        engine: Asks the models.
        catalogue: Has the dataset, and its vault.
        proposal: What is to be confirmed.
        evaluator: Scores the answers.
        actor: Who wants it.
        touched: Says of which contents a prompt of the two variants has words; such items leave the seal instead.
        progress: Told how many answers there are, and how many there will be.
        confirmation_id: Its id, a UUIDv7 that nobody has; null takes a new one.

    Raises:
        NotFound: there is no such dataset, function or variant.
        InvalidRequest: the dataset is not split, or a number is out of range.
        ConfirmationRefused: too few fresh items for its power, no budget left, it was confirmed before, or this
            process was silent for so long that it counts as broken off.
        StoreUnavailable: the catalogue or the vault cannot be used now.
    """
    clock, hashes = engine.clock, _hashes(engine.config, proposal)
    id_ = uuid7() if confirmation_id is None else confirmation_id
    begin = partial(_begin, catalogue, proposal, evaluator, actor, hashes, touched, clock, id_)
    begun, items = await asyncio.to_thread(begin)
    try:
        async with holding(catalogue, id_, clock):
            first, second = await _asked(engine, items, proposal, evaluator, progress)
            ended, answers = await asyncio.to_thread(_decided, begun, items, first, second, evaluator)
    except BaseException:
        await asyncio.shield(asyncio.to_thread(abandon, catalogue, id_, clock.wall_ms()))
        raise
    return await _written(catalogue, ended, answers, clock)


def _begin(
    catalogue: Catalogue,
    proposal: Proposal,
    evaluator: Evaluator,
    actor: Actor,
    hashes: dict[str, str],
    touched: Touched,
    clock: Clock,
    id_: str,
) -> tuple[Confirmation, list[Drawn]]:
    _check(proposal, evaluator)
    abandon_silent(catalogue, clock.wall_ms())
    _let_old_go(catalogue, proposal.dataset_name, actor)
    with catalogue.transaction() as tx:
        holdout.split_of(tx, proposal.dataset_name)
        lines = lines_of(tx)
        twin = twin_in(lines, proposal, hashes, evaluator.name)
        if twin is not None:
            raise ConfirmationRefused(
                f"{proposal.candidate!r} was held against {proposal.incumbent!r} before, by confirmation {twin}, which "
                "says what came of it; one that did not pass is changed, not asked again"
            )
        period = period_of(actor.now_ms)
        before = of_period(told_in(lines), proposal.function_name, period)
        alpha = _alpha(proposal, len(before) + 1, spent(before), period)
        needed = _needed(tx, proposal, alpha)
        items, leaving = drawn(catalogue, tx, proposal, needed, id_, touched)
        name = proposal.dataset_name
        quoted = [each.group_key for each in tx.component_groups(name, leaving)]
        holdout.graduate(catalogue, tx, name, quoted, "train", "in_prompt", actor)
        read = tx.component_groups(name, sorted({each.item.component for each in items}))
        tx.take_groups(name, [each.group_key for each in read], id_)
        begun = Confirmation(
            id=id_,
            status="running",
            at=actor.now_ms,
            actor=actor.name,
            dataset_name=proposal.dataset_name,
            function_name=proposal.function_name,
            incumbent=proposal.incumbent,
            candidate=proposal.candidate,
            evaluator=evaluator.name,
            items=len(items),
            clusters=len({each.item.component for each in items}),
            alpha=alpha,
            margin=proposal.margin,
            period=period,
            number=len(before) + 1,
            claimed_gain=proposal.claimed_gain,
        )
        tx.write_ledger(beginning(begun, hashes))
        tx.lease_confirmation(id_, clock.wall_ms() + HELD_MS)
    return begun, items


def _check(proposal: Proposal, evaluator: Evaluator) -> None:
    if not all(isfinite(each) for each in (proposal.claimed_gain, proposal.spread or 0.0, proposal.margin)):
        raise InvalidRequest("claimed_gain, spread and margin are finite numbers")
    if proposal.claimed_gain <= 0 or (proposal.spread is not None and proposal.spread <= 0):
        raise InvalidRequest("claimed_gain and spread are above 0: a candidate that gained nothing needs no confirming")
    # Planned with the spread of shares, such a claim wants next to no items, and spends the budget on nothing.
    if proposal.claimed_gain > 1 and (evaluator.kind == "boolean" or proposal.spread is None):
        raise InvalidRequest(
            f"claimed_gain: {proposal.claimed_gain:g} is above 1, and shares differ by 1 at most: 8 points are 0.08; "
            "of scores of another scale say the spread, too"
        )
    if proposal.claimed_gain / 2 <= proposal.margin:
        raise InvalidRequest("margin: it is half of the claimed gain or more, and nothing would pass it")
    if proposal.alpha is not None and not 0 < proposal.alpha <= BUDGET:
        raise InvalidRequest(f"alpha: {proposal.alpha} is not above 0 and at most {BUDGET}, the budget of a quarter")
    if proposal.incumbent == proposal.candidate:
        raise InvalidRequest("candidate: it is the incumbent; name another variant")


def _alpha(proposal: Proposal, number: int, already: float, period: str) -> float:
    wanted = alpha_of(number, BUDGET) if proposal.alpha is None else proposal.alpha
    left = BUDGET - already
    if wanted > left + 1e-12:
        raise ConfirmationRefused(
            f"alpha: it would spend {wanted:.4f}, and {left:.4f} of the {BUDGET} are left to "
            f"{proposal.function_name!r} in {period}; ask for less, or wait for the next quarter"
        )
    return wanted


def _needed(tx: Tx, proposal: Proposal, alpha: float) -> int:
    effect = design_effect(tx.fresh_components(proposal.dataset_name, proposal.function_name))
    # Half of the gain has to be told from the margin, not from nothing.
    claim = proposal.claimed_gain - 2 * proposal.margin
    needed = items_needed(claim, alpha=alpha, spread=proposal.spread, design_effect=effect)
    if proposal.items is not None and proposal.items < needed:
        raise ConfirmationRefused(
            f"items: {proposal.items} show too little: to pass half of the claimed gain with a power of 0.8 it needs "
            f"{needed}, {needed - proposal.items} more"
        )
    return proposal.items or needed


async def _asked(
    engine: Engine,
    items: Sequence[Drawn],
    proposal: Proposal,
    evaluator: Evaluator,
    progress: Callable[[int, int], None],
) -> tuple[list[_Said], list[_Said]]:
    """Return what the incumbent and the candidate made of each item. Both are asked side by side, item by item."""
    gate = asyncio.Semaphore(proposal.concurrency)
    done = 0

    async def one(content: Content, variant: str) -> _Said:
        nonlocal done
        async with gate:
            said = await _ask(engine, content, variant, evaluator)
        done += 1
        progress(done, 2 * len(items))
        return said

    async with asyncio.TaskGroup() as group:
        tasks = [
            [group.create_task(one(each.content, variant)) for variant in (proposal.incumbent, proposal.candidate)]
            for each in items
        ]
    return [first.result() for first, _ in tasks], [second.result() for _, second in tasks]


async def _ask(engine: Engine, content: Content, variant: str, evaluator: Evaluator) -> _Said:
    try:
        answered = await infer(engine, request_of(content, variant_name=variant), Caller(_ENDPOINT), monotonic())
        output = _output(answered)
    except CalibrantError as error:
        return _Said(None, None, f"{error.code}: {error.message}")
    try:
        return _Said(output, await asyncio.to_thread(evaluator.score, content, output))
    except CalibrantError as error:
        return _Said(output, None, f"{error.code}: {error.message}")


def _output(answered: Answered) -> Output:
    if answered.head.function_type == "chat":
        return answered.content
    return JsonValue(answered.raw, msgspec.Raw(_encode(answered.parsed)))


async def _written(
    catalogue: Catalogue, ended: Confirmation, answers: Sequence[SealedAnswer], clock: Clock
) -> Confirmation:
    """Write what came of it, by as many tries as the lease leaves time for: all of it is paid for by now.

    Somebody who adds many datapoints holds the catalogue for longer than a write waits.
    """
    until = monotonic() + HELD_MS / 1e3
    while True:
        try:
            return await asyncio.to_thread(_finish, catalogue, ended, answers, clock)
        except StoreUnavailable:
            if monotonic() >= until:
                raise
        await asyncio.sleep(_AGAIN_S)


def _finish(catalogue: Catalogue, ended: Confirmation, answers: Sequence[SealedAnswer], clock: Clock) -> Confirmation:
    with catalogue.transaction() as tx:
        now_ms = clock.wall_ms()
        # Who was silent for too long was told to others as abandoned, and stays so.
        in_time = held(tx, ended.id, now_ms)
        if in_time:
            ended = replace(ended, ended_at=now_ms)
            catalogue.vault.put_answers(ended.id, answers)
            end(catalogue, tx, ended, now_ms)
    if not in_time:
        known = abandon(catalogue, ended.id, now_ms)
        if known is None or known.status == "abandoned":
            raise lost(ended.id)
        # An earlier try had written it, and failed at what comes behind.
        return known
    holdout.swept(catalogue)
    return ended


def _decided(
    begun: Confirmation,
    items: Sequence[Drawn],
    first: Sequence[_Said],
    second: Sequence[_Said],
    evaluator: Evaluator,
) -> tuple[Confirmation, list[SealedAnswer]]:
    """Return what comes of it, and what the vault is given."""
    scores = _scores(evaluator, first, second)
    decision = decide(
        *scores,
        [each.item.component for each in items],
        evaluator.kind if evaluator.optimize == "max" else "float",
        alpha=begun.alpha,
        margin=begun.margin,
    )
    ended = replace(
        begun,
        status="passed" if decision.passed else "failed",
        interval=decision.shown,
        failures=(sum(each.score is None for each in first), sum(each.score is None for each in second)),
    )
    answers = _answers(items, first, scores[0], begun.incumbent) + _answers(items, second, scores[1], begun.candidate)
    return ended, answers


def _scores(evaluator: Evaluator, first: Sequence[_Said], second: Sequence[_Said]) -> tuple[list[float], list[float]]:
    """Return scores of which more is better; what failed has the worst: 0, or the lowest seen where that is below."""
    sign = 1.0 if evaluator.optimize == "max" else -1.0
    known = [sign * each.score for each in (*first, *second) if each.score is not None]
    floor = 0.0 if evaluator.optimize == "max" else -1.0
    worst = min([floor, *known])
    one, other = ([worst if each.score is None else sign * each.score for each in said] for said in (first, second))
    return one, other


def _answers(
    items: Sequence[Drawn], said: Sequence[_Said], scores: Sequence[float], variant: str
) -> list[SealedAnswer]:
    return [
        SealedAnswer(each.item.id, variant, score, None if one.output is None else _encode(one.output), one.fault)
        for each, one, score in zip(items, said, scores, strict=True)
    ]


def _let_old_go(catalogue: Catalogue, name: str, actor: Actor) -> None:
    with catalogue.transaction() as tx:
        known = tx.dataset(name)
        if known is None or known.splitting is None:
            return
        groups = holdout.too_old(tx, name, known.splitting, actor.now_ms)
        read = {each.component for each in groups if each.confirmation_id is not None}
        old = [each.group_key for each in groups if each.component not in read]
        holdout.graduate(catalogue, tx, name, old, "train", "too_old", actor)
    if old:
        holdout.swept(catalogue)


def _hashes(config: Config, proposal: Proposal) -> dict[str, str]:
    """Return what tells the two variants apart from what they are at another time.

    Raises:
        NotFound: there is no such function, or it has no such variant.
    """
    function = config.functions.get(proposal.function_name)
    if function is None:
        raise NotFound(f"Unknown function: {proposal.function_name[:80]}")
    found = {"config_hash": config.hash}
    for which, name in (("incumbent", proposal.incumbent), ("candidate", proposal.candidate)):
        if name not in function.variants:
            raise NotFound(f"{which}: function {function.name!r} has no variant {name[:80]!r}")
        found[f"{which}_hash"] = blake3(msgspec.msgpack.encode(function.variants[name])).hexdigest()
    return found
