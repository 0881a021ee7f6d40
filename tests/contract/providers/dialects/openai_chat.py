"""OpenAI's chat completions and everyone who speaks them: the same cases for each vendor, as its row has them.

The answers are those of `answers.py`; whole bodies of requests stand, vendor by vendor, in `test_encode.py` too.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
from tests.contract.providers import answers as given
from tests.contract.providers import calls
from tests.contract.providers.calls import HELLO, PERSON, WEATHER_SCHEMA, user
from tests.contract.providers.cases import Answer, AnyCase, BrokenStream, Embedded, Failure, Golden, Unservable

from calibrant.base.errors import Refused, Truncated
from calibrant.providers.compatible import COMPATIBLE, Vendor
from calibrant.types.call import EmbeddingCall, EmbeddingReply, ModelCall
from calibrant.types.content import CachePoint, File, Text, Thought, ToolCall
from calibrant.types.message import Message
from calibrant.types.reply import Reply, Usage
from calibrant.types.tool import Tool, ToolConfig

READ = "2026-11-28"
AZURE = "https://my.openai.azure.com"
FIELDS: dict[str, dict[str, Any]] = {
    "azure": {"options": {"endpoint": AZURE}},
    **{kind: {"api_base": "http://server.test:8000/v1"} for kind in ("vllm", "sglang", "tgi")},
}
JUDGES = {"groq": "groq", "mistral": "mistralai", "together": "together"}
"""Whose answers a package of the vendor's own reads; the others' documentation tells to use OpenAI's."""

_COVERS: dict[str, tuple[str, ...]] = {
    "text": ("text", "stream", "usage"),
    "length": ("stop reasons",),
    "two calls, streamed in turn": ("tools", "parallel tools"),
    "text, then a call": ("tools",),
    "the JSON tool": ("structured output",),
    "refusal": ("stop reasons",),
    "content_filter and nothing said": ("stop reasons",),
    "a finish reason nobody knows": ("stop reasons",),
    "two calls, every one numbered 0": ("parallel tools",),
    "x_groq.usage": ("usage",),
    "reasoning counted apart": ("usage",),
    "comments, CRLF and usage beside the last choice": ("usage",),
}
_NAMES = {
    "two calls, every one numbered 0": "two calls, every one numbered 0 (Portkey#1275)",
    "comments, CRLF and usage beside the last choice": "usage beside the last choice (litellm#36168)",
}
_THOUGHTS = ("reasoning_content", "reasoning", "thinking parts", "think blocks", "no end of thinking")
EVERYONE = {"text", "length", "two calls, streamed in turn", "text, then a call", "the JSON tool", "refusal"}
_WITH_TOOLS = {"two calls, streamed in turn", "text, then a call", "the JSON tool"}
_CACHED = given.Answer(
    name="cached and reasoning tokens",
    kind="openai",
    docs="platform.openai.com/docs/guides/prompt-caching",
    content=(Text("Hi."),),
    message={"content": "Hi."},
    deltas=({"content": "Hi."},),
    cached=8,
    reasoning=3,
    usage={
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 8},
        "completion_tokens_details": {"reasoning_tokens": 3},
    },
)
_NO_ARGUMENTS = given.Answer(
    name="a call without arguments (litellm#25836)",
    kind="openai",
    docs="platform.openai.com/docs/guides/function-calling",
    content=(ToolCall("call_a", "get_time", "{}"),),
    finish="tool_call",
    message={
        "content": None,
        "tool_calls": [{"id": "call_a", "type": "function", "function": {"name": "get_time", "arguments": "{}"}}],
    },
    deltas=(
        {
            "tool_calls": [
                {"index": 0, "id": "call_a", "type": "function", "function": {"name": "get_time", "arguments": ""}}
            ]
        },
        {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]},
    ),
    word="tool_calls",
)
_THOUGHT = given.Answer(
    name="reasoning beside the text",
    kind="openai",
    docs="",
    content=(Text("Hi."),),
    message={"reasoning_content": "Hm.", "content": "Hi."},
    deltas=({"reasoning_content": "Hm."}, {"content": "Hi."}),
    openai_types=False,
)


def view(answer: given.Answer, kind: str) -> Answer:
    """Return an answer as a case of this vendor."""
    return Answer(
        _NAMES.get(answer.name, answer.name),
        kind,
        ("reasoning",) if answer.name in _THOUGHTS else _COVERS.get(answer.name, ()),
        answer.docs or COMPATIBLE[kind].docs[0],
        fields=FIELDS.get(kind, {}) | answer.options,
        read=READ,
        reply=Reply(
            tuple(_of(kind, block) for block in answer.content),
            Usage(*answer.tokens, answer.cached, None, answer.reasoning),
            answer.finish,
            model="served-model",
            fingerprint="fp_1",
            request_id="answer-1",
        ),
        whole=answer.whole(),
        stream=answer.stream(),
        judge=_judge(answer, kind),
        json_tool=answer.name == "the JSON tool",
    )


def _judge(answer: given.Answer, kind: str) -> str | None:
    if kind == "mistral" and (
        answer.name == "the JSON tool" or any(isinstance(block, ToolCall) for block in answer.content)
    ):
        # Its SDK wants a name in every piece of a call, which is more than these answers have.
        return None
    return JUDGES.get(kind, "openai" if answer.openai_types else None)


def _of(kind: str, block: Any) -> Any:
    return msgspec.structs.replace(block, provider_type=kind) if isinstance(block, Thought) else block


def _answers(vendor: Vendor) -> list[Answer]:
    kind = vendor.type
    out = [
        view(each, kind)
        for each in given.ANSWERS
        if each.kind == kind or (each.name in EVERYONE and (vendor.tools or each.name not in _WITH_TOOLS))
    ]
    out.append(dataclasses.replace(view(_CACHED, kind), covers=("cache tokens", "usage")))
    if vendor.tools:
        out.append(dataclasses.replace(view(_NO_ARGUMENTS, kind), covers=("tools",)))
    if kind == "mistral":
        unasked = dataclasses.replace(
            next(each for each in given.ANSWERS if each.name == "text"), usage_with_finish=True
        )
        named = "usage that comes unasked, beside the last choice (Portkey#1259)"
        out.append(dataclasses.replace(view(unasked, kind), name=named, covers=("usage",)))
    if vendor.shows_reasoning:
        shown = view(_THOUGHT, kind)
        reply = msgspec.structs.replace(shown.reply, content=(Thought("Hm.", provider_type=kind), Text("Hi.")))
        out.append(dataclasses.replace(shown, covers=("reasoning",), reply=reply))
    return out


def url(vendor: Vendor, what: str = "chat/completions") -> str:
    """Return the address of an operation."""
    if vendor.type == "azure":
        return f"{AZURE}/openai/deployments/the-model/{what}?api-version=2025-04-01-preview"
    return f"{FIELDS.get(vendor.type, {}).get('api_base') or vendor.base}/{what}"


WEATHER = Tool("get_weather", "The weather of a city", WEATHER_SCHEMA)
_FUNCTION = {"name": "get_weather", "description": "The weather of a city", "parameters": WEATHER_SCHEMA}
_SENT_TOOL = {"type": "function", "function": _FUNCTION}
_OWN_TOOL = {"type": "web_search_preview"}


def _goldens(vendor: Vendor) -> list[Golden]:
    kind = vendor.type

    def golden(name: str, covers: tuple[str, ...], call: ModelCall, **body: Any) -> Golden:
        sent = {"model": "the-model", "messages": [{"role": "user", "content": "Hello"}]} | body
        return Golden(
            name, kind, covers, vendor.docs[0], fields=FIELDS.get(kind, {}), call=call, url=url(vendor), body=sent
        )

    out = [golden("plain", ("text",), calls.PLAIN)]
    usage = {"stream_options": {"include_usage": True}} if vendor.stream_usage else {}
    out.append(golden("stream asks for usage (litellm#36114)", ("stream", "usage"), calls.STREAM, stream=True, **usage))
    if vendor.tools:
        forced = {"type": "function", "function": {"name": "get_weather"}}
        tools = ToolConfig((WEATHER,), calls.FORCED.tools.choice if calls.FORCED.tools else "auto")
        call = ModelCall(None, HELLO, tools=tools)
        out.append(golden("forced", ("forced tools",), call, tools=[_SENT_TOOL], tool_choice=forced))
        none = ModelCall(None, HELLO, tools=ToolConfig((WEATHER,), choice="none"))
        kept = {"tools": [_SENT_TOOL], "tool_choice": "none"} if vendor.none_choice else {}
        out.append(golden("tool_choice none (litellm#24443)", ("tools",), none, **kept))
        own = ModelCall(None, HELLO, tools=ToolConfig((WEATHER,)), provider_tools=(_OWN_TOOL,))
        out.append(golden("a provider's tool beside others", ("provider tools",), own, tools=[_SENT_TOOL, _OWN_TOOL]))
    out += _schemas(vendor, golden)
    out += _files(vendor, golden)
    if vendor.cache_points:
        out.append(
            golden(
                "cache points",
                ("cache tokens",),
                ModelCall("Be brief.", (user(CachePoint(), Text("long"), CachePoint(), Text("short")),)),
                messages=[
                    {
                        "role": "system",
                        "content": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
                    },
                    {
                        "role": "user",
                        "content": [
                            {"type": "text", "text": "long", "cache_control": {"type": "ephemeral"}},
                            {"type": "text", "text": "short"},
                        ],
                    },
                ],
            )
        )
    return out


def _schemas(vendor: Vendor, golden: Any) -> list[Golden]:
    strict = {"type": "json_schema", "json_schema": {"name": "response", "strict": True, "schema": PERSON}}
    if vendor.json_strict == "json_schema":
        return [golden("a schema", ("structured output",), calls.JSON_STRICT, response_format=strict)]
    if vendor.json_strict == "grammar":
        form = {"type": "json_object", "value": PERSON}
        return [golden("a schema", ("structured output",), calls.JSON_STRICT, response_format=form)]
    return []


def _files(vendor: Vendor, golden: Any) -> list[Golden]:
    if vendor.files is None:
        return []
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
    call = ModelCall(None, (user(File(data="aGk=", mime_type="image/png")),))
    out = [golden("an image", ("images",), call, messages=[{"role": "user", "content": [image]}])]
    if vendor.files == "images":
        return out
    pdf = ModelCall(None, (user(File(data="aGk=", mime_type="application/pdf", filename="a.pdf")),))
    sound = ModelCall(None, (user(File(data="aGk=", mime_type="audio/mpeg")),))
    address = "data:application/pdf;base64,aGk="
    if vendor.files == "mistral":
        document: Any = {"type": "document_url", "document_url": address}
        audio: Any = {"type": "input_audio", "input_audio": "aGk="}
    else:
        document = {"type": "file", "file": {"filename": "a.pdf", "file_data": address}}
        audio = {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "mp3"}}
    out.append(golden("a document", ("files",), pdf, messages=[{"role": "user", "content": [document]}]))
    out.append(golden("sound", ("audio",), sound, messages=[{"role": "user", "content": [audio]}]))
    return out


def _failures(vendor: Vendor) -> list[AnyCase]:
    kind, fields, docs = vendor.type, FIELDS.get(vendor.type, {}), vendor.docs[0]
    out: list[AnyCase] = [
        Failure(
            f"{status}",
            kind,
            ("errors",),
            docs,
            fields=fields,
            status=status,
            body=msgspec.json.encode({"error": {"message": f"said {status}", "type": "x", "code": None}}),
            says=f"answered {status}: said {status}",
            retryable=status in (429, 500, 503),
            headers=(("retry-after", "7"),) if status == 429 else (),
            retry_after=7.0 if status == 429 else None,
        )
        for status in (401, 404, 422, 429, 500, 503)
    ]
    begun = view(next(each for each in given.ANSWERS if each.name == "text"), kind)
    stream = (begun.stream or b"").partition(b'"finish_reason":"stop"')[0].rpartition(b"data: ")[0]
    partial = msgspec.structs.replace(begun.reply, usage=Usage(), finish_reason=None)
    out.append(
        BrokenStream(
            "cut in the middle", kind, ("errors",), docs, fields=fields, stream=stream, error=Truncated, partial=partial
        )
    )
    if not vendor.tools:
        call = ModelCall(None, HELLO, tools=ToolConfig((WEATHER,)))
        out.append(Unservable("tools", kind, (), docs, fields=fields, call=call, says="`tools`"))
    if vendor.files in (None, "images"):
        pdf = ModelCall(None, (user(File(data="aGk=", mime_type="application/pdf")),))
        out.append(Unservable("a document", kind, (), docs, fields=fields, call=pdf, says="application/pdf"))
    if vendor.json_strict is None:
        out.append(
            Unservable("a schema", kind, (), docs, fields=fields, call=calls.JSON_STRICT, says="takes no schema")
        )
    return out


_VECTORS = ((0.5, -1.0), (0.25, 2.0))
_BASE64 = "AAAAPwAAgL8="


def _embedded(vendor: Vendor) -> list[Embedded]:
    if vendor.embeddings is None:
        return []
    size = {"openai": {"dimensions": 2}, "mistral": {"output_dimension": 2}, "texts": {}}[vendor.embeddings]
    form = {"encoding_format": "float"} if vendor.embeddings == "openai" else {}
    answer = {
        "id": "emb-1",
        "object": "list",
        "data": [{"object": "embedding", "index": i, "embedding": v} for i, v in reversed([*enumerate(_VECTORS)])],
        "model": "served-model",
        "usage": {"prompt_tokens": 4, "total_tokens": 4},
    }
    numbers = Embedded(
        "two texts",
        vendor.type,
        ("embeddings",),
        vendor.docs[0],
        fields=FIELDS.get(vendor.type, {}),
        call=EmbeddingCall(("a", "b"), 2 if size else None, "float"),
        url=url(vendor, "embeddings"),
        body={"model": "the-model", "input": ["a", "b"], **size, **form},
        answer=msgspec.json.encode(answer),
        reply=EmbeddingReply(_VECTORS, Usage(4), model="served-model", request_id="emb-1"),
        judge=JUDGES.get(vendor.type, "openai"),
    )
    if vendor.embeddings != "openai":
        return [numbers]
    answer["data"] = [{"object": "embedding", "index": 0, "embedding": _BASE64}]
    packed = dataclasses.replace(
        numbers,
        name="token ids, and numbers as base64",
        call=EmbeddingCall(((1, 2),), None, "base64"),
        body={"model": "the-model", "input": [[1, 2]], "encoding_format": "base64"},
        answer=msgspec.json.encode(answer),
        reply=msgspec.structs.replace(numbers.reply, embeddings=(_BASE64,)),
    )
    return [numbers, packed]


_VERDICT = {"hate": {"filtered": True, "severity": "high"}, "jailbreak": {"filtered": False, "detected": False}}
_STOPPED = msgspec.json.encode(
    {
        "error": {
            "message": "The prompt was filtered.",
            "code": "content_filter",
            "status": 400,
            "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": _VERDICT},
        }
    }
)

_DETAILS = [
    {
        "type": "reasoning.text",
        "text": "Step one.",
        "signature": "c2ln+/==",
        "format": "anthropic-claude-v1",
        "index": 0,
    },
    {"type": "reasoning.encrypted", "data": "ZW5j", "id": "rs_1", "format": "openai-responses-v1", "index": 1},
]
_DETAILED = Thought("Step one.", provider_type="openrouter", extra_data={"reasoning_details": _DETAILS})
_ROUTED = "openrouter.ai/docs/use-cases/reasoning-tokens#preserving-reasoning-blocks"


def _routed() -> list[AnyCase]:
    """Return what OpenRouter says of reasoning, and wants back."""
    first, second = _DETAILS
    signed = {key: value for key, value in first.items() if key not in ("text", "signature")}
    told = given.Answer(
        name="reasoning_details",
        kind="openrouter",
        docs=_ROUTED,
        content=(_DETAILED, Text("Hi.")),
        message={"reasoning": "Step one.", "reasoning_details": _DETAILS, "content": "Hi."},
        deltas=(
            {"reasoning": "Step ", "reasoning_details": [{**signed, "text": "Step "}]},
            {"reasoning": "one.", "reasoning_details": [{**signed, "text": "one."}]},
            {"reasoning_details": [{**signed, "signature": first["signature"]}]},
            {"reasoning_details": [second]},
            {"content": "Hi."},
        ),
        openai_types=False,
    )
    call = ModelCall(None, (user(Text("a")), Message("assistant", (_DETAILED, Text("Hi."))), user(Text("b"))))
    sent = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "Hi.", "reasoning_details": _DETAILS},
        {"role": "user", "content": "b"},
    ]
    body = {"model": "the-model", "messages": sent}
    vendor = COMPATIBLE["openrouter"]
    return [
        dataclasses.replace(view(told, "openrouter"), covers=("reasoning",)),
        Golden(
            "reasoning_details go back as they came",
            "openrouter",
            ("reasoning",),
            _ROUTED,
            call=call,
            url=url(vendor),
            body=body,
        ),
    ]


def _stopped_at_a_sequence() -> list[Answer]:
    """Return answers that end at a sequence of the caller's, where the vendor tells it from an end."""
    pages = {
        "vllm": ("docs.vllm.ai/en/latest/serving/openai_compatible_server", {"stop_reason": "END"}),
        "openrouter": (
            "openrouter.ai/announcements/standardized-finish-reasons",
            {"native_finish_reason": "stop_sequence"},
        ),
    }
    out: list[Answer] = []
    for kind, (docs, said) in pages.items():
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        start = {"index": 0, "delta": {"role": "assistant", "content": "Hi."}, "finish_reason": None}
        end = {"index": 0, "delta": {}, "finish_reason": "stop", **said}
        told = given.Answer(
            name="a stop sequence",
            kind=kind,
            docs=docs,
            content=(Text("Hi."),),
            finish="stop_sequence",
            message={"content": "Hi."},
            events=(given.event([start]), given.event([end]), {**given.event([]), "usage": usage}),
            usage=usage,
        )
        case = view(told, kind)
        whole = msgspec.json.decode(case.whole or b"")
        whole["choices"][0] |= said
        out.append(dataclasses.replace(case, covers=("stop reasons",), whole=msgspec.json.encode(whole)))
    return out


_BEGUN = given.event([{"index": 0, "delta": {"role": "assistant", "content": "Well"}, "finish_reason": None}])
_PARTIAL = Reply((Text("Well"),), Usage(), None, model="served-model", fingerprint="fp_1", request_id="answer-1")


def _lines(*events: dict[str, Any]) -> bytes:
    return b"".join(b"data: " + msgspec.json.encode(event) + b"\n\n" for event in events)


CHOICE_ERROR = {"code": 502, "message": "Provider disconnected", "metadata": {"provider_name": "x"}}
"""What OpenRouter says in a choice when the vendor behind it fails."""


def _failed_inside() -> BrokenStream:
    """Return a stream that OpenRouter ends with an error in its choice."""
    end = {"index": 0, "delta": {"content": ""}, "finish_reason": "error", "error": CHOICE_ERROR}
    return BrokenStream(
        "an error inside the choice",
        "openrouter",
        ("errors",),
        "openrouter.ai/docs/api-reference/streaming",
        stream=_lines(_BEGUN, given.event([end])),
        error=Refused,
        says="Provider disconnected",
        partial=_PARTIAL,
    )


def _filtered_midway() -> Answer:
    """Return a stream that Azure's filter ends with an error."""
    stopped = {"error": {"code": "content_filter", "message": "no", "innererror": {"content_filter_result": _VERDICT}}}
    return Answer(
        "a stream that the filter ends with an error",
        "azure",
        ("stop reasons",),
        "learn.microsoft.com/en-us/azure/ai-foundry/openai/concepts/content-filter",
        fields=FIELDS["azure"],
        read=READ,
        reply=msgspec.structs.replace(
            _PARTIAL, finish_reason="content_filter", finish_detail=msgspec.json.encode(_VERDICT)
        ),
        stream=_lines(_BEGUN, stopped),
    )


def _filtered() -> Answer:
    """Return an answer that Azure's filter stopped."""
    verdict = {"violence": {"filtered": True, "severity": "medium"}}
    shown = {"prompt_index": 0, "content_filter_results": {"hate": {"filtered": False, "severity": "safe"}}}
    base = given.event([])
    start = {"index": 0, "delta": {"role": "assistant", "content": "Well"}, "finish_reason": None}
    end = {"index": 0, "delta": {}, "finish_reason": "content_filter", "content_filter_results": verdict}
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    events = ({**base, "prompt_filter_results": [shown]}, {**base, "choices": [start]}, {**base, "choices": [end]})
    told = given.Answer(
        name="an answer that the filter stopped",
        kind="azure",
        docs="learn.microsoft.com/en-us/azure/ai-foundry/openai/concepts/content-filter",
        content=(Text("Well"),),
        finish="content_filter",
        message={"content": "Well"},
        word="content_filter",
        events=(*events, {**base, "usage": usage}),
        usage=usage,
    )
    case = view(told, "azure")
    whole = msgspec.json.decode(case.whole or b"")
    whole["choices"][0]["content_filter_results"] = verdict
    reply = msgspec.structs.replace(case.reply, finish_detail=msgspec.json.encode(verdict))
    return dataclasses.replace(case, covers=("stop reasons",), whole=msgspec.json.encode(whole), reply=reply)


_OF_ONE: tuple[AnyCase, ...] = (
    *_routed(),
    _filtered(),
    _filtered_midway(),
    _failed_inside(),
    *_stopped_at_a_sequence(),
)
CASES: tuple[AnyCase, ...] = _OF_ONE + tuple(
    case
    for vendor in COMPATIBLE.values()
    for case in (*_answers(vendor), *_goldens(vendor), *_failures(vendor), *_embedded(vendor))
)
AZURE_STOPPED = (_STOPPED, Reply((), Usage(), "content_filter", finish_detail=msgspec.json.encode(_VERDICT)))
"""What Azure answers, with status 400, to a prompt that its filter stops."""
