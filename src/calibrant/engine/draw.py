"""Which variants may serve a request, and in which order: the experiment that holds for it, and the draw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from calibrant.base.errors import InvalidRequest
from calibrant.config.schema import Experiment
from calibrant.engine.compiled import CompiledFunction, Servable
from calibrant.routing.assign import candidates, point, point_of, probability
from calibrant.types.request import InferenceRequest

__all__ = ["Draw", "chances", "check_namespace", "drawn"]


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
    experiment = _experiment(function, request.namespace, request.tags)
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


def chances(function: CompiledFunction, namespace: str | None = None) -> dict[str, float]:
    """Return the chance that each variant has of being drawn for a request of a namespace, without tags."""
    if len(function.variants) == 1:
        return dict.fromkeys(function.variants, 1.0)
    experiment = _experiment(function, namespace, {})
    weights = experiment.candidates
    if sum(weights.values()) > 0:
        return {name: probability(name, weights) for name in function.variants}
    # With no candidates there is no draw: the first fallback serves for certain.
    first = next(iter(experiment.fallbacks), None)
    return {name: float(name == first) for name in function.variants}


def _experiment(function: CompiledFunction, namespace: str | None, tags: Mapping[str, str]) -> Experiment:
    """Return the experiment of a request's namespace, and in it that of the first segment it belongs to."""
    experiment = function.function.experiment
    if namespace is not None:
        experiment = function.function.namespaces.get(namespace, experiment)
    for segment in experiment.segments:
        if segment.tags.items() <= tags.items():
            return segment.experiment
    return experiment


def _chain(variants: dict[str, Servable], first: str, rest: Iterator[str]) -> Iterator[Servable]:
    yield variants[first]
    for name in rest:
        yield variants[name]
