"""M7: are biases of a judge found that were planted in it, and how often is a judge without any said to have one?

The judges are SimLM's. What a test is given is what an audit has: verdicts on 100 answers, each asked for again where
the test needs it, and where it needs them the verdicts of people.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import optimize, special

from bench.measurement.cells import Cell, Figures, Found, Line, at_most, percent
from calibrant.demo.simlm.calibrate import calibrated
from calibrant.demo.simlm.judging import Outputs
from calibrant.demo.simlm.parameters import Drift, Judge, Model, Parameters
from calibrant.demo.simlm.world import World
from calibrant.measure.biases import invariance, length_bias, position_bias, self_preference
from calibrant.measure.stability import drift

__all__ = ["audited", "cells", "details", "lines", "notes"]

_ACCURACY, _TPR, _TNR = 0.7, 0.82, 0.86
_LEVEL = 0.05
_TRUSTED = 0.8
"""The usual audit: a judge that agrees with people on so many of the answers is trusted."""

Verdict = tuple[bool, bool]
"""Whether the test says that there is a bias, and whether the usual way does."""


@lru_cache
def world(bias: str, size: float, noise: float) -> World:
    """Return the world with one judge, named `judge`.

    Args:
        bias: What is planted, named as the tests are.
        size: How much: a share, such as .15 for 15 points.
        noise: With what chance a verdict is drawn anew.
    """
    judge = Judge(tpr=_TPR, tnr=_TNR, retest=noise, family="own", **_planted(bias, size))
    models = {"simlm": Model(family="other"), "kin": Model(family="own")}
    return World(calibrated(Parameters(seed=7, judges={"judge": judge}, models=models), accuracy=_ACCURACY))


def _planted(bias: str, size: float) -> dict:
    if size == 0:
        return {}
    if bias == "position":
        return {"position": size}
    if bias == "self_preference":
        return {"own": float(special.logit(_TPR + size) - special.logit(_TPR))}
    logits = _logits(size)
    # A hundred words, or a thousand moments, are worth so many logits.
    return {"drift": Drift(slope=logits)} if bias.startswith("drift") else {"length": logits}


def _logits(size: float) -> float:
    """Return how many logits towards passing let so many more of the answers pass."""
    rates, shares = special.logit(np.array([_TPR, 1 - _TNR])), np.array([_ACCURACY, 1 - _ACCURACY])
    return optimize.brentq(lambda x: float(shares @ (special.expit(rates + x) - special.expit(rates))) - size, 0, 20)


def _answered(draw: Generator, of: World, n: int, model: str = "simlm", words: int | NDArray[np.intp] = 0) -> Outputs:
    """Return answers to items that no draw before has had."""
    items = int(draw.integers(2**40)) + np.arange(n)
    made = of.outputs(items, "", of.outcomes(items, "", draw, model=model), model=model)
    return Outputs(made.items, made.options, np.broadcast_to(words, n).astype(np.int64), made.injected, made.family)


def _again(outputs: Outputs, words: int) -> Outputs:
    return Outputs(outputs.items, outputs.options, outputs.words + words, outputs.injected, outputs.family)


def _right(of: World, outputs: Outputs) -> NDArray[np.bool_]:
    return outputs.correct(of.parameters)


def _untrusted(of: World, outputs: Outputs, verdicts: NDArray[np.bool_]) -> bool:
    return bool((verdicts == _right(of, outputs)).mean() < _TRUSTED)


def _position(draw: Generator, of: World, n: int) -> Verdict:
    first = _answered(draw, of, n)
    second = of.outputs(first.items, "", of.outcomes(first.items, "", draw, model="kin"), model="kin")
    straight = of.prefers_first("judge", first, second, draw)
    swapped = of.prefers_first("judge", second, first, draw)
    # Usually a pair is asked about in one order, in which half of the pairs have the better answer first.
    apart = _right(of, first) != _right(of, second)
    agrees = (straight == _right(of, first))[apart]
    return position_bias(straight, swapped, alpha=_LEVEL).biased, bool(agrees.size) and bool(agrees.mean() < _TRUSTED)


def _invariance(draw: Generator, of: World, n: int) -> Verdict:
    plain = _answered(draw, of, n)
    padded = _again(plain, 100)
    before, after = (of.judge("judge", each, draw) for each in (plain, padded))
    return invariance(before, after, kind="boolean", alpha=_LEVEL).biased, _untrusted(of, padded, after)


def _length(draw: Generator, of: World, n: int) -> Verdict:
    words = np.rint(25 * 2 ** draw.uniform(0, 4, n)).astype(np.intp)
    outputs = _answered(draw, of, n, words=words)
    said = of.judge("judge", outputs, draw)
    people = _right(of, outputs).astype(np.float64)
    found = length_bias(people, said.astype(np.float64), words.astype(np.float64), alpha=_LEVEL)
    return found.biased, _untrusted(of, outputs, said)


def _self_preference(draw: Generator, of: World, n: int) -> Verdict:
    """Half of the answers are of the judge's own family; all are such as people pass."""
    kinds = [_passed(draw, of, n // 2, model) for model in ("simlm", "kin")]
    said = [of.judge("judge", each, draw) for each in kinds]
    own = np.repeat([0.0, 1.0], n // 2)
    judged = np.concatenate(said)
    found = self_preference(np.ones(own.size), judged.astype(np.float64), own, alpha=_LEVEL)
    return found.biased, bool(judged.mean() < _TRUSTED)


def _passed(draw: Generator, of: World, n: int, model: str) -> Outputs:
    items = int(draw.integers(2**40)) + np.arange(n)
    return of.outputs(items, "", np.ones(n, dtype=np.bool_), model=model)


def _drift(draw: Generator, of: World, n: int) -> Verdict:
    """Anchors are judged, and a thousand moments later again; how often the judge repeats itself was found before."""
    anchors = _answered(draw, of, n)
    stored, again = (of.judge("judge", anchors, draw, at=at) for at in (0, 1000))
    before = _answered(draw, of, 400)
    one, other = (of.judge("judge", before, draw, at=0) for _ in range(2))
    expected = float((one == other).mean())
    found = drift(stored.astype(np.float64), again.astype(np.float64), expected=expected, alpha=_LEVEL)
    return found.biased, _apart(stored, again)


def _drift_once(draw: Generator, of: World, n: int) -> Verdict:
    """The same anchors where one look is all there is: an unchanged answer must not pass more often."""
    anchors = _answered(draw, of, n)
    stored, again = (of.judge("judge", anchors, draw, at=at) for at in (0, 1000))
    return invariance(stored, again, kind="boolean", alpha=_LEVEL).biased, _apart(stored, again)


def _apart(stored: NDArray[np.bool_], again: NDArray[np.bool_]) -> bool:
    """Return what is usually said: whether the share that passes is another than it was, as if of other anchors."""
    n, shares = stored.size, (stored.mean(), again.mean())
    pooled = sum(shares) / 2
    error = np.sqrt(2 * pooled * (1 - pooled) / n)
    return bool(error > 0 and abs(shares[1] - shares[0]) / error >= special.ndtri(1 - _LEVEL / 2))


_TESTS: dict[str, Callable[[Generator, World, int], Verdict]] = {
    "position": _position,
    "invariance": _invariance,
    "length": _length,
    "self_preference": _self_preference,
    "drift": _drift,
    "drift, one look": _drift_once,
}


def audited(draw: Generator, *, bias: str, size: float, noise: float, n: int, reps: int) -> Figures:
    """Return how often an audit of a judge finds a bias, and how often the usual one does not trust the judge."""
    of = world(bias, size, noise)
    found = np.array([_TESTS[bias](draw, of, n) for _ in range(reps)])
    ours, usual = found.mean(axis=0)
    return {"ours": float(ours), "usual": float(usual), "reps": reps}


_HEADLINE, _MORE = (0.1, 100), 200
"""How noisy the judge of the lines is, and how many answers it is audited on; and how many the details add."""
_SIZE = 0.15
_POWER = 0.8


def cells(*, quick: bool) -> list[Cell]:
    """Return each test, with the bias and without; a quick one has a tenth of the draws."""
    reps = 200 if quick else 2000
    noise, n = _HEADLINE
    grid = [(noise, n), (noise, _MORE), (0.0, n), (0.3, n)]
    return [
        Cell("M7", audited, {"bias": bias, "size": size, "noise": each, "n": many, "reps": reps if size else 2 * reps})
        for bias in _TESTS
        for each, many in grid
        for size in (0.0, _SIZE)
    ]


def notes() -> str:
    """Return the judges."""
    planted = {bias: _planted(bias, _SIZE) for bias in _TESTS}
    sizes = "; ".join(f"{bias}, {field}" for bias, fields in planted.items() for field in map(_field, fields.items()))
    return (
        f"SimLM, see below; accuracy {_ACCURACY}, TPR {_TPR}, TNR {_TNR}; the judge draws a verdict anew with a chance "
        f"of {_HEADLINE[0]}; 15 points are, in its parameters: {sizes}. Lengths from 25 to 400 words; of "
        "self-preference half of the answers are the judge's own and people pass all"
    )


def _field(named: tuple[str, float | Drift]) -> str:
    name, value = named
    return f"slope = {value.slope:.3f}" if isinstance(value, Drift) else f"{name} = {value:.3f}"


_QUESTIONS = {
    "position": "position: the first of two wins 15 points more often",
    "invariance": "padding: 100 more words pass 15 points more often",
    "length": "length: the same by the slopes on the length beside people's scores and less them",
    "self_preference": "self-preference: good answers of its own family pass 15 points more often",
    "drift": "drift, watched: anchors pass 15 points more often than when they were stored",
    "drift, one look": "drift, looked at once: the same anchors, paired",
}
_USUALLY = {
    "position": f"agreement below {_TRUSTED} in one order",
    "invariance": f"agreement with people below {_TRUSTED}",
    "length": f"agreement with people below {_TRUSTED}",
    "self_preference": f"agreement with people below {_TRUSTED}",
    "drift": "test of the two pass rates",
    "drift, one look": "test of the two pass rates",
}


def lines(found: Found) -> list[Line]:
    """Return power and false alarms of each test on as many answers as an audit has."""
    return [_line(bias, found) for bias in _TESTS]


def _of(found: Found, bias: str, noise: float, n: int) -> dict[float, Figures]:
    """Return the figures without the bias and with it."""
    wanted = {"bias": bias, "noise": noise, "n": n}
    return {cell.given["size"]: figures for cell, figures in found if wanted.items() <= cell.given.items()}


def _line(bias: str, found: Found) -> Line:
    noise, n = _HEADLINE
    of, more = _of(found, bias, noise, n), _of(found, bias, noise, _MORE)
    without, planted = of[0.0], of[_SIZE]
    strong = planted["ours"] >= _POWER
    level = at_most(without["ours"], without["reps"], _LEVEL)
    why = "" if strong else f"{n} answers are too few: {_MORE} find it in {percent(more[_SIZE]['ours'])}"
    return Line(
        "M7",
        f"{_QUESTIONS[bias]}, {n} answers: found; said of a judge without it",
        "at least 80 %; at most 5 %",
        f"{percent(planted['ours'])}; {percent(without['ours'])}",
        f"{_USUALLY[bias]}: {percent(planted['usual'])}; {percent(without['usual'])}",
        strong and level,
        why if level else f"{why} more false alarms than said".strip(),
    )


def details(found: Found) -> str:
    """Return each cell."""
    rows = [
        "Found, and said of a judge without it; the judge draws a verdict anew with the chance under noise.",
        "",
        "| bias | noise | answers | found | falsely | usual: found | usual: falsely |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for bias in _TESTS:
        asked = dict.fromkeys((c.given["noise"], c.given["n"]) for c, _ in found if c.given["bias"] == bias)
        for noise, n in asked:
            of = _of(found, bias, noise, n)
            told = [percent(of[size][way]) for way in ("ours", "usual") for size in (_SIZE, 0.0)]
            rows.append(f"| {bias.replace('_', '-')} | {noise} | {n} | {' | '.join(told)} |")
    return "\n".join([*rows, "", "SimLM, without a bias:", "", f"```json\n{world('length', 0.0, 0.1).describe()}\n```"])
