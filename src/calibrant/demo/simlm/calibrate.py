"""The logits that make an accuracy, effects and a correlation within clusters come out as asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from msgspec.structs import replace

from calibrant.demo.simlm.parameters import Parameters, Rule
from calibrant.demo.simlm.truth import population_icc, population_mean, weights_of

__all__ = ["calibrated"]

_FAR: Final = 60.0
"""Logits beyond which nothing changes."""
_WIDEST: Final = 12.0
"""The largest standard deviation of clusters that is tried."""
_HALVINGS: Final = 50


def calibrated(
    world: Parameters,
    *,
    accuracy: float | None = None,
    effects: Mapping[str, float] | None = None,
    icc: float | None = None,
) -> Parameters:
    """Return a world whose accuracy, effects and correlation are as asked; what is not asked stays.

    All are of the population of items, for a model without a shift, before any drift or change, with tokens free of
    charge.

    Args:
        world: Where the rest comes from. A rule keeps the ratios of its weights between types; one without any is
            worth the same number of logits on each type.
        accuracy: Of a prompt that satisfies no rule. It sets `intercept`.
        effects: By rule, how much more accurate a prompt is that satisfies this one alone; 0.08 is 8 points. They
            set weights.
        icc: Correlation of right and wrong between items of a cluster, for a prompt that satisfies no rule. It sets
            `cluster_sd`.

    Raises:
        ValueError: there is no such world, or no such rule.
    """
    if accuracy is not None and not 0 < accuracy < 1:
        raise ValueError(f"accuracy: must be between 0 and 1, not {accuracy}")
    if icc is not None and not 0 <= icc < 1:
        raise ValueError(f"icc: must be at least 0 and below 1, not {icc}")
    if icc is None:
        world = _with_accuracy(world, accuracy)
    else:
        world = _with_icc(world, icc, _accuracy(world) if accuracy is None else accuracy)
    for name, effect in (effects or {}).items():
        if name not in world.rules:
            raise ValueError(f"effects: no rule {name!r}: there are {sorted(world.rules)}")
        rules = {**world.rules, name: _with_effect(world, name, effect)}
        world = replace(world, rules=rules)
    return world


def _accuracy(world: Parameters, more: float = 0.0) -> float:
    return population_mean(world, np.full(len(world.types), world.intercept + more))


def _with_accuracy(world: Parameters, accuracy: float | None) -> Parameters:
    if accuracy is None:
        return world
    at = replace(world, intercept=0.0)
    return replace(world, intercept=_root(lambda logit: _accuracy(at, logit) - accuracy, _FAR, "accuracy"))


def _with_icc(world: Parameters, icc: float, accuracy: float) -> Parameters:
    def made(spread: float) -> Parameters:
        return _with_accuracy(replace(world, cluster_sd=spread), accuracy)

    def excess(spread: float) -> float:
        tried = made(spread)
        return population_icc(tried, np.full(len(tried.types), tried.intercept)) - icc

    if icc == 0:
        return made(0.0)
    if excess(_WIDEST) < 0:
        raise ValueError(f"icc: {icc} is out of reach")
    return made(_between(excess, 0.0, _WIDEST))


def _with_effect(world: Parameters, name: str, effect: float) -> Rule:
    rule, base = world.rules[name], _accuracy(world)
    if effect == 0:
        return replace(rule, weight=0.0, weights={})
    weights = weights_of(world, rule)
    if not weights.any():
        weights = np.ones(len(world.types))
    shape = weights / np.abs(weights).max()

    def excess(scale: float) -> float:
        return population_mean(world, world.intercept + scale * shape) - base - effect

    scale = _root(excess, _FAR, f"effects.{name}")
    found = {kind: float(scale * each) for kind, each in zip(world.types, shape, strict=True)}
    if len(set(found.values())) == 1:
        return replace(rule, weight=next(iter(found.values())), weights={})
    return replace(rule, weights=found)


def _root(excess: Callable[[float], float], far: float, name: str) -> float:
    if np.sign(excess(-far)) == np.sign(excess(far)):
        raise ValueError(f"{name}: what is asked for is out of reach")
    return _between(excess, -far, far)


def _between(excess: Callable[[float], float], low: float, high: float) -> float:
    """Return where the excess, of another sign at either end, is nothing."""
    below = excess(low) < 0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if (excess(middle) < 0) == below else (low, middle)
    return (low + high) / 2
