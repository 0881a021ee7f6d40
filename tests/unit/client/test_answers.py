"""How answers are read: as types, whatever a newer gateway adds."""

from datetime import UTC, datetime
from decimal import Decimal

import httpx2
import msgspec
import pytest

from calibrant.client import (
    BadReply,
    CancelledBatch,
    ChatChunk,
    ChatInferenceResponse,
    CompletedBatch,
    DatapointChat,
    DatapointJson,
    FailedBatch,
    File,
    InputToolCall,
    JsonChunk,
    JsonInferenceOutput,
    JsonInferenceResponse,
    PendingBatch,
    StoredInferenceChat,
    StoredInferenceJson,
    StreamFailed,
    Template,
    Text,
    TextDelta,
    Thought,
    ToolCall,
    ToolCallDelta,
    Unknown,
    UnknownDelta,
)
from calibrant.client.inference import read_chunk, read_inference

HEAD = {"inference_id": "i", "episode_id": "e", "variant_name": "v"}
USAGE = {"input_tokens": 3, "output_tokens": None, "cost": None}
MOMENT = "2026-11-28T12:00:00.120Z"


def told(value) -> bytes:
    return msgspec.json.encode(value)


def test_a_chat_answer():
    body = (
        b'{"inference_id":"i","episode_id":"e","variant_name":"v","content":[{"type":"text","text":"Hi"},'
        b'{"type":"tool_call","id":"1","raw_name":"t","raw_arguments":"{","name":null,"arguments":null},'
        b'{"type":"thought","summary":[{"type":"summary_text","text":"s"}]},{"type":"unknown","data":{"a":1}}],'
        b'"usage":{"input_tokens":3,"output_tokens":2,"cost":0.10000000000000000001,"new":1},"finish_reason":"new_one",'
        b'"raw_usage":[{"model_inference_id":"m","provider_type":"openai","api_type":"responses","data":{"x":1}}],'
        b'"later":{"deep":[1]}}'
    )
    answer = read_inference(body)
    assert isinstance(answer, ChatInferenceResponse)
    assert answer.content == (
        Text("Hi"),
        ToolCall("1", "t", "{"),
        Thought(summary=({"type": "summary_text", "text": "s"},)),
        Unknown({"a": 1}),
    )
    assert answer.usage.cost == Decimal("0.10000000000000000001")
    assert answer.finish_reason == "new_one"
    assert answer.raw_usage[0].data == {"x": 1}
    with pytest.raises(AttributeError):
        answer.variant_name = "w"


def test_a_json_answer():
    answer = read_inference(told({**HEAD, "output": {"raw": "x", "parsed": None}, "usage": USAGE}))
    assert isinstance(answer, JsonInferenceResponse)
    assert answer.output == JsonInferenceOutput("x", None)
    assert answer.usage.output_tokens is None


def test_a_block_of_a_type_that_we_do_not_know_is_unknown_and_the_others_are_read():
    hologram = {"type": "hologram", "beam": [1, {"type": "text"}]}
    answer = read_inference(told({**HEAD, "content": [{"type": "text", "text": "Hi"}, hologram], "usage": USAGE}))
    assert answer.content == (Text("Hi"), Unknown(hologram))
    chunk = read_chunk(told({**HEAD, "content": [{**hologram, "id": "7"}, {"type": "text", "id": "0", "text": "H"}]}))
    assert chunk.content == (UnknownDelta("7", {**hologram, "id": "7"}), TextDelta("0", "H"))


def test_chunks():
    chat = read_chunk(
        told(
            {
                **HEAD,
                "content": [
                    {"type": "text", "id": "0", "text": "H"},
                    {"type": "tool_call", "id": "1", "raw_arguments": "{"},
                ],
                "raw_chunk": "c",
            }
        )
    )
    assert chat == ChatChunk(
        inference_id="i",
        episode_id="e",
        variant_name="v",
        content=(TextDelta("0", "H"), ToolCallDelta("1", "{")),
        raw_chunk="c",
    )
    last = read_chunk(
        told({**HEAD, "content": [], "usage": USAGE, "aggregated_response": [{"type": "text", "text": "x"}]})
    )
    assert last.usage.input_tokens == 3
    assert last.aggregated_response == (Text("x"),)
    json = read_chunk(told({**HEAD, "raw": "{}", "aggregated_response": {"raw": "{}", "parsed": {}}}))
    assert isinstance(json, JsonChunk)
    assert json.aggregated_response == JsonInferenceOutput("{}", {})


@pytest.mark.parametrize("error", ["The provider left", {"message": "The provider left"}])
def test_an_event_that_is_an_error(error):
    with pytest.raises(StreamFailed, match="The provider left") as failed:
        read_chunk(told({"error": error}))
    assert "provider left" in failed.value.text
    assert failed.value.code == "stream_failed"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"null",
        b"[]",
        b"{}",
        b'{"content":[]}',
        b'{"content":[{"type":3}],"usage":{}}',
        b'{"output":"x"}',
        b"\xff\xfe",
        b"[" * 100_000,
        told({**HEAD, "content": "text", "usage": USAGE}),
        told({**HEAD, "content": [{"type": "text"}], "usage": USAGE}),
    ],
    ids=lambda body: str(body[:12]),
)
@pytest.mark.parametrize("read", [read_inference, read_chunk])
def test_what_is_no_answer_says_so(read, body):
    with pytest.raises(BadReply):
        read(body)


STORED = {
    "function_name": "f",
    **HEAD,
    "timestamp": MOMENT,
    "input": {
        "system": {"tone": "dry"},
        "messages": [
            {"role": "user", "content": [{"type": "template", "name": "user", "arguments": {"x": 1}}]},
            {"role": "assistant", "content": [{"type": "tool_call", "id": "1", "name": "t", "arguments": "{}"}]},
            {
                "role": "user",
                "content": [
                    {
                        "type": "file",
                        "file_type": "object_storage_pointer",
                        "mime_type": "image/png",
                        "storage_path": {"kind": {"type": "filesystem", "path": "/x"}, "path": "files/h.png"},
                    },
                    {"type": "smell", "of": "roses"},
                ],
            },
        ],
    },
    "tags": {"a": "b"},
    "inference_params": {"chat_completion": {"seed": 1}},
    "processing_time_ms": 12,
    "ttft_ms": None,
}


def test_stored_inferences(connect):
    chat = {
        "type": "chat",
        **STORED,
        "output": [{"type": "text", "text": "Hi"}, {"type": "smell"}],
        "dispreferred_outputs": [[{"type": "text", "text": "Ho"}, {"type": "smell"}]],
        "tool_choice": {"specific": "t"},
        "additional_tools": [{"name": "t"}],
    }
    json = {
        "type": "json",
        **STORED,
        "input": None,
        "output": None,
        "dispreferred_outputs": [{"raw": "{}", "parsed": {}}],
        "output_schema": {"type": "object"},
    }
    client = connect(lambda request: httpx2.Response(200, json={"inferences": [chat, json], "next": "x"}))
    first, second = client.call("list_inferences", request={}).inferences
    assert isinstance(first, StoredInferenceChat)
    assert first.timestamp == datetime(2026, 11, 28, 12, 0, 0, 120_000, tzinfo=UTC)
    assert first.output == (Text("Hi"), Unknown({"type": "smell"}))
    assert first.dispreferred_outputs == ((Text("Ho"), Unknown({"type": "smell"})),)
    assert first.tool_choice == {"specific": "t"}
    asked, called, shown = first.input.messages
    assert asked.content == (Template("user", {"x": 1}),)
    assert called.content == (InputToolCall(id="1", name="t", arguments="{}"),)
    file, smell = shown.content
    assert isinstance(file, File)
    assert file.storage_path.path == "files/h.png"
    assert smell == Unknown({"type": "smell", "of": "roses"})
    assert isinstance(second, StoredInferenceJson)
    assert second.input is None
    assert second.dispreferred_outputs == (JsonInferenceOutput("{}", {}),)


def test_what_is_stored_is_an_input_again(connect):
    bodies = []

    def gateway(request):
        if request.url.path == "/inference":
            bodies.append(msgspec.json.decode(request.content)["input"])
            return httpx2.Response(200, json={**HEAD, "content": [], "usage": USAGE})
        return httpx2.Response(200, json={"inferences": [{"type": "chat", **STORED}]})

    client = connect(gateway)
    (stored,) = client.call("get_inferences", ids=["i"]).inferences
    client.call("inference", function_name="f", input=stored.input)
    (sent,) = bodies
    known = STORED["input"]["messages"]
    assert sent["system"] == {"tone": "dry"}
    assert sent["messages"][:2] == known[:2]
    assert sent["messages"][2]["content"][0] == known[2]["content"][0]


def test_datapoints(connect):
    point = {
        "dataset_name": "d",
        "function_name": "f",
        "id": "p",
        "input": {"messages": [{"role": "user", "content": "Hi"}]},
        "updated_at": MOMENT,
        "is_deleted": False,
        "is_custom": True,
        "staled_at": None,
        "tags": {"a": "b"},
        "version": 7,
    }
    chat = {"type": "chat", **point, "output": [{"type": "text", "text": "Hi"}], "provider_tools": []}
    json = {"type": "json", **point, "output": {"raw": "{}", "parsed": {}}, "output_schema": {}, "staled_at": MOMENT}
    client = connect(lambda request: httpx2.Response(200, json={"datapoints": [chat, json]}))
    first, second = client.call("list_datapoints", dataset_name="d", request={}).datapoints
    assert isinstance(first, DatapointChat)
    assert (first.output, first.staled_at, first.is_custom) == ((Text("Hi"),), None, True)
    assert first.input.messages[0].content == "Hi"
    assert isinstance(second, DatapointJson)
    assert second.staled_at == datetime(2026, 11, 28, 12, 0, 0, 120_000, tzinfo=UTC)


def test_batches(connect):
    answer = {**HEAD, "content": [], "usage": USAGE}
    failure = {"inference_id": "j", "code": "timeout", "error": "It took too long"}
    states = iter(
        (
            {"status": "pending"},
            {"status": "failed"},
            {"status": "failed", "error": "No", "failures": [failure]},
            {"status": "completed", "batch_id": "b", "inferences": [answer], "failures": [failure]},
            {"status": "cancelled", "batch_id": "b", "inferences": []},
            {"status": "asleep"},
        )
    )
    client = connect(lambda request: httpx2.Response(200, json=next(states)))

    def ask():
        return client.call("get_batch_inference", batch_id="b")

    assert ask() == PendingBatch()
    assert ask() == FailedBatch()
    failed = ask()
    assert (failed.error, failed.failures[0].code) == ("No", "timeout")
    completed = ask()
    assert isinstance(completed, CompletedBatch)
    assert completed.inferences[0].inference_id == "i"
    assert completed.failures[0].error == "It took too long"
    assert ask() == CancelledBatch("b", ())
    with pytest.raises(BadReply, match="asleep"):
        ask()


def test_embeddings(connect):
    body = {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [1, 0.5]}, {"index": 1, "embedding": "AACAPw=="}],
        "model": "m",
        "usage": {"prompt_tokens": 2, "total_tokens": 2, "tensorzero_cost": 0.5},
    }
    answer = connect(lambda request: httpx2.Response(200, json=body)).call("embeddings", model_name="m", input="x")
    assert [each.embedding for each in answer.data] == [(1.0, 0.5), "AACAPw=="]
    assert answer.usage.cost == Decimal("0.5")
    assert answer.raw_response is None
