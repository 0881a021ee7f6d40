"""Judges err and are biased as their parameters say, over many answers."""

import numpy as np
import pytest
from msgspec.structs import replace

from calibrant.demo.simlm.judging import Outputs, passing, preferring
from calibrant.demo.simlm.parameters import Drift, Injection, Judge, Model, Parameters, Rule
from calibrant.demo.simlm.world import World

MANY = np.arange(50_000)
LONG = "Please explain at length."


def world(judge: Judge, **fields) -> World:
    rules = {"long": Rule(phrase="at length", words=100)}
    models = {"own": Model(family="sim"), "other": Model()}
    return World(Parameters(seed=8, judges={"j": judge}, rules=rules, models=models, **fields))


def answers(truth: World, prompt: str = "", model: str = "own") -> Outputs:
    return truth.outputs(MANY, prompt, truth.outcomes(MANY, prompt, model=model), model=model)


def near(found, wanted, count):
    """Within four standard deviations of a share."""
    assert found == pytest.approx(wanted, abs=2 / np.sqrt(count))


def test_rates_are_as_set():
    truth = world(Judge(tpr=0.95, tnr=0.7))
    outputs, passed = answers(truth), truth.judge("j", answers(truth))
    right = outputs.correct(truth.parameters)
    assert (right == truth.outcomes(MANY, "")).all() and right.any() and not right.all()
    near(passed[right].mean(), 0.95, right.sum())
    near((~passed[~right]).mean(), 0.7, (~right).sum())


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_a_judge_may_be_perfect_or_always_wrong(rate):
    truth = world(Judge(tpr=rate, tnr=rate, length=2.0, own=1.0, family="sim"))
    outputs = answers(truth, LONG)
    assert (truth.judge("j", outputs) == (outputs.correct(truth.parameters) == bool(rate))).all()


def test_length():
    truth = world(Judge(tpr=0.6, tnr=0.6, length=1.0))
    outputs = answers(truth, LONG)
    near(outputs.words.mean() / 100, 1.0, outputs.words.size)
    assert outputs.words.min() == 50 and outputs.words.max() == 150
    wrong = ~outputs.correct(truth.parameters)
    odds = passing(truth.parameters, "j", outputs)
    assert np.log(odds / (1 - odds))[wrong] == pytest.approx(np.log(0.4 / 0.6) + outputs.words[wrong] / 100)
    near(truth.judge("j", outputs)[wrong].mean(), odds[wrong].mean(), wrong.sum())
    assert odds[wrong].mean() > 0.55
    assert not answers(truth).words.any()


def test_self_preference():
    truth = world(Judge(tpr=0.8, tnr=0.8, own=1.0, family="sim"))
    own, other = answers(truth), answers(truth, model="other")
    right = own.correct(truth.parameters)
    near(truth.judge("j", own)[right].mean(), 1 / (1 + np.exp(-np.log(4) - 1)), right.sum())
    right = other.correct(truth.parameters)
    near(truth.judge("j", other)[right].mean(), 0.8, right.sum())
    nobody = world(Judge(own=1.0))
    assert sorted(set(passing(nobody.parameters, "j", answers(nobody, model="other")).round(9))) == [0.1, 0.9]


def test_injected_text():
    truth = world(Judge(tpr=0.9, tnr=0.9, injection=0.75), injection=Injection(share=0.2))
    outputs, passed = answers(truth), truth.judge("j", answers(truth))
    near(outputs.injected.mean(), 0.2, MANY.size)
    wrong = ~outputs.correct(truth.parameters)
    near(passed[wrong & ~outputs.injected].mean(), 0.1, (wrong & ~outputs.injected).sum())
    near(passed[wrong & outputs.injected].mean(), 0.1 + 0.9 * 0.75, (wrong & outputs.injected).sum())


def test_the_same_verdict_again_but_for_retest_noise():
    truth, rng = world(Judge(tpr=0.8, tnr=0.8)), np.random.default_rng(1)
    outputs = answers(truth)
    assert (truth.judge("j", outputs) == truth.judge("j", outputs, rng)).all()
    noisy = world(Judge(tpr=0.8, tnr=0.8, retest=0.3))
    first, second = (noisy.judge("j", outputs, rng) for _ in range(2))
    near(np.mean(first != second), 2 * 0.8 * 0.2 * (1 - 0.7**2), MANY.size)
    right = outputs.correct(truth.parameters)
    near(first[right].mean(), 0.8, right.sum())
    assert (noisy.judge("j", outputs) == truth.judge("j", outputs)).all()


def test_leniency_drifts():
    truth = world(Judge(tpr=0.5, tnr=0.5, drift=Drift(slope=1.0)))
    outputs = answers(truth)
    near(truth.judge("j", outputs, at=2000).mean(), 1 / (1 + np.exp(-2)), MANY.size)
    near(truth.judge("j", outputs).mean(), 0.5, MANY.size)


@pytest.mark.parametrize("position", [0.0, 0.3, -0.3])
def test_position(position):
    truth = world(Judge(tpr=0.9, tnr=0.9, position=position))
    one, other = answers(truth), answers(truth, "another prompt")
    first, second = truth.prefers_first("j", one, other), truth.prefers_first("j", other, one)
    near(first.mean(), preferring(truth.parameters, "j", one, other).mean(), MANY.size)
    right, twin = one.correct(truth.parameters), other.correct(truth.parameters)
    near(first[right & ~twin].mean(), 0.7 * 0.9 + max(position, 0) if position else 0.9, (right & ~twin).sum())
    different = one.options != other.options
    if position == 0:
        # In either order the same one wins, where there are two.
        assert (first ^ second)[different].all()
    else:
        # Those that look at the place say the same of both orders.
        one_place = 1 - 0.7**2
        near(np.mean((first == second)[different]), 0.3 * 0.3 + one_place / 2 - 0.3**2 / 2, different.sum())
    near(first[~different].mean(), (1 - abs(position)) / 2 + max(position, 0), (~different).sum())


def test_judges_are_independent_of_each_other():
    truth = world(Judge(tpr=0.7, tnr=0.7))
    both = World(replace(truth.parameters, judges={"j": Judge(tpr=0.7, tnr=0.7), "k": Judge(tpr=0.7, tnr=0.7)}))
    outputs = answers(both)
    right = outputs.correct(both.parameters)
    near((both.judge("j", outputs) & both.judge("k", outputs))[right].mean(), 0.49, right.sum())
    with pytest.raises(KeyError):
        both.judge("none", outputs)
