"""How likely an answer is right: of one item, and over all items there could be.

Over the population it is an integral: difficulty and clusters are normal, so their sum is one, and the trapezoidal
rule is exact to double precision for so smooth a function (L. N. Trefethen and J. A. C. Weideman, The exponentially
convergent trapezoidal rule, SIAM Review 56 (2014), 385-458).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from calibrant.demo.simlm.chance import Floats
from calibrant.demo.simlm.items import ease_of, shares_of, types_of
from calibrant.demo.simlm.parameters import Drift, Parameters, Rule

__all__ = [
    "accuracy_of",
    "drift_at",
    "effects_of",
    "icc_of",
    "population_icc",
    "population_mean",
    "probabilities_of",
    "tokens_of",
    "weights_of",
]

_STEP: Final = 0.05
_GRID: Final = np.arange(-8.5, 8.5 + _STEP / 2, _STEP)
_DENSITY: Final = np.exp(-(_GRID**2) / 2) / np.exp(-(_GRID**2) / 2).sum()


def tokens_of(prompt: str) -> int:
    """Return how many tokens a prompt has: runs of characters between spaces."""
    return len(prompt.split())


def weights_of(world: Parameters, rule: Rule) -> Floats:
    """Return what a rule is worth on items of each type, in logits, in the order of `types`."""
    return np.array([rule.weights.get(kind, rule.weight) for kind in world.types], dtype=np.float64)


def effects_of(world: Parameters, prompt: str) -> Floats:
    """Return what the rules that a prompt satisfies are worth on items of each type, in logits."""
    found = [weights_of(world, rule) for rule in world.rules.values() if rule.matches(prompt)]
    return np.sum(found, axis=0) if found else np.zeros(len(world.types))


def drift_at(drift: Drift, at: ArrayLike) -> Floats:
    """Return what drift adds at each moment, in logits."""
    moments = np.asarray(at, dtype=np.float64)
    wave = drift.amplitude * np.sin(2 * np.pi * moments / drift.period)
    return drift.slope * np.maximum(moments - drift.after, 0) / 1000 + wave


def probabilities_of(world: Parameters, items: ArrayLike, prompts: Sequence[str], model: str, at: ArrayLike) -> Floats:
    """Return P(correct) of each item, a row for each prompt; `at` is broadcast with the items."""
    shift, factor = _moment(world, at)
    ease, types = ease_of(world, items) + shift, types_of(world, items)
    logits = [_floor(world, prompt, model) + factor * effects_of(world, prompt)[types] for prompt in prompts]
    return special.expit(ease + np.stack(logits))


def accuracy_of(world: Parameters, prompt: str, model: str, at: float) -> float:
    """Return P(correct) over the population of items."""
    return population_mean(world, _means(world, prompt, model, at))


def icc_of(world: Parameters, prompt: str, model: str, at: float) -> float:
    """Return the correlation between whether two items of a cluster are answered right, over the population."""
    return population_icc(world, _means(world, prompt, model, at))


def population_mean(world: Parameters, means: Floats) -> float:
    """Return the mean over items whose median logits, by type, are `means`."""
    spread = sqrt(world.difficulty_sd**2 + world.cluster_sd**2)
    return float(shares_of(world) @ (special.expit(means[:, None] + spread * _GRID) @ _DENSITY))


def population_icc(world: Parameters, means: Floats) -> float:
    """Return the intraclass correlation of right and wrong of items whose median logits, by type, are `means`."""
    spread = world.difficulty_sd * _GRID[:, None] + world.cluster_sd * _GRID
    given = sum(
        share * (_DENSITY @ special.expit(mean + spread)) for share, mean in zip(shares_of(world), means, strict=True)
    )
    mean = float(given @ _DENSITY)
    return float(np.square(given - mean) @ _DENSITY) / (mean * (1 - mean))


def _means(world: Parameters, prompt: str, model: str, at: float) -> Floats:
    shift, factor = _moment(world, at)
    return _floor(world, prompt, model) + shift + factor * effects_of(world, prompt)


def _floor(world: Parameters, prompt: str, model: str) -> float:
    return world.intercept + world.models[model].shift - world.token_cost * tokens_of(prompt)


def _moment(world: Parameters, at: ArrayLike) -> tuple[Floats, Floats]:
    """Return what drift and changes add at each moment, and what they multiply the weights of rules by."""
    moments = np.asarray(at, dtype=np.float64)
    shift, factor = drift_at(world.drift, moments), np.ones(moments.shape)
    for change in world.changes:
        since = moments >= change.at
        shift = shift + since * change.shift
        factor = np.where(since, factor * change.factor, factor)
    return shift, factor
