"""Scripts as values: latency, model names that ask for faults."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from calibrant.testing.faults import Fault, Latency, Script, json_answer, parse_model


def test_constant_latency_ignores_the_draw():
    assert Latency(0.25).seconds(1.7) == 0.25


def test_lognormal_latency_has_its_median_in_the_middle():
    latency = Latency(0.2, sigma=0.5)
    assert latency.seconds(0.0) == pytest.approx(0.2)
    assert latency.seconds(1.0) == pytest.approx(0.2 * 2.718281828**0.5)


@pytest.mark.parametrize("fault", get_args(Fault))
def test_every_fault_can_be_asked_for_by_model_name(fault):
    assert parse_model(f"fault:{fault}") == Script(fault=fault)


def test_settings_follow_the_name():
    assert parse_model("fault:429,retry_after=2.5") == Script(status=429, retry_after=2.5)
    assert parse_model("vendor/fault:reset_mid_body,after_chunks=0") == Script(fault="reset_mid_body", after_chunks=0)


def test_other_names_ask_for_nothing():
    assert parse_model("gpt-4o-mini") is None


@pytest.mark.parametrize("model", ["fault:no_such", "fault:", "fault:stall,speed=3", "fault:429,retry_after=soon"])
def test_what_nobody_knows_is_an_error(model):
    with pytest.raises(ValueError, match="model"):
        parse_model(model)


def test_a_script_survives_json():
    script = Script(answer=json_answer({"a": [1, "é"]}), fault="truncated", gzip=True)
    assert msgspec.json.decode(msgspec.json.encode(script), type=Script) == script


def test_a_misspelt_script_is_refused():
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"faults": "stall"}', type=Script)
