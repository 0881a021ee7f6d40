"""Endpoints of Amazon SageMaker whose container speaks chat completions."""

from __future__ import annotations

from typing import Any

import msgspec
from tests.contract.providers import calls
from tests.contract.providers.cases import Answer, AnyCase, BrokenStream, Failure, Golden, Unservable

from calibrant.base.errors import BadAnswer, ProviderError, Refused, Truncated
from calibrant.testing.eventstream import encode_event, encode_exception
from calibrant.types.call import ModelCall
from calibrant.types.content import File, Text, Thought, ToolCall
from calibrant.types.message import Message
from calibrant.types.reply import Reply, Usage

KIND = "aws_sagemaker"
PAGE = "docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html"
STREAMING = "docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpointWithResponseStream.html"
READ = "2026-11-28"
HOST = "https://runtime.sagemaker.us-east-1.amazonaws.com/endpoints/my%20end/"
SENT_HELLO = [{"role": "user", "content": "Hello"}]
USAGE = Usage(12, 5)
COUNTS = {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}
CACHED = {
    **COUNTS,
    "prompt_tokens_details": {"cached_tokens": 8},
    "completion_tokens_details": {"reasoning_tokens": 3},
}


def fields(hosted: str = "openai") -> dict[str, Any]:
    """Return the fields of a provider."""
    return {"options": {"region": "us-east-1", "endpoint_name": "my end", "hosted_provider": hosted}}


def _golden(name: str, covers: tuple[str, ...], call: ModelCall, *, hosted: str = "openai", **body: Any) -> Golden:
    return Golden(
        name,
        KIND,
        covers,
        STREAMING if call.stream else PAGE,
        fields=fields(hosted),
        call=call,
        url=HOST + ("invocations-response-stream" if call.stream else "invocations"),
        body={"model": "the-model", "messages": SENT_HELLO} | body,
        headers=(("content-type", "application/json"),),
    )


FUNCTION = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": calls.WEATHER_SCHEMA,
        "strict": True,
    },
}
FILES = ModelCall(
    None,
    (
        Message(
            "user",
            (
                File(data="aGk=", mime_type="image/png"),
                File(data="aGk=", mime_type="application/pdf", filename="a.pdf"),
                File(data="aGk=", mime_type="audio/wav"),
            ),
        ),
    ),
)
GOLDENS = [
    _golden("plain", ("text",), calls.PLAIN),
    _golden("plain, of TGI", ("text",), calls.PLAIN, hosted="tgi"),
    _golden("stream", ("stream",), calls.STREAM, stream=True, stream_options={"include_usage": True}),
    _golden(
        "one tool",
        ("tools", "forced tools"),
        calls.FORCED,
        tools=[FUNCTION],
        tool_choice={"type": "function", "function": {"name": "get_weather"}},
    ),
    _golden(
        "a tool that the container runs itself",
        ("provider tools",),
        ModelCall(None, calls.HELLO, provider_tools=({"type": "search"},)),
        tools=[{"type": "search"}],
    ),
    _golden(
        "strict JSON, of TGI",
        ("structured output",),
        calls.JSON_STRICT,
        hosted="tgi",
        response_format={"type": "json_object", "value": calls.PERSON},
    ),
    _golden(
        "files",
        ("images", "files", "audio"),
        FILES,
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
                    {
                        "type": "file",
                        "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="},
                    },
                    {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
                ],
            }
        ],
    ),
]
UNSERVABLE = [
    Unservable(
        "tools of TGI",
        KIND,
        ("tools",),
        PAGE,
        fields=fields("tgi"),
        call=calls.TOOLS,
        says="(aws_sagemaker) takes no",
    )
]


def whole(message: dict[str, Any], finish: str, usage: Any = COUNTS) -> bytes:
    """Return a chat completion."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return msgspec.json.encode({"id": "cmpl-1", "model": "m", "choices": [choice], "usage": usage})


def sse(*deltas: dict[str, Any], finish: str, usage: Any = COUNTS) -> bytes:
    """Return the container's own stream."""
    head = {"id": "cmpl-1", "model": "m"}
    choices = [[{"index": 0, "delta": delta}] for delta in deltas]
    choices.append([{"index": 0, "delta": {}, "finish_reason": finish}])
    events = [{**head, "choices": choice} for choice in choices]
    events.append({**head, "choices": [], "usage": usage})
    return b"".join(b"data: %b\n\n" % msgspec.json.encode(event) for event in events) + b"data: [DONE]\n\n"


def parts(data: bytes, size: int = 37) -> bytes:
    """Return a stream in AWS's messages, cut without regard for events."""
    return b"".join(encode_event("PayloadPart", data[i : i + size]) for i in range(0, len(data), size))


def _answer(name: str, covers: tuple[str, ...], reply: Reply, whole: bytes, stream: bytes) -> Answer:
    return Answer(
        name,
        KIND,
        covers,
        STREAMING,
        fields=fields(),
        read=READ,
        reply=reply,
        whole=whole,
        stream=parts(stream),
        judge="boto3",
    )


def _reply(*content: Any, usage: Usage = USAGE, finish: Any = "stop") -> Reply:
    return Reply(content, usage, finish, model="m", request_id="cmpl-1")


def _tool(own: str, arguments: str, index: int) -> dict[str, Any]:
    return {"id": own, "index": index, "type": "function", "function": {"name": "get_weather", "arguments": arguments}}


ANSWERS = [
    _answer(
        "text",
        ("text", "stream", "usage"),
        _reply(Text("Hello, ☃!")),
        whole({"content": "Hello, ☃!"}, "stop"),
        sse({"role": "assistant", "content": ""}, {"content": "Hello, "}, {"content": "☃!"}, finish="stop"),
    ),
    _answer(
        "parallel calls",
        ("tools", "parallel tools"),
        _reply(
            ToolCall("a", "get_weather", '{"city":"Rome"}'),
            ToolCall("b", "get_weather", '{"city":"Oslo"}'),
            finish="tool_call",
        ),
        whole(
            {"content": None, "tool_calls": [_tool("a", '{"city":"Rome"}', 0), _tool("b", '{"city":"Oslo"}', 1)]},
            "tool_calls",
        ),
        sse(
            {"tool_calls": [_tool("a", '{"city":', 0)]},
            {"tool_calls": [{"index": 0, "function": {"arguments": '"Rome"}'}}]},
            {"tool_calls": [_tool("b", '{"city":"Oslo"}', 1)]},
            finish="tool_calls",
        ),
    ),
    _answer(
        "reasoning and cached tokens",
        ("reasoning", "cache tokens", "usage"),
        _reply(
            Thought("Hm.", provider_type=KIND),
            Text("4"),
            usage=Usage(12, 5, 8, reasoning_tokens=3),
        ),
        whole({"content": "4", "reasoning_content": "Hm."}, "stop", CACHED),
        sse({"reasoning_content": "Hm."}, {"content": "4"}, finish="stop", usage=CACHED),
    ),
    _answer(
        "it stops early",
        ("stop reasons",),
        _reply(Text("Hell"), finish="length"),
        whole({"content": "Hell"}, "length"),
        sse({"content": "Hell"}, finish="length"),
    ),
]


def _failure(name: str, status: int, body: bytes, says: str, *, kind: str, retryable: bool) -> Failure:
    return Failure(
        name,
        KIND,
        ("errors",),
        PAGE,
        fields=fields(),
        status=status,
        body=body,
        says=says,
        headers=(("x-amzn-errortype", kind),),
        retryable=retryable,
    )


MODEL_ERROR = (
    b'{"ErrorCode":"CLIENT_ERROR_FROM_MODEL","LogStreamArn":"arn","Message":"Received client error (400) from primary",'
    b'"OriginalMessage":"{}","OriginalStatusCode":400}'
)
FAILURES = [
    _failure("the container refused", 424, MODEL_ERROR, "Received client", kind="ModelError", retryable=False),
    _failure(
        "the container failed",
        424,
        MODEL_ERROR.replace(b":400}", b":503}"),
        "ModelError: Received",
        kind="ModelError",
        retryable=True,
    ),
    _failure("invalid", 400, b'{"Message":"No."}', "ValidationError: No.", kind="ValidationError", retryable=False),
    _failure("not ready", 429, b'{"Message":"No."}', "ModelNotReady", kind="ModelNotReadyException", retryable=True),
    _failure("not there", 503, b'{"Message":"No."}', "Unavailable: No.", kind="ServiceUnavailable", retryable=True),
]


def _broken(
    name: str, stream: bytes, says: str, *, error: type[ProviderError] = Refused, retryable: bool = True
) -> BrokenStream:
    return BrokenStream(
        name,
        KIND,
        ("errors",),
        STREAMING,
        fields=fields(),
        stream=stream,
        error=error,
        says=says,
        retryable=retryable,
        partial=Reply((Text("Hell"),), Usage(), None, model="m", request_id="cmpl-1"),
    )


BEGUN = parts(sse({"content": "Hell"}, finish="stop").partition(b"\n\n")[0] + b"\n\n")
BROKEN = [
    _broken(
        "the connection to the container broke",
        BEGUN + encode_exception("ModelStreamError", {"Message": "Broken.", "ErrorCode": "StreamBroken"}),
        "ModelStreamError: Broken.",
    ),
    _broken(
        "SageMaker failed",
        BEGUN + encode_exception("InternalStreamFailure", {"Message": "Oh."}),
        "InternalStreamFailure: Oh.",
    ),
    _broken("it breaks off", BEGUN, "without [DONE]", error=Truncated),
    _broken("an event that cannot be read", BEGUN + parts(b"data: {\n\n"), "not a chunk", error=BadAnswer),
    _broken("the container's error", BEGUN + parts(b'data: {"error":{"message":"Oh."}}\n\n'), "Oh."),
]
CASES: tuple[AnyCase, ...] = (*GOLDENS, *UNSERVABLE, *ANSWERS, *FAILURES, *BROKEN)
