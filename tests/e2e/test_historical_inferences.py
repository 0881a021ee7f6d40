"""Recorded inferences over HTTP, as TensorZero's own client reads them."""

import httpx2 as httpx
import pytest
from tensorzero import (
    InferenceFilterAnd,
    InferenceFilterBooleanMetric,
    InferenceFilterDemonstrationFeedback,
    InferenceFilterFloatMetric,
    InferenceFilterNot,
    InferenceFilterTag,
    InferenceFilterTime,
    ListInferencesRequest,
    TensorZeroGateway,
)
from tensorzero.generated_types import OrderByMetric, OrderByTimestamp
from tests.support.gateway import until

from calibrant import Client
from calibrant.client import inferences as client_inferences

INPUT = {"messages": [{"role": "user", "content": "Hello there"}]}


@pytest.fixture(scope="module")
def client(running):
    with TensorZeroGateway.build_http(gateway_url=running.url) as made:
        yield made


@pytest.fixture(scope="module")
def made(client, running):
    """Four inferences of two functions, judged."""
    ids = {}
    calls = {
        "role": "assistant",
        "content": [{"type": "tool_call", "id": "1", "name": "weather", "arguments": {"city": "Oslo"}}],
    }
    result = {"role": "user", "content": [{"type": "tool_result", "id": "1", "name": "weather", "result": "rain"}]}
    said = [*INPUT["messages"], calls, result]
    for name in ("first", "second"):
        answer = client.inference(
            function_name="chat", variant_name="a", input={"system": "Be kind.", "messages": said}, tags={"name": name}
        )
        ids[name] = str(answer.inference_id)
        ids[f"{name}'s episode"] = str(answer.episode_id)
    added = {"name": "clock", "description": "The time.", "parameters": {"type": "object"}}
    third = client.inference(
        function_name="chat", variant_name="b", input=INPUT, additional_tools=[added], tool_choice="required"
    )
    ids["third"] = str(third.inference_id)
    found = client.inference(function_name="extract", input=INPUT, params={"chat_completion": {"temperature": 0.5}})
    ids["json"] = str(found.inference_id)
    client.feedback(metric_name="good", inference_id=ids["first"], value=False)
    client.feedback(metric_name="good", inference_id=ids["first"], value=True)
    client.feedback(metric_name="good", inference_id=ids["second"], value=False)
    client.feedback(metric_name="stars", episode_id=ids["second's episode"], value=4.5)
    client.feedback(metric_name="demonstration", inference_id=ids["first"], value="Better")
    client.feedback(metric_name="demonstration", inference_id=ids["json"], value={"name": "B", "age": 2})
    running.settled()
    return ids


def listed(client, **asked):
    return [str(one.inference_id) for one in client.list_inferences(request=ListInferencesRequest(**asked)).inferences]


def test_an_inference_of_a_chat_function_is_shown_whole(client, made):
    (one,) = client.get_inferences(ids=[made["first"]]).inferences
    assert one.type == "chat"
    assert (str(one.inference_id), one.function_name, one.variant_name) == (made["first"], "chat", "a")
    assert str(one.episode_id) == made["first's episode"]
    assert one.tags["name"] == "first"
    assert one.input.system == "Be kind."
    hello, call, result = (message.content[0] for message in one.input.messages)
    assert (hello.type, hello.text) == ("text", "Hello there")
    assert (call.type, call.name, call.arguments) == ("tool_call", "weather", '{"city":"Oslo"}')
    assert (result.type, result.result) == ("tool_result", "rain")
    assert [block.text for block in one.output] == ["Hello there"]
    assert (one.allowed_tools, one.additional_tools, one.tool_choice) == (["weather"], None, "auto")
    assert one.dispreferred_outputs == []
    assert one.timestamp.startswith("20")
    assert one.processing_time_ms >= 0
    assert one.ttft_ms is None


def test_what_came_with_the_request_is_told_from_what_is_configured(client, made):
    (one,) = client.get_inferences(ids=[made["third"]], function_name="chat").inferences
    assert [tool.name for tool in one.additional_tools] == ["clock"]
    assert (one.allowed_tools, one.tool_choice) == (["weather"], "required")


def test_an_inference_of_a_json_function_has_its_schema(client, made):
    (one,) = client.get_inferences(ids=[made["json"]]).inferences
    assert one.type == "json"
    assert one.output.parsed == {"name": "Ada", "age": 36}
    assert one.output_schema["required"] == ["name", "age"]
    assert one.inference_params.chat_completion.temperature == 0.5


def test_ids_are_answered_in_their_order_and_unknown_ones_left_out(client, made):
    ids = [made["json"], made["first"], "019c8f00-0000-7000-8000-000000000000", made["json"]]
    found = client.get_inferences(ids=ids).inferences
    assert [str(one.inference_id) for one in found] == [made["json"], made["first"]]
    assert client.get_inferences(ids=[made["json"]], function_name="chat").inferences == []


def test_the_newest_come_first_and_pages_go_by_id(client, made):
    chats = [made["third"], made["second"], made["first"]]
    assert listed(client) == [made["json"], *chats]
    assert listed(client, function_name="chat") == chats
    assert listed(client, function_name="chat", limit=2) == chats[:2]
    assert listed(client, function_name="chat", limit=2, offset=1) == chats[1:]
    assert listed(client, function_name="chat", limit=1, before=made["third"]) == [made["second"]]
    assert listed(client, limit=2, after=made["first"]) == [made["third"], made["second"]]
    ascending = [OrderByTimestamp(direction="ascending")]
    assert listed(client, function_name="chat", order_by=ascending) == chats[::-1]
    assert listed(client, limit=2, after=made["first"], order_by=ascending) == [made["second"], made["third"]]
    assert listed(client, episode_id=made["first's episode"]) == [made["first"]]
    assert listed(client, variant_name="a") == [made["second"], made["first"]]


def test_filters_and_orders_by_feedback(client, made):
    good = InferenceFilterBooleanMetric(metric_name="good", value=True)
    stars = InferenceFilterFloatMetric(metric_name="stars", value=4.0, comparison_operator=">")
    assert listed(client, filters=good) == [made["first"]]
    assert listed(client, filters=InferenceFilterNot(child=good)) == [made["second"]]
    assert listed(client, filters=stars) == [made["second"]]
    assert listed(client, filters=InferenceFilterAnd(children=[good, stars])) == []
    tag = InferenceFilterTag(key="name", value="second", comparison_operator="=")
    assert listed(client, filters=tag) == [made["second"]]
    shown = InferenceFilterDemonstrationFeedback(has_demonstration=True)
    assert listed(client, filters=shown) == [made["json"], made["first"]]
    past = InferenceFilterTime(time="2020-01-01T00:00:00Z", comparison_operator="<")
    assert listed(client, filters=past) == []
    order = [OrderByMetric(name="good", direction="ascending")]
    assert listed(client, order_by=order)[:2] == [made["second"], made["first"]]


def test_demonstrations_take_the_place_of_outputs(client, made):
    request = ListInferencesRequest(output_source="demonstration")
    json, chat = client.list_inferences(request=request).inferences
    assert [block.text for block in chat.output] == ["Better"]
    assert [[block.text for block in output] for output in chat.dispreferred_outputs] == [["Hello there"]]
    assert json.output.parsed == {"name": "B", "age": 2}
    assert [output.parsed for output in json.dispreferred_outputs] == [{"name": "Ada", "age": 36}]
    assert client.get_inferences(ids=[made["second"]], output_source="demonstration").inferences == []
    (bare,) = client.get_inferences(ids=[made["second"]], output_source="none").inferences
    assert bare.output is None


def test_texts_are_found_once_they_are_indexed(client, made, running):
    def found(text):
        return listed(client, search_query_experimental=text)

    until(lambda: found("ADA") == [made["json"]], "the text to be indexed")
    assert found("ello the") == [made["json"], made["third"], made["second"], made["first"]]
    assert found("nowhere") == []


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"limit": -1}, "$.limit"),
        ({"unknown": 1}, "unknown"),
        ({"filters": {"type": "nothing"}}, "$.filters"),
        ({"filters": {"type": "time", "time": "yesterday", "comparison_operator": "<"}}, "$.filters.time"),
        (
            {"filters": {"type": "not", "child": {"type": "boolean_metric", "metric_name": "stars", "value": True}}},
            "$.filters.child.metric_name",
        ),
        ({"order_by": [{"by": "metric", "direction": "ascending", "name": "none"}]}, "$.order_by[0].name"),
        ({"order_by": [{"by": "search_relevance"}]}, "$.order_by[0].by"),
        ({"before": "x"}, "$.before"),
        ({"before": "019c8f00-0000-7000-8000-000000000000", "offset": 1}, "`offset`"),
    ],
)
def test_what_is_wrong_is_said_with_its_path(running, body, path):
    answer = httpx.post(f"{running.url}/v1/inferences/list_inferences", json=body)
    assert answer.status_code == 400
    assert path in answer.json()["error"]


def test_our_own_client_reads_them_too(running, made):
    with Client(running.url) as own:
        answer = own.list_inferences(
            request=client_inferences.ListInferencesRequest(
                filters=client_inferences.InferenceFilterBooleanMetric(metric_name="good", value=False),
                order_by=[client_inferences.OrderByMetric(name="good")],
            )
        )
        assert [one.inference_id for one in answer.inferences] == [made["second"]]
        shown = own.list_inferences(request={"output_source": "demonstration", "function_name": "extract"})
        (one,) = shown.inferences
        assert (one.output.parsed, one.dispreferred_outputs[0].parsed["name"]) == ({"name": "B", "age": 2}, "Ada")
        chat, json = own.get_inferences(ids=[made["first"], made["json"]]).inferences
        assert (chat.usage.input_tokens, chat.finish_reason, chat.status) == (11, "stop", None)
        assert json.output_schema["type"] == "object"
