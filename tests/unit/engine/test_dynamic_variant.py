"""A variant that comes with the request: where it is allowed, what it may hold, how its mistakes are told."""

import pytest
from tests.support.engine import content, function, model, refusal, said, variant

from calibrant.base.errors import InvalidRequest, ProvidersExhausted

TOML = model() + model("n") + function(variant(), variant("w", "n"))


def test_it_serves_in_the_place_of_the_functions_own(line):
    it = line(TOML, said("N."))
    text = {"__tensorzero_remapped_path": "anywhere", "__data": "Be calm."}
    table = {"type": "chat_completion", "model": "n", "weight": 0.5, "temperature": 0.25, "system_template": text}
    answered = it.infer(dynamic_variant=table, dryrun=True)
    assert answered.head.variant_name == "tensorzero::dynamic_variant"
    assert content(answered) == [{"type": "text", "text": "N."}]
    (body,) = it.sender.bodies
    assert body["temperature"] == 0.25 and it.sender.asked == ["p.n"]
    assert it.records == []


def test_templates_are_text_in_the_place_of_a_path(line):
    from calibrant.types.message import Input

    it = line(TOML)
    table = {"type": "chat_completion", "model": "m", "templates": {"system": {"path": "You are {{ system_text }}."}}}
    it.infer(dynamic_variant=table, dryrun=True, input=Input((), "calm"))
    assert it.sender.bodies[0]["messages"][0] == {"role": "system", "content": "You are calm."}


def test_it_may_compose_the_functions_variants(line):
    table = {
        "type": "experimental_mixture_of_n",
        "candidates": ["v", "w"],
        "fuser": {"model": "openai::gpt-x"},
    }
    it = line(TOML, said("A."), environ={"OPENAI_API_KEY": "k"})
    assert content(it.infer(dynamic_variant=table, dryrun=True)) == [{"type": "text", "text": "A."}]
    assert sorted(it.sender.asked) == ["api.openai.com", "p.m", "p.n"]


def test_its_failure_is_not_wrapped(line):
    with pytest.raises(ProvidersExhausted):
        line(TOML, refusal(500)).infer(dynamic_variant={"type": "chat_completion", "model": "n"}, dryrun=True)


@pytest.mark.parametrize(
    ("table", "fields", "said"),
    [
        ({}, {}, "send `dryrun`"),
        ({}, {"variant_name": "v", "dryrun": True}, "without a variant's name"),
        ({"type": "chat_completion"}, {"dryrun": True}, "internal_dynamic_variant_config.model: is missing"),
        ({"type": "chat_completion", "model": "x"}, {"dryrun": True}, "the model 'x', which is not configured"),
        ({"type": "chat_completion", "model": "m", "modle": 1}, {"dryrun": True}, "did you mean 'model'"),
        ({"type": "nothing", "model": "m"}, {"dryrun": True}, "internal_dynamic_variant_config.type"),
        ({"type": "chat_completion", "model": "m", "json_mode": "on"}, {"dryrun": True}, "chat function"),
        (
            {"type": "chat_completion", "model": "m", "system_template": "{% if"},
            {"dryrun": True},
            "template 'system' does not compile",
        ),
    ],
)
def test_mistakes_are_the_callers(line, table, fields, said):
    it = line(TOML)
    with pytest.raises(InvalidRequest) as caught:
        it.infer(dynamic_variant=table, **fields)
    assert said in caught.value.message and it.sender.calls == []


def test_a_run_of_one_variant_compiles_it_once(line):
    compiler = line(TOML).engine.compiler
    table = {"type": "chat_completion", "model": "m", "templates": {"system": {"path": "Be calm."}}}
    first = compiler.dynamic("f", table)
    assert compiler.dynamic("f", {**table}) is first
    other = compiler.dynamic("f", {**table, "model": "n"})
    assert (first.variant.model, other.variant.model) == ("m", "n")
    with pytest.raises(InvalidRequest):
        compiler.dynamic("f", {"type": "nothing"})
    assert compiler.dynamic("f", {**table, "model": "n"}) is other


def test_a_model_takes_none(line):
    with pytest.raises(InvalidRequest, match="send it with a function"):
        line(TOML).infer(model_name="m", dynamic_variant={}, dryrun=True)
