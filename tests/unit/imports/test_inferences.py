"""Inferences and their calls."""

from decimal import Decimal

import msgspec
import pytest

from calibrant.imports.blocks import Unmappable
from calibrant.imports.inferences import to_call, to_inferred, unkept

ID, EPISODE, CALL, OTHER = (f"019f0000-0000-7000-8000-00000000000{n}" for n in range(1, 5))
ROW = {"id": ID, "function_name": "f", "variant_name": "v", "episode_id": EPISODE, "tags": {}}
MODEL = {"id": CALL, "inference_id": ID, "model_name": "m", "model_provider_name": "p"}


def test_a_row_that_has_lost_its_payload_is_still_one():
    inference = to_inferred(ROW, [], function_type="chat").inference
    assert (inference.input, inference.output, inference.inference_params, inference.tool_params) == (None,) * 4
    assert (inference.input_tokens, inference.cost, inference.finish_reason, inference.snapshot_hash) == (
        None,
        None,
        None,
        "",
    )


def test_reserved_tags_stay_and_say_what_they_say():
    tags = {
        "tensorzero::namespace": "n",
        "tensorzero::api_key_public_id": "k",
        "tensorzero::evaluation_run_id": "r",
        "tensorzero::datapoint_id": "d",
    }
    inference = to_inferred({**ROW, "tags": tags}, [], function_type="chat").inference
    assert (inference.tags, inference.namespace, inference.key_id) == (tags, "n", "k")


def test_several_calls_add_up_in_their_order():
    first = {**MODEL, "input_tokens": 1, "output_tokens": 2, "cost": "0.1", "finish_reason": "length"}
    second = {**MODEL, "id": OTHER, "input_tokens": 3, "output_tokens": 4, "cost": "0.25", "finish_reason": "stop"}
    made = to_inferred(ROW, [first, second], function_type="chat")
    assert [(call.id, call.attempt) for call in made.model_inferences] == [(CALL, 1), (OTHER, 2)]
    inference = made.inference
    assert (inference.input_tokens, inference.output_tokens, inference.cost) == (4, 6, "0.35")
    assert inference.finish_reason is None


def test_a_sum_with_an_unknown_is_unknown():
    known = {**MODEL, "input_tokens": 1, "output_tokens": 2, "cost": "0.1"}
    unknown = {**MODEL, "id": OTHER, "input_tokens": None, "output_tokens": 4, "cost": None}
    inference = to_inferred(ROW, [known, unknown], function_type="chat").inference
    assert (inference.input_tokens, inference.output_tokens, inference.cost) == (None, 6, None)


def test_a_call():
    call = to_call({**MODEL, "cached": True, "ttft_ms": 5, "cost": Decimal("1.500000000")}, "v", 2)
    assert (call.variant_name, call.attempt, call.cached, call.ttft_ms, call.cost) == ("v", 2, True, 5.0, "1.5")
    assert (call.usage_source, call.raw_request, call.provider_type, call.status) == ("none", None, "unknown", "ok")


def test_documents_are_kept_as_they_were_written():
    row = {**ROW, "output_schema": '{"a":  1.0}', "inference_params": '{"chat_completion": {"seed": 1}}'}
    inference = to_inferred(row, [], function_type="json").inference
    assert inference.output_schema == b'{"a":  1.0}'
    assert inference.inference_params == b'{"chat_completion": {"seed": 1}}'


def test_tools_of_the_row_are_those_of_the_inference():
    row = {**ROW, "tool_choice": '"none"', "dynamic_tools": '[{"name":"f","description":"","parameters":{}}]'}
    tools = msgspec.json.decode(to_inferred(row, [], function_type="chat").inference.tool_params)
    assert (tools["tools"][0]["name"], tools["choice"]) == ("f", "none")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"id": "x"}, "no UUID"),
        ({"id": "00000000-0000-4000-8000-000000000001"}, "version 4"),
        ({"episode_id": None}, "episode_id"),
        ({"function_name": None}, "function_name"),
        ({"tags": {"a": 1}}, "tags"),
        ({"tags": ["a"]}, "tags"),
        ({"output_schema": "{"}, "output_schema is no JSON"),
    ],
)
def test_what_cannot_be_an_inference_says_why(change, why):
    with pytest.raises(Unmappable, match=why):
        to_inferred({**ROW, **change}, [], function_type="chat")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"cost": "free"}, "amount"),
        ({"cost": "-1"}, "amount"),
        ({"cost": "NaN"}, "amount"),
        ({"finish_reason": "x"}, "x"),
    ],
)
def test_what_cannot_be_a_call_says_why(change, why):
    with pytest.raises(Unmappable, match=why):
        to_call({**MODEL, **change}, "v", 1)


def test_columns_without_a_place():
    assert unkept({"extra_body": "[]", "auxiliary_content": None}) == ()
    assert unkept({"extra_body": '[{"pointer": "/a"}]', "dynamic_provider_tools": "[1]"}) == (
        "extra_body",
        "dynamic_provider_tools",
    )
