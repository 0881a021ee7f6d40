"""Lists of functions and models: what a key may use, and that nothing goes past them."""

import pytest
from tests.support.engine import function, model, refusal, said, streamed, variant

from calibrant.base.errors import Forbidden, NotFound
from calibrant.base.ids import uuid7
from calibrant.engine.engine import Caller
from calibrant.types.extra import ExtraBody, ExtraHeader, ProviderTool
from calibrant.types.key import Grants

MODELS = model("m") + model("n")
TWO = MODELS + function(variant("a", "m"), variant("b", "n"))
ORDERED = (
    TWO + '[functions.f.experimentation]\ntype = "static"\ncandidate_variants = ["a"]\nfallback_variants = ["b"]\n'
)


def caller(models=None, functions=None):
    return Caller(key_id="k" * 12, grants=Grants(models, functions))


def refused(line, made, **fields):
    """The message of a 403, after which nobody has been called and nothing recorded."""
    with pytest.raises(Forbidden) as error:
        line.infer(made, **fields)
    assert line.sender.calls == [] and line.records == []
    assert line.counted("auth_refused") == {(error.value.reason,): 1}
    return error.value.message


def test_a_function_that_is_not_on_the_list(line):
    toml = MODELS + function(variant("a")) + function(variant("a"), name="g")
    assert line(toml).infer(caller(functions=("f",))).head.variant_name == "a"
    assert "may not use the function 'g'" in refused(line(toml), caller(functions=("f",)), function_name="g")
    # Whether a function exists is told only to who may use it.
    assert "may not use the function 'h'" in refused(line(toml), caller(functions=("f",)), function_name="h")
    with pytest.raises(NotFound):
        line(toml).infer(caller(functions=("h",)), function_name="h")


def test_a_model_that_is_not_on_the_list(line):
    assert line(MODELS).infer(caller(models=("m",)), model_name="m").head.variant_name == "m"
    assert "may not ask the model 'n' directly" in refused(line(MODELS), caller(models=("m",)), model_name="n")
    assert "'n'" in refused(line(MODELS), caller(models=()), model_name="n")


def test_shorthands_go_by_their_names(line):
    made = caller(models=("openai::gpt-4o*",))
    env = {"OPENAI_API_KEY": "x"}
    assert (
        line("", environ=env).infer(made, model_name="openai::gpt-4o-mini").head.variant_name == "openai::gpt-4o-mini"
    )
    for name in ("openai::gpt-5", "openai::responses::gpt-4o", "groq::gpt-4o"):
        refused(line("", environ=env), made, model_name=name)


def test_a_list_of_functions_alone_gives_no_model_away(line):
    assert "directly" in refused(line(MODELS), caller(functions=("f",)), model_name="m")
    assert line(TWO).infer(caller(functions=("f",)))


def test_a_function_whose_models_are_all_off_the_list(line):
    message = refused(line(TWO), caller(models=("x",)))
    assert message == "no variant of 'f' can serve: this API key may not use the models m, n"


def test_a_pinned_variant_whose_model_is_off_the_list(line):
    assert "may not use the models n" in refused(line(TWO), caller(models=("m",)), variant_name="b")
    assert line(TWO).infer(caller(models=("m",)), variant_name="a")


def test_a_variant_whose_model_is_off_the_list_is_passed_over_and_the_record_says_so(line):
    made = line(ORDERED)
    assert made.infer(caller(models=("n",))).head.variant_name == "b"
    assert made.sender.asked == ["p.n"]
    row = made.row
    assert (row.assigned_variant, row.probability, row.variant_name, row.status) == ("a", 1.0, "b", "ok")
    assert row.fallback_reason == "a: this API key may not use the model 'm'"
    assert made.counted("auth_refused") == {}


def test_a_stream_is_held_to_the_same_list(line):
    made = line(ORDERED, streamed("Hi."))
    stream, _ = made.stream(caller(models=("n",)))
    assert stream.head.variant_name == "b" and made.sender.asked == ["p.n"]
    with pytest.raises(Forbidden):
        line(ORDERED).stream(caller(models=("x",)))


def test_a_fallback_after_a_failure_is_no_way_past_the_list(line):
    """The permitted variant fails; the next one's model is not on the list."""
    made = line(ORDERED, refusal(400))
    with pytest.raises(Exception, match="may not use the model 'n'"):
        made.infer(caller(models=("m",)))
    assert set(made.sender.asked) == {"p.m"}
    assert made.row.status == "error"


def test_a_draw_among_many_serves_by_the_list_alone(line):
    made = line(TWO)
    for _ in range(20):
        assert made.infer(caller(models=("n",)), episode_id=uuid7()).head.variant_name == "b"
    assert set(made.sender.asked) == {"p.n"}
    assert {record.inference.assigned_variant for record in made.records} == {"a", "b"}


@pytest.mark.parametrize(
    "fields",
    [
        {"extra_body": (ExtraBody("/model", "gpt-9"),)},
        {"extra_headers": (ExtraHeader("x-model", "gpt-9"),)},
        {"provider_tools": (ProviderTool({"type": "image", "model": "gpt-9"}),)},
        {"dynamic_variant": {"type": "chat_completion", "model": "n"}},
    ],
)
def test_what_changes_the_providers_request_is_refused_to_a_key_with_a_list(line, fields):
    for made in (caller(models=("m",)), caller(functions=("f",))):
        (name,) = fields
        wire = "internal_dynamic_variant_config" if name == "dynamic_variant" else name
        assert refused(line(TWO), made, dryrun=True, **fields).startswith(f"{wire}: this API key has a list")
    assert line(TWO, said()).infer(Caller(key_id="k"), dryrun=True, **fields)


def test_whose_key_it_was_is_a_tag_that_nobody_else_can_set(line):
    made = line(TWO)
    forged = {"tensorzero::api_key_public_id": "forged", "user": "u"}
    made.infer(Caller(key_id="k" * 12), tags=forged, internal=True)
    assert made.row.tags["tensorzero::api_key_public_id"] == made.row.key_id == "k" * 12
    assert made.row.tags["user"] == "u"
    made.infer()
    assert made.row.tags == {} and made.row.key_id is None


COMPOSITE = {
    "best": (
        'type = "experimental_best_of_n_sampling", candidates = ["a", "b"]',
        'evaluator = { model = "judge" }',
    ),
    "mixture": ('type = "experimental_mixture_of_n", candidates = ["a", "b"]', 'fuser = { model = "judge" }'),
}


@pytest.mark.parametrize("kind", COMPOSITE)
@pytest.mark.parametrize(
    ("models", "served"),
    [(("m", "n", "judge"), "whole"), (("m", "n"), "a"), (("m", "judge"), "a"), (("n", "judge"), "b")],
)
def test_a_variant_of_several_models_serves_only_with_all_of_them(line, kind, models, served):
    candidates, last = COMPOSITE[kind]
    toml = (
        MODELS
        + model("judge")
        + function(variant("a", "m"), variant("b", "n"), f"variants.whole = {{ {candidates}, {last} }}\n")
    )
    toml += '[functions.f.experimentation]\ntype = "static"\n'
    toml += 'candidate_variants = ["whole"]\nfallback_variants = ["a", "b"]\n'
    made = line(toml, said('{"thinking": "", "answer_choice": 0}'))
    assert made.infer(caller(models=models)).head.variant_name == served
    assert set(made.sender.asked) <= {f"p.{name}" for name in models}
    assert made.row.assigned_variant == "whole"
    refused(line(toml), caller(models=models[:1]), variant_name="whole")
