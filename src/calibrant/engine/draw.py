"""Which variants may serve a request, and in which order: the experiment that holds for it, and the draw."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from calibrant.base.errors import InvalidRequest
from calibrant.config.schema import Experiment
from calibrant.engine.compiled import CompiledFunction, Servable
from calibrant.routing.assign import candidates, point, point_of, probability
from calibrant.types.request import InferenceRequest

__all__ = ["Draw", "check_namespace", "drawn"]


class Draw(Struct, frozen=True):
    """Who serves, and by what chance."""

    unit: str
    """What the variant was drawn for: an episode, or what a tag names."""
    assigned: str
    probability: float | None
    """The chance that the draw had of choosing it; null where the caller did."""
    order: Iterator[Servable]
    """Variants to try, the assigned one first."""

    @property
    def pinned(self) -> bool:
        """Return whether the caller named the variant, so that nothing else may serve."""
        return self.probability is None


def drawn(function: CompiledFunction, request: InferenceRequest, episode_id: str) -> Draw:
    """Draw a variant.

    Raises:
        InvalidRequest: no variant may serve the request.
    """
    variants = function.variants
    if len(variants) == 1:
        ((name, only),) = variants.items()
        check_namespace(only, request.namespace)
        return Draw(episode_id, name, 1.0, iter((only,)))
    experiment = _experiment(function, request)
    unit = None if experiment.unit is None else request.tags.get(experiment.unit)
    name = function.function.name
    u = point(name, episode_id) if unit is None else point_of(name, unit)
    order = candidates(u, experiment.candidates, experiment.fallbacks)
    first = next(order, None)
    if first is None:
        raise InvalidRequest(f"the function {name!r} has no variant that may serve this request")
    # With no candidates there is no draw: the first fallback serves for certain.
    chance = probability(first, experiment.candidates) if first in experiment.candidates else 1.0
    return Draw(episode_id if unit is None else unit, first, chance, _chain(variants, first, order))


def check_namespace(variant: Servable, namespace: str | None) -> None:
    """Refuse a request of another namespace than the variant's.

    Raises:
        InvalidRequest: it is.
    """
    home = variant.variant.namespace
    if home not in (None, namespace):
        raise InvalidRequest(
            f"namespace: {variant.variant.name!r} serves only requests of the namespace {home!r}; "
            + ("send `namespace`" if namespace is None else f"this one is of {namespace!r}")
        )


def _experiment(function: CompiledFunction, request: InferenceRequest) -> Experiment:
    """Return the experiment of the request's namespace, and in it that of the first segment it belongs to."""
    experiment = function.function.experiment
    if request.namespace is not None:
        experiment = function.function.namespaces.get(request.namespace, experiment)
    for segment in experiment.segments:
        if segment.tags.items() <= request.tags.items():
            return segment.experiment
    return experiment


def _chain(variants: dict[str, Servable], first: str, rest: Iterator[str]) -> Iterator[Servable]:
    yield variants[first]
    for name in rest:
        yield variants[name]
