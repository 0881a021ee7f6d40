"""Models that take over from a model whose providers have all failed."""

import time

import pytest
from tests.support.engine import Answer, event, function, model, refusal, said, streamed, variant

from calibrant.base.errors import (
    AllVariantsFailed,
    Disconnected,
    InferenceTimeout,
    InvalidRequest,
    MissingCredential,
    ProvidersExhausted,
)
from calibrant.engine.engine import Caller
from calibrant.types.extra import ExtraBody, Scope
from calibrant.types.key import Grants


def backed(name, *fallbacks, providers=("p",), extra=""):
    return model(name, *providers, extra=f"fallback_models = {list(fallbacks)}\n{extra}")


def test_the_providers_of_the_next_model_are_called_when_all_of_one_have_failed(line):
    toml = backed("m", "n", providers=("a", "b")) + model("n", "c") + function()
    it = line(toml, refusal(500), Disconnected("x"), said("Here."))
    assert it.infer(variant_name="v").content[0].text == "Here."
    assert it.sender.asked == ["a.m", "b.m", "c.n"]
    assert [(row.attempt, row.variant_name, row.model_name, row.provider_name, row.status) for row in it.attempts] == [
        (1, "v", "m", "a", "error"),
        (2, "v", "m", "b", "error"),
        (3, "v", "n", "c", "ok"),
    ]
    assert it.row.variant_name == "v" and it.row.fallback_reason is None
    # The model that served is the one that is counted.
    assert it.counted("input_tokens") == {("n",): 7}


def test_streams_too(line):
    it = line(backed("m", "n") + model("n") + function(), Answer(b": nothing\n\n"), streamed("Hi"))
    stream, _ = it.stream(variant_name="v")
    assert stream.answered.content[0].text == "Hi"
    assert it.sender.asked == ["p.m", "p.n"]


def test_nothing_takes_over_after_the_first_chunk(line):
    it = line(backed("m", "n") + model("n") + function(), Answer(event({"content": "He"}), Disconnected("cut")))
    stream, _ = it.stream(variant_name="v")
    assert isinstance(stream.error, Disconnected)
    assert it.sender.asked == ["p.m"]


def test_who_takes_over_has_fallbacks_of_its_own_and_nobody_is_asked_twice(line):
    toml = backed("m", "n", "o") + backed("n", "o", "q") + model("o") + model("q") + function()
    it = line(toml, refusal(400))
    with pytest.raises(ProvidersExhausted) as caught:
        it.infer(variant_name="v")
    assert it.sender.asked == ["p.m", "p.n", "p.o", "p.q"]
    for name in "mnoq":
        assert f"all providers of the model '{name}' failed" in caught.value.message
    assert caught.value.status == it.row.http_status == 500


def test_a_shorthand_may_take_over(line):
    toml = backed("m", "openai::gpt-x") + function()
    it = line(toml, refusal(500), said(), environ={"OPENAI_API_KEY": "k"})
    it.infer(variant_name="v")
    assert [row.model_name for row in it.attempts] == ["m", "openai::gpt-x"]


def test_retries_begin_with_the_first_model_again(line, pauses):
    toml = backed("m", "n") + model("n") + function(variant(extra="retries = { num_retries = 1, max_delay_s = 1 }"))
    it = line(toml, refusal(400), refusal(503), refusal(400), said())
    it.infer(variant_name="v")
    assert it.sender.asked == ["p.m", "p.n", "p.m", "p.n"]
    assert len(pauses) == 1


def test_a_retry_waits_for_whoever_asked_for_the_least(line, pauses):
    toml = backed("m", "n") + model("n") + function(variant(extra="retries = { num_retries = 1, max_delay_s = 9 }"))
    it = line(toml, *(refusal(429, headers=(("retry-after", wait),)) for wait in ("8", "3")), said())
    it.infer(variant_name="v")
    assert pauses == [3]


@pytest.mark.parametrize(
    ("pinned", "error", "status"), [(True, ProvidersExhausted, 500), (False, AllVariantsFailed, 502)]
)
def test_when_all_fail_the_status_is_that_of_one_model(line, pinned, error, status):
    it = line(backed("m", "n") + model("n") + function(), refusal(500))
    with pytest.raises(error):
        it.infer(**({"variant_name": "v"} if pinned else {}))
    assert it.row.http_status == status


def late(call):
    time.sleep(0.003)
    return InferenceTimeout("the deadline passed")


def test_a_model_whose_time_is_over_makes_room_for_the_next(line):
    timed = "timeouts = { non_streaming = { total_ms = 1 } }"
    it = line(backed("m", "n", providers=("a", "b"), extra=timed) + model("n") + function(), late, said())
    it.infer(variant_name="v")
    assert it.sender.asked == ["a.m", "p.n"]


def test_a_variant_s_time_is_over_for_all_models(line):
    timed = "timeouts = { non_streaming = { total_ms = 1 } }"
    it = line(backed("m", "n") + model("n") + function(variant(extra=timed)), late)
    with pytest.raises(InferenceTimeout, match="the variant 'v' ran out of time"):
        it.infer(variant_name="v")
    assert it.sender.asked == ["p.m"]


def test_a_credential_that_was_not_sent_for_one_model_leaves_the_other(line):
    first = backed("m", "n").replace('"none"', '"dynamic::mine"')
    it = line(first + model("n") + function(), said())
    it.infer(variant_name="v")
    assert it.sender.asked == ["p.n"]
    it = line(first + model("n", key="dynamic::yours") + function())
    with pytest.raises(MissingCredential):
        it.infer(variant_name="v")
    assert it.sender.calls == []


def test_what_is_meant_for_one_model_does_not_reach_the_other(line):
    it = line(backed("m", "n") + model("n") + function(), refusal(500), said())
    it.infer(variant_name="v", extra_body=(ExtraBody("/only_m", 1, scope=Scope(model_name="m")),))
    assert ["only_m" in body for body in it.sender.bodies] == [True, False]


def test_a_namespace_holds_for_who_takes_over(line):
    toml = backed("m", "n", extra='namespace = "x"') + model("n", extra='namespace = "x"') + function()
    it = line(toml, refusal(500), said())
    with pytest.raises(InvalidRequest, match="namespace"):
        it.infer()
    it.infer(namespace="x")
    assert it.sender.asked == ["p.m", "p.n"]


def test_a_model_that_is_called_by_its_name_has_its_fallbacks_too(line):
    it = line(backed("m", "n") + model("n"), refusal(500), said())
    it.infer(model_name="m")
    assert it.sender.asked == ["p.m", "p.n"]


def test_a_model_that_a_key_may_not_use_is_passed_over(line):
    toml = backed("m", "n", "o") + model("n") + model("o") + function()
    allowed = Caller(grants=Grants(models=("m", "o")))
    it = line(toml, refusal(500), said())
    it.infer(allowed, variant_name="v")
    assert it.sender.asked == ["p.m", "p.o"]
    assert [(row.model_name, row.error_code) for row in it.attempts] == [
        ("m", "provider_refused"),
        ("n", "forbidden"),
        ("o", None),
    ]
    it = line(toml, refusal(500))
    with pytest.raises(ProvidersExhausted, match="may not use the model 'n'"):
        it.infer(allowed, variant_name="v")
