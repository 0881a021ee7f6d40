"""AWS's own SDK as the judge: it reads what our fixtures say as we do, and sends what we send, signature and all."""

from __future__ import annotations

import datetime
from base64 import b64decode
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from unittest.mock import patch

import boto3
import msgspec
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError
from msgspec.structs import replace
from tests.contract.providers.cases import Answer, BrokenStream, Embedded, Failure, Golden, provider
from tests.contract.providers.dialects import bedrock, bedrock_answers, sagemaker
from tests.support.canned import Canned, Reply, Seen, canned

from calibrant.config.secret import AwsKeys, Secret
from calibrant.providers.catalog import adapter, embedder
from calibrant.types import reply as ours
from calibrant.types.call import HttpCall
from calibrant.types.content import Text, Thought, ToolCall, Unknown

KEYS = AwsKeys(Secret("AKIDEXAMPLE"), Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), Secret("token+/="))
NOW = datetime.datetime(2026, 11, 28, 12, 30, tzinfo=datetime.UTC)
EVENT_STREAM = "application/vnd.amazon.eventstream"


def client(service: str, server: Canned) -> Any:
    return boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url=server.base,
        aws_access_key_id=KEYS.access_key_id.reveal(),
        aws_secret_access_key=KEYS.secret_access_key.reveal(),
        aws_session_token=KEYS.session_token.reveal() if KEYS.session_token else None,
        config=Config(retries={"total_max_attempts": 1}, proxies={}),
    )


@pytest.fixture(scope="module")
def server() -> Iterator[Canned]:
    with canned(lambda _: Reply(b"{}")) as running:
        yield running


@pytest.fixture(scope="module")
def runtime(server: Canned) -> Iterator[Any]:
    made = client("bedrock-runtime", server)
    yield made
    made.close()


@pytest.fixture(scope="module")
def endpoints(server: Canned) -> Iterator[Any]:
    made = client("sagemaker-runtime", server)
    yield made
    made.close()


# --- what is read ---


def _plain(value: Any) -> Any:
    """Return JSON values with bytes as the base64 that stood on the wire."""
    return msgspec.to_builtins(value)


def _blocks(content: list[dict[str, Any]]) -> list[Any]:
    """Return a message of the SDK's in our words."""
    found: list[Any] = []
    for block in content:
        ((kind, value),) = ((k, v) for k, v in block.items() if k != "SDK_UNKNOWN_MEMBER")
        if kind == "text":
            found.append(("text", value))
        elif kind == "toolUse" and value.get("type") is None:
            found.append(("call", value["toolUseId"], value["name"], value["input"]))
        elif kind == "reasoningContent" and "redactedContent" in value:
            found.append(("thought", None, _plain(value["redactedContent"])))
        elif kind == "reasoningContent":
            text = value["reasoningText"]
            found.append(("thought", text.get("text", ""), text.get("signature")))
        elif kind == "citationsContent":
            found.append(("text", "".join(part["text"] for part in value["content"])))
        else:
            found.append(("unknown", _plain(block)))
    return found


def _assembled(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put the SDK's events together, as somebody who uses it would."""
    blocks: dict[int, dict[str, Any]] = {}
    for event in events:
        if "contentBlockStart" in event:
            started = event["contentBlockStart"]
            blocks[started["contentBlockIndex"]] = {k: dict(v) for k, v in started["start"].items()}
        elif "contentBlockDelta" in event:
            piece = event["contentBlockDelta"]
            _join(blocks.setdefault(piece["contentBlockIndex"], {}), piece["delta"])
    for block in blocks.values():
        if "toolUse" in block:
            block["toolUse"]["input"] = msgspec.json.decode(block["toolUse"].get("input") or "{}")
    return [block for block in blocks.values() if block]


def _join(block: dict[str, Any], delta: dict[str, Any]) -> None:
    for kind, value in delta.items():
        if kind == "text":
            block["text"] = block.get("text", "") + value
        elif kind == "reasoningContent" and "redactedContent" in value:
            before = block.get(kind, {}).get("redactedContent", b"")
            block[kind] = {"redactedContent": before + value["redactedContent"]}
        elif kind == "reasoningContent":
            text = block.setdefault(kind, {"reasoningText": {}})["reasoningText"]
            for name, part in value.items():
                text[name] = text.get(name, "") + part
        elif kind == "toolResult":
            block[kind].setdefault("content", []).extend(value)
        elif kind != "citation":
            for name, part in value.items():
                before = block[kind].get(name)
                block[kind][name] = before + part if isinstance(before, str) else part


def _ours(reply: ours.Reply) -> list[Any]:
    found: list[Any] = []
    for block in reply.content:
        match block:
            case Text(text):
                found.append(("text", text))
            case ToolCall(own, name, arguments):
                found.append(("call", own, name, msgspec.json.decode(arguments)))
            case Thought(text, signature):
                found.append(("thought", text, signature))
            case Unknown(data):
                found.append(("unknown", data))
    return found


def _same_usage(theirs: dict[str, int], usage: ours.Usage) -> None:
    cached = theirs.get("cacheReadInputTokens", 0) + theirs.get("cacheWriteInputTokens", 0)
    assert usage.input_tokens == theirs["inputTokens"] + cached
    assert usage.output_tokens == theirs["outputTokens"]
    assert usage.cache_read_tokens == theirs.get("cacheReadInputTokens")
    assert usage.cache_write_tokens == theirs.get("cacheWriteInputTokens")


JUDGED = [answer for answer in bedrock_answers.ANSWERS if answer.judge == "boto3"]


@pytest.mark.parametrize("case", [case for case in JUDGED if case.whole is not None], ids=str)
def test_the_sdk_reads_the_answer_as_we_do(case: Answer, server: Canned, runtime: Any) -> None:
    assert case.whole is not None
    server.answer = lambda _: Reply(case.whole or b"")
    theirs = runtime.converse(modelId="m", messages=bedrock.SENT_HELLO)
    reply = case.made().decode(200, (), case.whole, json_tool=False)
    assert _blocks(theirs["output"]["message"]["content"]) == _ours(reply)
    assert theirs["stopReason"].encode() in case.whole
    _same_usage(theirs["usage"], reply.usage)


@pytest.mark.parametrize("case", [case for case in JUDGED if case.stream is not None], ids=str)
def test_the_sdk_reads_the_stream_as_we_do(case: Answer, server: Canned, runtime: Any) -> None:
    assert case.stream is not None
    server.answer = lambda _: Reply(case.stream or b"", EVENT_STREAM)
    with closing(runtime.converse_stream(modelId="m", messages=bedrock.SENT_HELLO)["stream"]) as stream:
        events = list(stream)
    decoder = case.made().decoder(json_tool=False)
    chunks = decoder.feed(case.stream) + decoder.close()
    assert len(chunks) == len(events)
    assert [next(iter(msgspec.json.decode(chunk.raw))) for chunk in chunks] == [next(iter(event)) for event in events]
    reply = ours.fold(chunks)
    assert _blocks(_assembled(events)) == _ours(reply)
    usage = [event["metadata"]["usage"] for event in events if "metadata" in event]
    if usage:
        _same_usage(usage[-1], reply.usage)


EXCEPTIONS = [
    case
    for case in bedrock_answers.BROKEN
    # The SDK shows nothing of an exception that its model does not have.
    if b":exception-type" in case.stream and b"somethingNew" not in case.stream
]


@pytest.mark.parametrize("case", EXCEPTIONS, ids=str)
def test_the_sdk_meets_the_error_where_we_do(case: BrokenStream, server: Canned, runtime: Any) -> None:
    server.answer = lambda _: Reply(case.stream, EVENT_STREAM)
    events = []
    with (
        closing(runtime.converse_stream(modelId="m", messages=bedrock.SENT_HELLO)["stream"]) as stream,
        pytest.raises(EventStreamError) as caught,
    ):
        for event in stream:
            events.append(event)
    assert case.says.rpartition(": ")[2] in str(caught.value)
    assert [("text", block.text) for block in case.partial.content if isinstance(block, Text)] == _blocks(
        _assembled(events)
    )


@pytest.mark.parametrize(
    "case",
    [case for case in bedrock_answers.FAILURES if case.body.startswith(b'{"') and b":{" not in case.body],
    ids=str,
)
def test_the_sdk_reads_the_error_as_we_do(case: Failure, server: Canned, runtime: Any) -> None:
    server.answer = lambda _: Reply(case.body, status=case.status, headers=case.headers)
    with pytest.raises(ClientError) as caught:
        runtime.converse(modelId="m", messages=bedrock.SENT_HELLO)
    theirs = caught.value.response["Error"]
    message = case.made().error(case.status, case.headers, case.body).message
    assert f"{theirs['Code']}: {theirs['Message']}" in message


# --- what is sent ---


def _arguments(value: Any) -> Any:
    """Return a body as the SDK's arguments: what is base64 on the wire is bytes there."""
    if isinstance(value, dict):
        return {
            name: b64decode(inner) if name in ("bytes", "redactedContent") else _arguments(inner)
            for name, inner in value.items()
        }
    return [_arguments(inner) for inner in value] if isinstance(value, list) else value


def _ours_sent(http: HttpCall, made: Any) -> dict[str, str]:
    return dict(made.sign(http, KEYS, NOW.timestamp()).headers)


def _at(kind: str, base: str, fields: dict[str, Any]) -> Any:
    """Return the provider of a case, with its address on loopback."""
    options = {**fields["options"], "endpoint_url": base}
    return provider(kind, **{**fields, "options": options})


def _check(seen: Seen, http: HttpCall, made: Any, base: str) -> None:
    assert http.url == base + seen.path
    assert http.method == seen.method
    assert msgspec.json.decode(http.body) == msgspec.json.decode(seen.body)
    for name, value in http.headers:
        assert seen.headers[name] == value
    # Signed over the SDK's bytes and fields, ours is the SDK's signature.
    fields = tuple((name, value) for name, value in seen.headers.items() if name in _signed(seen) and name != "host")
    again = _ours_sent(replace(http, body=seen.body, headers=fields), made)
    assert again["authorization"] == seen.headers["authorization"]
    assert again["x-amz-date"] == seen.headers["x-amz-date"]
    assert again["x-amz-security-token"] == seen.headers["x-amz-security-token"]


def _signed(seen: Seen) -> list[str]:
    return seen.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")


@pytest.fixture
def frozen() -> Iterator[None]:
    with patch("botocore.auth.get_current_datetime", return_value=NOW.replace(tzinfo=None)):
        yield


@pytest.mark.usefixtures("frozen")
@pytest.mark.parametrize("case", bedrock.GOLDENS, ids=str)
def test_the_sdk_sends_what_we_send(case: Golden, server: Canned, runtime: Any) -> None:
    arguments = {"modelId": case.fields["model_name"], **_arguments(case.body)}
    if case.call.stream:
        server.answer = lambda _: Reply(bedrock_answers.stream(), EVENT_STREAM)
        with closing(runtime.converse_stream(**arguments)["stream"]) as stream:
            list(stream)
    else:
        server.answer = lambda _: Reply(bedrock_answers.whole([{"text": "Hi"}]))
        runtime.converse(**arguments)
    made = adapter(_at("aws_bedrock", server.base, case.fields))
    _check(server.seen[-1], made.encode(case.call), made, server.base)


@pytest.mark.usefixtures("frozen")
@pytest.mark.parametrize("case", bedrock.EMBEDDED, ids=str)
def test_the_sdk_invokes_what_we_invoke(case: Embedded, server: Canned, runtime: Any) -> None:
    server.answer = lambda _: Reply(case.answer)
    body = msgspec.json.encode(case.body)
    theirs = runtime.invoke_model(modelId=case.fields["model_name"], body=body, contentType="application/json")
    with closing(theirs["body"]) as answer:
        assert answer.read() == case.answer
    made = embedder(_at("aws_bedrock", server.base, case.fields))
    _check(server.seen[-1], made.encode_embedding(case.call), made, server.base)


@pytest.mark.usefixtures("frozen")
@pytest.mark.parametrize("case", sagemaker.GOLDENS, ids=str)
def test_the_sdk_sends_what_we_send_to_an_endpoint(case: Golden, server: Canned, endpoints: Any) -> None:
    server.answer = lambda _: Reply(b"{}")
    # The SDK allows no space in a name that the service would not have either.
    fields = {**case.fields, "options": {**case.fields["options"], "endpoint_name": "my-end"}}
    made = adapter(_at("aws_sagemaker", server.base, fields))
    http = made.encode(case.call)
    arguments = {"EndpointName": "my-end", "Body": http.body, "ContentType": "application/json"}
    if case.call.stream:
        endpoints.invoke_endpoint_with_response_stream(**arguments)["Body"].close()
    else:
        endpoints.invoke_endpoint(**arguments)["Body"].close()
    _check(server.seen[-1], http, made, server.base)


@pytest.mark.parametrize("case", sagemaker.ANSWERS, ids=str)
def test_the_sdk_takes_the_containers_stream_out_as_we_do(case: Answer, server: Canned, endpoints: Any) -> None:
    assert case.whole is not None and case.stream is not None
    server.answer = lambda _: Reply(case.whole or b"")
    with closing(endpoints.invoke_endpoint(EndpointName="e", Body=b"{}")["Body"]) as answer:
        assert answer.read() == case.whole
    server.answer = lambda _: Reply(case.stream or b"", EVENT_STREAM)
    theirs = endpoints.invoke_endpoint_with_response_stream(EndpointName="e", Body=b"{}")
    with closing(theirs["Body"]) as stream:
        container = b"".join(event["PayloadPart"]["Bytes"] for event in stream)
    events = [event.removeprefix(b"data: ") for event in container.split(b"\n\n") if event]
    decoder = case.made().decoder()
    chunks = decoder.feed(case.stream) + decoder.close()
    assert [chunk.raw for chunk in chunks] == events[:-1]


@pytest.mark.parametrize("case", sagemaker.FAILURES, ids=str)
def test_the_sdk_reads_an_endpoints_error_as_we_do(case: Failure, server: Canned, endpoints: Any) -> None:
    server.answer = lambda _: Reply(case.body, status=case.status, headers=case.headers)
    with pytest.raises(ClientError) as caught:
        endpoints.invoke_endpoint(EndpointName="e", Body=b"{}")
    theirs = caught.value.response["Error"]
    message = case.made().error(case.status, case.headers, case.body).message
    assert f"{theirs['Code']}: {theirs['Message']}" in message


@pytest.mark.parametrize("case", [case for case in sagemaker.BROKEN if b"exception-type" in case.stream], ids=str)
def test_the_sdk_meets_an_endpoints_error_where_we_do(case: BrokenStream, server: Canned, endpoints: Any) -> None:
    server.answer = lambda _: Reply(case.stream, EVENT_STREAM)
    theirs = endpoints.invoke_endpoint_with_response_stream(EndpointName="e", Body=b"{}")
    with closing(theirs["Body"]) as stream, pytest.raises(EventStreamError, match=case.says.rpartition(": ")[2]):
        list(stream)
