"""Workflow evaluations: runs that pin variants, their episodes, and what inferences of these take from their run.

A run says once which variants to try; code that makes many inferences then only passes an episode's id on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from calibrant.base.errors import InternalError, InvalidRequest, NotFound
from calibrant.base.ids import evaluated_episode, uuid7
from calibrant.engine.engine import Caller, Engine
from calibrant.engine.grants import check_function
from calibrant.store.catalogue import Catalogue
from calibrant.types.request import InferenceRequest
from calibrant.types.workflow import WorkflowEpisode, WorkflowRun

__all__ = ["RUN_TAGS", "evaluated", "start_episode", "start_run"]

RUN_TAGS: Final = ("tensorzero::workflow_evaluation_run_id", "tensorzero::dynamic_evaluation_run_id")
"""Tags that name the run of an episode; the second is what TensorZero called it before."""


def start_run(engine: Engine, catalogue: Catalogue, wanted: WorkflowRun, caller: Caller) -> WorkflowRun:
    """Add a run.

    Args:
        engine: The engine.
        catalogue: Where to.
        wanted: The run, as it was asked for; its id, configuration and key are filled in here.
        caller: Who asks.

    Raises:
        NotFound: a function is unknown.
        InvalidRequest: a function has no such variant.
        Forbidden: the caller's API key may not use a function.
        StoreUnavailable: the catalogue cannot be written now.
    """
    _check_variants(engine, wanted.variants, caller)
    run = replace(wanted, id=uuid7(), snapshot_hash=engine.config.hash, key_id=caller.key_id)
    with catalogue.transaction() as tx:
        tx.add_workflow_run(run)
    return run


def start_episode(engine: Engine, catalogue: Catalogue, wanted: WorkflowEpisode) -> WorkflowEpisode:
    """Add an episode of a run.

    Args:
        engine: The engine.
        catalogue: Where to.
        wanted: The episode, as it was asked for; its id and configuration are filled in here.

    Raises:
        NotFound: there is no such run.
        StoreUnavailable: the catalogue cannot be written now.
    """
    tags = wanted.tags | dict.fromkeys(RUN_TAGS, wanted.run_id)
    episode = replace(wanted, id=evaluated_episode(), tags=tags, snapshot_hash=engine.config.hash)
    with catalogue.transaction() as tx:
        if tx.workflow_run(wanted.run_id) is None:
            raise NotFound(
                f"there is no workflow evaluation run {wanted.run_id}; `POST /workflow_evaluation_run` makes one"
            )
        tx.add_workflow_episode(episode)
    return episode


async def evaluated(engine: Engine, request: InferenceRequest, episode_id: str) -> InferenceRequest:
    """Return a request of an evaluated episode with what it takes from its run: a variant and tags, unless it has them.

    Raises:
        NotFound: there is no such episode, or the function no longer has the variant.
        StoreUnavailable: the catalogue cannot be asked now.
    """
    if engine.workflows is None:
        raise InternalError("this gateway was put together without a catalogue")
    pinned = await engine.workflows.pinned(episode_id)
    if pinned is None:
        raise NotFound(
            f"episode_id: there is no episode {episode_id} of a workflow evaluation; "
            "`POST /workflow_evaluation_run/{run_id}/episode` makes one"
        )
    name = request.variant_name
    if name is None and request.function_name is not None and request.dynamic_variant is None:
        name = pinned.variants.get(request.function_name)
        if name is not None and name not in engine.compiler.function(request.function_name).variants:
            raise NotFound(
                f"the workflow evaluation run {pinned.run_id} pins the variant {name!r}, which the function "
                f"{request.function_name!r} no longer has; make a new run, or send `variant_name`"
            )
    return replace(request, variant_name=name, tags=pinned.tags | request.tags)


def _check_variants(engine: Engine, variants: Mapping[str, str], caller: Caller) -> None:
    for function_name, variant_name in variants.items():
        if caller.grants is not None:
            check_function(engine, function_name, caller.grants)
        known = engine.compiler.function(function_name).variants
        if variant_name not in known:
            raise InvalidRequest(
                f"variants: the function {function_name!r} has no variant {variant_name!r}; "
                f"it has {', '.join(sorted(known))}"
            )
