"""Who gets which variant, and what users say of the answers: with the bugs and gaps that a world has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike

from calibrant.demo.simlm.chance import Floats, key_of, uniforms
from calibrant.demo.simlm.items import Bools, Ints, integers
from calibrant.demo.simlm.parameters import Parameters

__all__ = ["Given", "assigned", "feedback_on", "weights_done"]

_UNIT: Final = key_of("unit")


class Given(Struct, frozen=True):
    """Feedback on answers; arrays of one shape."""

    given: Bools
    """Which answers get any."""
    value: Bools
    """What it says: that the answer is right. Without meaning where none is given."""
    delay_s: Floats
    """Seconds after the answer; infinite where none is given."""
    repeated: Bools
    """Which is sent a second time."""


def feedback_on(world: Parameters, correct: ArrayLike, rng: np.random.Generator) -> Given:
    """Return what users say of answers that are right or wrong."""
    right, users = np.asarray(correct, dtype=bool), world.feedback
    given = rng.random(right.shape) < np.where(right, users.rate_right, users.rate_wrong)
    value = right ^ (rng.random(right.shape) < users.flipped)
    delay = rng.exponential(size=right.shape) * np.where(right, users.delay_right_s, users.delay_wrong_s)
    repeated = given & (rng.random(right.shape) < users.repeated)
    return Given(given, value, np.where(given, delay, np.inf), repeated)


def weights_done(world: Parameters, weights: Sequence[float]) -> Floats:
    """Return the chance that a unit has of each variant when `weights` are asked for; a bug makes it another.

    Raises:
        ValueError: the weights are no weights, or the bug is one of another number of variants.
    """
    asked = np.asarray(weights, dtype=np.float64)
    if asked.ndim != 1 or not np.isfinite(asked).all() or (asked < 0).any() or asked.sum() == 0:
        raise ValueError("weights: must be numbers from 0 on, not all of them 0")
    skew = world.assignment.skew
    if skew and len(skew) != asked.size:
        raise ValueError(f"assignment.skew is of {len(skew)} variants, and {asked.size} weights are asked for")
    done = asked * np.asarray(skew) if skew else asked
    if done.sum() == 0:
        raise ValueError("assignment.skew leaves no variant that is asked for")
    return done / done.sum()


def assigned(world: Parameters, units: ArrayLike, weights: Sequence[float]) -> Ints:
    """Return the variant of each unit (an integer from 0 on), as its place in `weights`; a unit keeps its variant."""
    edges = np.cumsum(weights_done(world, weights))[:-1]
    return np.searchsorted(edges, uniforms(world.seed, _UNIT, integers(units)), side="right").astype(np.int64)
