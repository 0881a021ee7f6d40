"""Amazon Bedrock's Converse and ConverseStream: what is answered, and how it fails."""

from __future__ import annotations

from typing import Any

import msgspec
from tests.contract.providers.cases import Answer, AnyCase, BrokenStream, Failure

from calibrant.base.errors import BadAnswer, ProviderError, Refused, Truncated
from calibrant.testing.eventstream import encode_event, encode_exception, encode_message
from calibrant.types.content import Text, Thought, ToolCall, Unknown
from calibrant.types.reply import Reply, Usage

KIND = "aws_bedrock"
GUIDE = "docs.aws.amazon.com/bedrock/latest/userguide/"
REFERENCE = "docs.aws.amazon.com/bedrock/latest/APIReference/"
CONVERSE = REFERENCE + "API_runtime_Converse.html"
STREAMING = REFERENCE + "API_runtime_ConverseStream.html"
ERRORS = GUIDE + "troubleshooting-api-error-codes.html"
READ = "2026-11-28"
FIELDS: dict[str, Any] = {"options": {"region": "us-east-1"}}
COUNTS = {"inputTokens": 12, "outputTokens": 5, "totalTokens": 17}
USAGE = Usage(12, 5)
CACHED = {
    "inputTokens": 3,
    "outputTokens": 5,
    "totalTokens": 2051,
    "cacheReadInputTokens": 1024,
    "cacheWriteInputTokens": 1019,
    "cacheDetails": [{"ttl": "1h", "inputTokens": 1000}, {"ttl": "5m", "inputTokens": 19}],
}
GUARDRAIL = {"guardrail": {"actionReason": "Guardrail blocked.", "modelOutput": ["..."]}}


def whole(content: list[Any], stop: str = "end_turn", *, usage: Any = COUNTS, trace: Any = None) -> bytes:
    """Return an answer of Converse."""
    body: dict[str, Any] = {
        "metrics": {"latencyMs": 551},
        "output": {"message": {"content": content, "role": "assistant"}},
        "stopReason": stop,
        "usage": usage,
    }
    return msgspec.json.encode(body if trace is None else {**body, "trace": trace})


def start(index: int, **block: Any) -> bytes:
    return encode_event("contentBlockStart", {"contentBlockIndex": index, "start": block, "p": "abcd"})


def delta(index: int, **piece: Any) -> bytes:
    return encode_event("contentBlockDelta", {"contentBlockIndex": index, "delta": piece, "p": "abcdefghijkl"})


def end(index: int) -> bytes:
    return encode_event("contentBlockStop", {"contentBlockIndex": index, "p": "ab"})


def block(index: int, *pieces: dict[str, Any]) -> bytes:
    return b"".join(delta(index, **piece) for piece in pieces) + end(index)


def text(index: int, *pieces: str) -> bytes:
    return block(index, *({"text": piece} for piece in pieces))


def call(index: int, own: str, name: str, *pieces: str) -> bytes:
    started = start(index, toolUse={"toolUseId": own, "name": name})
    return started + block(index, *({"toolUse": {"input": piece}} for piece in pieces))


OPENING = encode_event("messageStart", {"p": "abcdefghi", "role": "assistant"})


def metadata(usage: Any = COUNTS, trace: Any = None) -> bytes:
    data = {"metrics": {"latencyMs": 551}, "p": "abc", "usage": usage}
    return encode_event("metadata", data if trace is None else {**data, "trace": trace})


def stopped(stop: str) -> bytes:
    return encode_event("messageStop", {"p": "abcdef", "stopReason": stop})


def stream(*parts: bytes, stop: str = "end_turn", usage: Any = COUNTS, trace: Any = None) -> bytes:
    """Return an answer of ConverseStream."""
    return OPENING + b"".join(parts) + stopped(stop) + metadata(usage, trace)


def _answer(
    name: str,
    covers: tuple[str, ...],
    reply: Reply,
    *,
    whole: bytes | None = None,
    stream: bytes | None = None,
    docs: str = CONVERSE,
    judge: str | None = "boto3",
    json_tool: bool = False,
) -> Answer:
    return Answer(
        name,
        KIND,
        covers,
        docs,
        fields=FIELDS,
        read=READ,
        reply=reply,
        whole=whole,
        stream=stream,
        judge=judge,
        json_tool=json_tool,
    )


def _stop(word: str, finish: Any, detail: bytes = b"") -> Answer:
    return _answer(
        f"it stops with {word}",
        ("stop reasons",),
        Reply((Text("Hi"),), USAGE, finish, finish_detail=detail),
        whole=whole([{"text": "Hi"}], word),
        stream=stream(text(0, "Hi"), stop=word),
    )


SERVER_USE = {"toolUseId": "t1", "name": "nova_grounding", "input": {"query": "x"}, "type": "server_tool_use"}
SERVER_RESULT = {"toolUseId": "t1", "content": [{"json": {"hits": 2}}], "status": "success", "type": "nova_grounding"}
CITED = {
    "content": [{"text": "Rome is "}, {"text": "old."}],
    "citations": [{"title": "t", "location": {"web": {"url": "https://x.test", "domain": "x.test"}}}],
}
CITATION = {"title": "t", "location": {"web": {"url": "https://x.test", "domain": "x.test"}}}
PICTURE = {"format": "png", "source": {"bytes": "aGk="}}
ANSWERS = [
    _answer(
        "text",
        ("text", "stream", "usage"),
        Reply((Text("Hello, you ☃!"),), USAGE, "stop"),
        whole=whole([{"text": "Hello, you ☃!"}]),
        stream=stream(text(0, "", "Hello", ", you ☃", "!")),
    ),
    _answer(
        "parallel calls, one without arguments (litellm#25836)",
        ("tools", "parallel tools"),
        Reply(
            (
                Text("Let me look."),
                ToolCall("tooluse_a", "get_weather", '{"city":"Rome","days":1.50}'),
                ToolCall("tooluse_b", "get_time", "{}"),
                ToolCall("tooluse_c", "get_weather", '{"city":"Oslo"}'),
            ),
            USAGE,
            "tool_call",
        ),
        whole=whole(
            [
                {"text": "Let me look."},
                {
                    "toolUse": {
                        "toolUseId": "tooluse_a",
                        "name": "get_weather",
                        "input": msgspec.Raw(b'{ "city": "Rome", "days": 1.50 }'),
                    }
                },
                {"toolUse": {"toolUseId": "tooluse_b", "name": "get_time", "input": {}}},
                {"toolUse": {"toolUseId": "tooluse_c", "name": "get_weather", "input": {"city": "Oslo"}}},
            ],
            "tool_use",
        ),
        stream=stream(
            text(0, "Let me", " look."),
            call(1, "tooluse_a", "get_weather", "", '{"city":"Ro', 'me","days":1.50}'),
            call(2, "tooluse_b", "get_time"),
            call(3, "tooluse_c", "get_weather", '{"city":', '"Oslo"}'),
            stop="tool_use",
        ),
    ),
    _answer(
        "reasoning, shown and hidden",
        ("reasoning",),
        Reply(
            (
                Thought("Two and two.", "c2lnbmF0dXJl+/==", provider_type=KIND),
                Thought(None, "AAEC/w==", provider_type=KIND),
                Thought("", "b25seQ==", provider_type=KIND),
                Text("4"),
            ),
            USAGE,
            "stop",
        ),
        whole=whole(
            [
                {"reasoningContent": {"reasoningText": {"text": "Two and two.", "signature": "c2lnbmF0dXJl+/=="}}},
                {"reasoningContent": {"redactedContent": "AAEC/w=="}},
                {"reasoningContent": {"reasoningText": {"text": "", "signature": "b25seQ=="}}},
                {"text": "4"},
            ]
        ),
        stream=stream(
            block(
                0,
                {"reasoningContent": {"text": "Two "}},
                {"reasoningContent": {"text": "and two."}},
                {"reasoningContent": {"signature": "c2lnbmF0dXJl"}},
                {"reasoningContent": {"signature": "+/=="}},
            ),
            block(
                1, {"reasoningContent": {"redactedContent": "AAE="}}, {"reasoningContent": {"redactedContent": "Av8="}}
            ),
            block(2, {"reasoningContent": {"signature": "b25seQ=="}}),
            text(3, "4"),
        ),
    ),
    _answer(
        "cached tokens are input too (litellm#36168)",
        ("cache tokens", "usage"),
        Reply((Text("Hi"),), Usage(2046, 5, 1024, 1019), "stop"),
        whole=whole([{"text": "Hi"}], usage=CACHED),
        stream=stream(text(0, "Hi"), usage=CACHED),
        docs=GUIDE + "prompt-caching.html",
    ),
    _answer(
        "JSON by the tool",
        ("structured output",),
        Reply((Text('{"name":"Ann"}'),), USAGE, "stop"),
        whole=whole([{"toolUse": {"toolUseId": "t", "name": "respond", "input": {"name": "Ann"}}}], "tool_use"),
        stream=stream(call(0, "t", "respond", '{"name"', ':"Ann"}'), stop="tool_use"),
        json_tool=True,
    ),
    _answer(
        "JSON by the tool, with nothing in it",
        ("structured output",),
        Reply((Text("{}"),), USAGE, "stop"),
        whole=whole([{"toolUse": {"toolUseId": "t", "name": "respond", "input": {}}}], "tool_use"),
        stream=stream(call(0, "t", "respond"), stop="tool_use"),
        json_tool=True,
    ),
    _stop("end_turn", "stop"),
    _stop("stop_sequence", "stop_sequence"),
    _stop("max_tokens", "length"),
    _stop("model_context_window_exceeded", "length"),
    _stop("malformed_model_output", "unknown", b'{"stopReason":"malformed_model_output"}'),
    _stop("malformed_tool_use", "unknown", b'{"stopReason":"malformed_tool_use"}'),
    _stop("something_new", "unknown", b'{"stopReason":"something_new"}'),
    _answer(
        "content is filtered and nothing is left",
        ("stop reasons",),
        Reply((), USAGE, "content_filter", finish_detail=b'{"stopReason":"content_filtered"}'),
        whole=whole([], "content_filtered"),
        stream=stream(stop="content_filtered"),
    ),
    _answer(
        "a guardrail steps in",
        ("stop reasons",),
        Reply(
            (Text("I cannot help with that."),),
            Usage(0, 0),
            "content_filter",
            finish_detail=msgspec.json.encode({"stopReason": "guardrail_intervened", "trace": GUARDRAIL}),
        ),
        whole=whole(
            [{"text": "I cannot help with that."}],
            "guardrail_intervened",
            usage={"inputTokens": 0, "outputTokens": 0, "totalTokens": 0},
            trace=GUARDRAIL,
        ),
        stream=stream(
            text(0, "I cannot help with that."),
            stop="guardrail_intervened",
            usage={"inputTokens": 0, "outputTokens": 0, "totalTokens": 0},
            trace=GUARDRAIL,
        ),
        docs=GUIDE + "guardrails-use-converse-api.html",
    ),
    _answer(
        "a prompt router chose the model",
        ("text",),
        Reply((Text("Hi"),), USAGE, "stop", model="arn:aws:bedrock:us-east-1::foundation-model/meta.llama3"),
        whole=whole(
            [{"text": "Hi"}],
            trace={"promptRouter": {"invokedModelId": "arn:aws:bedrock:us-east-1::foundation-model/meta.llama3"}},
        ),
        stream=stream(
            text(0, "Hi"),
            trace={"promptRouter": {"invokedModelId": "arn:aws:bedrock:us-east-1::foundation-model/meta.llama3"}},
        ),
        docs=GUIDE + "prompt-routing.html",
    ),
    _answer(
        "a tool that the provider runs, and text with sources",
        ("provider tools",),
        Reply(
            (Unknown({"toolUse": SERVER_USE}), Unknown({"toolResult": SERVER_RESULT}), Text("Rome is old.")),
            USAGE,
            "stop",
        ),
        whole=whole([{"toolUse": SERVER_USE}, {"toolResult": SERVER_RESULT}, {"citationsContent": CITED}]),
        stream=stream(
            start(0, toolUse={k: v for k, v in SERVER_USE.items() if k != "input"}),
            block(0, {"toolUse": {"input": '{"query":'}}, {"toolUse": {"input": '"x"}'}}),
            start(1, toolResult={k: v for k, v in SERVER_RESULT.items() if k != "content"}),
            block(1, {"toolResult": [{"json": {"hits": 2}}]}),
            block(2, {"text": "Rome is "}, {"citation": CITATION}, {"text": "old."}),
        ),
        docs="docs.aws.amazon.com/nova/latest/nova2-userguide/web-grounding.html",
    ),
    _answer(
        "a picture",
        ("text",),
        Reply((Text("See:"), Unknown({"image": PICTURE})), USAGE, "stop"),
        whole=whole([{"text": "See:"}, {"image": PICTURE}]),
        stream=stream(
            text(0, "See:"),
            start(1, image={"format": "png"}),
            block(1, {"image": {"source": {"bytes": "aGk="}}}),
        ),
        docs=REFERENCE + "API_runtime_ContentBlock.html",
    ),
    _answer(
        "no metadata after the message",
        ("stream",),
        Reply((Text("Hi"),), Usage(), "stop"),
        stream=OPENING + text(0, "Hi") + stopped("end_turn"),
        docs=STREAMING,
    ),
    _answer(
        "blocks that end only with the message",
        ("stream",),
        Reply(
            (ToolCall("t", "get_time", "{}"), Thought(None, "AAE=", provider_type=KIND)),
            USAGE,
            "tool_call",
        ),
        stream=stream(
            start(0, toolUse={"toolUseId": "t", "name": "get_time"}),
            delta(1, reasoningContent={"redactedContent": "AAE="}),
            stop="tool_use",
        ),
        docs=STREAMING,
    ),
    _answer(
        "events and headers that nobody knows",
        ("stream",),
        Reply((Text("Hi"),), USAGE, "stop"),
        stream=stream(
            encode_event("somethingNew", {"a": 1}),
            encode_message({":event-type": "messageStart", "when": 5, "yes": True, "id": b"\0" * 16}, b"{}"),
            encode_event("contentBlockDelta", {"delta": {"text": "Hi"}, "new": [1]}),
        ),
        docs=STREAMING,
        judge=None,
    ),
]


def _failure(
    name: str,
    status: int,
    body: bytes,
    says: str,
    *,
    retryable: bool,
    kind: str | None = None,
    headers: tuple[tuple[str, str], ...] = (),
    retry_after: float | None = None,
) -> Failure:
    own = headers if kind is None else (("x-amzn-errortype", kind), *headers)
    return Failure(
        name,
        KIND,
        ("errors",),
        ERRORS,
        fields=FIELDS,
        status=status,
        body=body,
        says=says,
        retryable=retryable,
        headers=own,
        retry_after=retry_after,
    )


SAID = b'{"message":"It went wrong."}'
FAILURES = [
    _failure(
        "too many requests", 429, SAID, "ThrottlingException: It went", kind="ThrottlingException", retryable=True
    ),
    _failure(
        "too many requests, and how long to wait",
        429,
        SAID,
        "It went wrong.",
        kind="ThrottlingException:http://internal.amazon.com/coral/com.amazon.bedrock/",
        headers=(("x-amz-retry-after", "2500"),),
        retryable=True,
        retry_after=2.5,
    ),
    _failure("throttled with another status", 400, SAID, "Throttl", kind="ThrottlingException", retryable=True),
    _failure("invalid", 400, SAID, "ValidationException: It", kind="ValidationException", retryable=False),
    _failure("not allowed", 403, b'{"Message":"No."}', "AccessDenied", kind="AccessDeniedException", retryable=False),
    _failure(
        "keys that have run out",
        403,
        b'{"__type":"com.amazon.coral.service#ExpiredTokenException","message":"Expired."}',
        "ExpiredTokenException: Expired.",
        retryable=False,
    ),
    _failure("no such model", 404, SAID, "Resource", kind="ResourceNotFoundException", retryable=False),
    _failure("too slow", 408, SAID, "ModelTimeout", kind="ModelTimeoutException", retryable=True),
    _failure("not ready", 429, SAID, "ModelNotReady", kind="ModelNotReadyException", retryable=True),
    _failure("over the quota", 400, SAID, "Quota", kind="ServiceQuotaExceededException", retryable=True),
    _failure("the model failed", 424, SAID, "ModelError", kind="ModelErrorException", retryable=True),
    _failure(
        "the model refused",
        424,
        b'{"message":"Bad.","originalStatusCode":400,"resourceName":"r"}',
        "Bad.",
        kind="ModelErrorException",
        retryable=False,
    ),
    _failure("a fault", 500, SAID, "InternalServer", kind="InternalServerException", retryable=True),
    _failure("not there", 503, SAID, "ServiceUn", kind="ServiceUnavailableException", retryable=True),
    _failure("a page", 502, b"<html>Bad gateway</html>", "Bad gateway", retryable=True),
    _failure("a message that is no text", 400, b'{"message":{"a":1}}', '{"a":1}', retryable=False),
    _failure("nothing", 400, b"", "no message", retryable=False),
]


def _broken(
    name: str,
    stream: bytes,
    says: str,
    *,
    error: type[ProviderError] = Refused,
    retryable: bool = True,
    partial: Reply | None = None,
) -> BrokenStream:
    return BrokenStream(
        name,
        KIND,
        ("errors",),
        STREAMING,
        fields=FIELDS,
        stream=stream,
        error=error,
        says=says,
        retryable=retryable,
        partial=Reply((Text("He"),), Usage(), None) if partial is None else partial,
    )


BEGUN = OPENING + delta(0, text="He")
NOTHING = Reply((), Usage(), None)
DAMAGED = bytearray(delta(0, text="llo"))
DAMAGED[-1] ^= 1
DAMAGED_HEAD = bytearray(delta(0, text="llo"))
DAMAGED_HEAD[2] ^= 1
BROKEN = [
    *(
        _broken(
            f"{kind} in the stream",
            BEGUN + encode_exception(kind, {"message": "It went wrong."}),
            f"{kind[0].upper()}{kind[1:]}: It went wrong.",
            retryable=retryable,
        )
        for kind, retryable in (
            ("throttlingException", True),
            ("modelStreamErrorException", True),
            ("internalServerException", True),
            ("serviceUnavailableException", True),
            ("validationException", False),
            ("somethingNewException", True),
        )
    ),
    _broken(
        "the model's server refused in the stream",
        BEGUN + encode_exception("modelStreamErrorException", {"message": "Bad.", "originalStatusCode": 400}),
        "Bad.",
        retryable=False,
    ),
    _broken(
        "an error that is no exception",
        BEGUN
        + encode_message({":message-type": "error", ":error-code": "InternalFailure", ":error-message": "Oh."}, b""),
        "InternalFailure: Oh.",
    ),
    _broken(
        "an error behind the end of the message",
        BEGUN + stopped("end_turn") + encode_exception("internalServerException", {"message": "Oh."}),
        "Oh.",
        partial=Reply((Text("He"),), Usage(), "stop"),
    ),
    _broken("it breaks off", BEGUN, "without the end", error=Truncated),
    _broken(
        "it breaks off in a message",
        BEGUN + text(0, "llo")[:-3],
        "without the end",
        error=Truncated,
        partial=Reply((Text("Hello"),), Usage(), None),
    ),
    _broken("nothing comes", b"", "without the end", error=Truncated, partial=NOTHING),
    _broken("a wrong checksum", BEGUN + bytes(DAMAGED), "checksum", error=BadAnswer),
    _broken("a wrong checksum of the prelude", BEGUN + bytes(DAMAGED_HEAD) + b"x", "checksum", error=BadAnswer),
    _broken("an event that is no JSON", BEGUN + encode_event("metadata", b"{"), "metadata", error=BadAnswer),
    _broken("an unknown event that is no JSON", BEGUN + encode_event("new", b"{"), "'new'", error=BadAnswer),
    _broken("an error in place of a stream", SAID, "It went wrong.", partial=NOTHING),
    _broken(
        "a page in place of a stream", b"<html>" + b"x" * 9000, "not an event stream", error=BadAnswer, partial=NOTHING
    ),
]
CASES: tuple[AnyCase, ...] = (*ANSWERS, *FAILURES, *BROKEN)
