"""What is asked over the protocol is answered as the world says it."""

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from calibrant.base.errors import InvalidRequest, NotFound
from calibrant.demo.completion import Message, Request, ResponseFormat
from calibrant.demo.simlm.answering import fingerprint_at, model_names, said
from calibrant.demo.simlm.parameters import Change, Injection, Judge, Model, Parameters, Rule
from calibrant.demo.simlm.world import World

STEPS = "Think step by step."
WORLD = World(
    Parameters(
        rules={"steps": Rule(phrase="step by step", weight=0.7, words=20)},
        models={"m": Model(), "styled": Model(family="sim", words=5)},
        judges={"fair": Judge(tpr=0.8, tnr=0.8), "biased": Judge(length=2.0, own=1.0, family="sim", injection=0.5)},
        injection=Injection(share=0.3),
    )
)
ITEMS = range(300)


def ask(model: str, system: str, user: str, *, seed: int = 0, at: float = 0, world=WORLD, **fields) -> str:
    messages = [Message("system", system), Message("user", user)]
    request = Request(model, messages, temperature=fields.pop("temperature", 0), **fields)
    return said(world, request, at, np.random.default_rng(seed))


@pytest.mark.parametrize("prompt", ["", STEPS])
@pytest.mark.parametrize("model", ["m", "styled"])
def test_a_model_is_right_where_the_world_says_so(prompt, model):
    found = [ask(model, prompt, WORLD.text(item)).split()[-1] == WORLD.answer(item) for item in ITEMS]
    assert found == list(WORLD.outcomes(list(ITEMS), prompt, model=model))


def test_the_prompt_is_all_that_is_not_the_item():
    around = f"Do this: {WORLD.text(4)} Think step by step."
    assert "Answer: " in ask("m", "", around) and "Answer: " not in ask("m", "", WORLD.text(4))
    wanted = bool(WORLD.outcomes(4, "Be brief.\nDo this:  Think step by step."))
    assert (ask("m", "Be brief.", around).split()[-1] == WORLD.answer(4)) == wanted


def test_json_when_json_is_wanted():
    text = ask("m", STEPS, WORLD.text(4), response_format=ResponseFormat("json_object"))
    found = msgspec.json.decode(text)
    assert set(found) == {"answer", "reason"} and found["answer"] in WORLD.parameters.options


@pytest.mark.parametrize("temperature", [0.3, 1.0, None])
def test_above_temperature_0_draws_are_fresh(temperature):
    found = {ask("m", "", WORLD.text(4), seed=seed, temperature=temperature) for seed in range(40)}
    assert len(found) == 2
    assert len({ask("m", "", WORLD.text(4), seed=seed) for seed in range(40)}) == 1


@pytest.mark.parametrize("judge", ["fair", "biased"])
@pytest.mark.parametrize("model", ["m", "styled"])
def test_a_judge_passes_what_the_world_says(judge, model):
    items = list(ITEMS)
    outputs = WORLD.outputs(items, STEPS, WORLD.outcomes(items, STEPS, model=model), model=model)
    found = []
    for item in items:
        output = ask(model, STEPS, WORLD.text(item))
        found.append(ask(f"judge-{judge}", "Grade it.", f"{WORLD.text(item)}\n<output>{output}</output>") == "pass")
    assert found == list(WORLD.judge(judge, outputs))
    assert 0 < sum(found) < len(found)


def test_a_judge_compares_two():
    items = list(ITEMS)
    sides = [WORLD.outputs(items, prompt, WORLD.outcomes(items, prompt)) for prompt in ("", STEPS)]
    found = []
    for item in items:
        outputs = [f"<output>\n{ask('m', prompt, WORLD.text(item))}\n</output>" for prompt in ("", STEPS)]
        found.append(ask("judge-fair", "Which?", WORLD.text(item) + "".join(outputs)) == "first")
    assert found == list(WORLD.prefers_first("fair", *sides))


def test_a_judge_answers_in_json():
    wanted = ResponseFormat("json_schema")
    told = f"{WORLD.text(1)}<output>{WORLD.answer(1)}</output>"
    assert msgspec.json.decode(ask("judge-fair", "", told, response_format=wanted)) in (
        {"score": True},
        {"score": False},
    )
    both = f"{told}<output>none of them</output>"
    assert msgspec.json.decode(ask("judge-fair", "", both, response_format=wanted))["winner"] in ("first", "second")


def test_text_in_an_answer_speaks_to_a_judge_too():
    plain = next(item for item in ITEMS if WORLD.parameters.injection.text not in WORLD.text(item))

    def passes(output: str) -> int:
        told = f"{WORLD.text(plain)}<output>{output}</output>"
        world = World(replace(WORLD.parameters, judges={"j": Judge(tpr=1, tnr=1, injection=1.0)}))
        return ask("judge-j", "", told, world=world) == "pass"

    assert not passes("none") and passes(f"{WORLD.parameters.injection.text} none")


@pytest.mark.parametrize(
    ("model", "text", "error", "says"),
    [
        ("m", "no key", InvalidRequest, "no item: a message must have the text of one"),
        ("n", WORLD.text(1), NotFound, "no model 'n': the models here are m, styled, judge-fair, judge-biased"),
        ("judge-fair", WORLD.text(1), InvalidRequest, "here are 0"),
        ("judge-fair", WORLD.text(1) + "<output>x</output>" * 3, InvalidRequest, "here are 3"),
        ("judge-fair", f"<output>{WORLD.text(1)}</output>", InvalidRequest, "no item"),
    ],
)
def test_what_cannot_be_answered(model, text, error, says):
    with pytest.raises(error, match=says):
        ask(model, "", text)
    assert model_names(WORLD) == ("m", "styled", "judge-fair", "judge-biased")


def test_a_change_shows_or_does_not():
    changes = tuple(
        Change(at=10 * n, shown=shown) for n, shown in enumerate(("nothing", "fingerprint", "model", "both"), 1)
    )
    world = World(Parameters(changes=changes))
    assert [fingerprint_at(world, "simlm", at) for at in (0, 10, 20, 30, 40)] == [
        ("simlm", "simlm-0"),
        ("simlm", "simlm-0"),
        ("simlm", "simlm-1"),
        ("simlm-2", "simlm-1"),
        ("simlm-3", "simlm-2"),
    ]
