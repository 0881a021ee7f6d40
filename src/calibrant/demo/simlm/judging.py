"""What judges say of answers: their errors, their biases, and how often they say the same again.

A judge has one verdict for an answer, a hash of both, and gives it again whenever it is asked; with chance `retest`
it draws anew. So its rates are those of its parameters over many answers, and how often two verdicts on one answer
differ is known: 2 p (1 - p) (1 - (1 - retest)^2), where p is the chance that the answer passes.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike
from scipy import special

from calibrant.demo.simlm.chance import Floats, key_of, keys, uniforms
from calibrant.demo.simlm.items import Bools, Ints, answers_of
from calibrant.demo.simlm.parameters import Judge, Parameters
from calibrant.demo.simlm.truth import drift_at

__all__ = ["Outputs", "passing", "preferred", "preferring", "verdicts"]

_PLACE: Final = key_of("place")
_PREFERENCE: Final = key_of("preference")
_VERDICT: Final = key_of("verdict")


class Outputs(Struct, frozen=True):
    """Answers to items, as a judge sees them; arrays of one shape."""

    items: Ints
    options: Ints
    """What was answered, as its place in `options`; -1 where it is none of them."""
    words: Ints
    """Words around each answer."""
    injected: Bools
    """Whether a text that speaks to the judge comes with it."""
    family: str = ""
    """Whose style they have."""

    def correct(self, world: Parameters) -> Bools:
        """Which are right."""
        return self.options == answers_of(world, self.items)


def passing(world: Parameters, name: str, outputs: Outputs, at: ArrayLike = 0.0) -> Floats:
    """Return the chance that each answer passes."""
    judge = world.judges[name]
    base = special.logit(np.where(outputs.correct(world), judge.tpr, 1 - judge.tnr))
    own = judge.own if judge.family and judge.family == outputs.family else 0.0
    thought = special.expit(base + judge.length * outputs.words / 100 + own + drift_at(judge.drift, at))
    return thought + (1 - thought) * judge.injection * outputs.injected


def verdicts(
    world: Parameters, name: str, outputs: Outputs, rng: np.random.Generator | None, at: ArrayLike = 0.0
) -> Bools:
    """Return which answers a judge passes; without `rng` it never draws anew."""
    drawn = uniforms(world.seed, _VERDICT, key_of(name), _keys(outputs))
    return _anew(drawn, world.judges[name], rng) < passing(world, name, outputs, at)


def preferring(world: Parameters, name: str, first: Outputs, second: Outputs, at: ArrayLike = 0.0) -> Floats:
    """Return the chance that each first answer is preferred to the second.

    A judge that thinks more of one takes it, else either with equal chance: by its merits the first is preferred with
    chance (1 + p - q) / 2, where p and q are the chances that the two pass. With chance |position| it looks at
    places alone.
    """
    place = world.judges[name].position
    return (1 - abs(place)) * _merit(world, name, first, second, at) + max(place, 0.0)


def preferred(
    world: Parameters,
    name: str,
    first: Outputs,
    second: Outputs,
    rng: np.random.Generator | None,
    at: ArrayLike = 0.0,
) -> Bools:
    """Return which first answers a judge prefers to the second; `preferring` says how likely that is.

    A judge without position bias and retest noise prefers the same answer in either order, unless the two are the
    same.
    """
    judge, one, other = world.judges[name], _keys(first), _keys(second)
    low, high, swapped = np.minimum(one, other), np.maximum(one, other), one > other
    merit = _merit(world, name, first, second, at)
    drawn = _anew(uniforms(world.seed, _PREFERENCE, key_of(name), low, high), judge, rng)
    by_merit = (drawn < np.where(swapped, 1 - merit, merit)) ^ swapped
    by_place = _anew(uniforms(world.seed, _PLACE, key_of(name), one, other), judge, rng) < abs(judge.position)
    return np.where(by_place, judge.position > 0, by_merit)


def _merit(world: Parameters, name: str, first: Outputs, second: Outputs, at: ArrayLike) -> Floats:
    return (1 + passing(world, name, first, at) - passing(world, name, second, at)) / 2


def _keys(outputs: Outputs) -> Ints:
    """Return what stands for each output: the same for the same text."""
    return keys(outputs.items, outputs.options + 1, outputs.words, key_of(outputs.family))


def _anew(drawn: Floats, judge: Judge, rng: np.random.Generator | None) -> Floats:
    if rng is None or judge.retest == 0:
        return drawn
    return np.where(rng.random(drawn.shape) < judge.retest, rng.random(drawn.shape), drawn)
