"""Google's generateContent: what is sent, what is answered."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace
from tests.contract.providers import calls
from tests.contract.providers.calls import HELLO, PERSON, WEATHER_SCHEMA, user
from tests.contract.providers.cases import Answer, AnyCase, BrokenStream, Embedded, Failure, Golden, Unservable

from calibrant.base.errors import BadAnswer, Refused, Truncated
from calibrant.types.call import EmbeddingCall, EmbeddingReply, Headers, ModelCall
from calibrant.types.content import CachePoint, File, Text, Thought, ToolCall, ToolResult, Unknown
from calibrant.types.message import Message
from calibrant.types.reply import Reply, Usage
from calibrant.types.request import Params
from calibrant.types.tool import ToolConfig

KINDS = ("google_ai_studio_gemini", "gcp_vertex_gemini")
API = "ai.google.dev/api/generate-content"
TOOLS = "ai.google.dev/gemini-api/docs/function-calling"
THINKING = "ai.google.dev/gemini-api/docs/thinking"
SIGNATURES = "ai.google.dev/gemini-api/docs/thought-signatures"
OUTPUTS = "ai.google.dev/gemini-api/docs/structured-output"
FILES = "ai.google.dev/gemini-api/docs/file-input-methods"
SAFETY = "ai.google.dev/gemini-api/docs/safety-settings"
SEARCH = "ai.google.dev/gemini-api/docs/google-search"
CODE = "ai.google.dev/gemini-api/docs/code-execution"
MIXED = "ai.google.dev/gemini-api/docs/tool-combination"
TROUBLE = "ai.google.dev/gemini-api/docs/troubleshooting"
EMBEDDINGS = "ai.google.dev/api/embeddings"
VERTEX_EMBEDDINGS = "cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api"
READ = "2026-11-28"

STUDIO = "https://generativelanguage.googleapis.com/v1beta/models/the-model"
PROJECT = "https://us-east5-aiplatform.googleapis.com/v1/projects/proj/locations/us-east5"
VERTEX = f"{PROJECT}/publishers/google/models/the-model"
FIELDS: dict[str, dict[str, Any]] = {
    "google_ai_studio_gemini": {},
    "gcp_vertex_gemini": {"options": {"location": "us-east5", "project_id": "proj"}},
}
URLS = {"google_ai_studio_gemini": STUDIO, "gcp_vertex_gemini": VERTEX}
SENT_HELLO = [{"role": "user", "parts": [{"text": "Hello"}]}]
DECLARED = {"name": "get_weather", "description": "The weather of a city", "parametersJsonSchema": WEATHER_SCHEMA}
CLOCK = {"name": "get_time", "description": "The time of day", "parametersJsonSchema": calls.CLOCK.parameters}
SEARCH_TOOL = {"googleSearch": {}}
_LENIENT = ToolConfig(tuple(replace(tool, strict=False) for tool in calls.AUTO_TOOLS.tools.tools))
SIGNATURE = "CiQBsig+/w=="
CODE_PART = {"executableCode": {"language": "PYTHON", "code": "print(1)"}}


def _call(messages: tuple[Message, ...] = HELLO, system: str | None = None, **fields: Any) -> ModelCall:
    return ModelCall(system, messages, **fields)


def _chosen(mode: str, **fields: Any) -> dict[str, Any]:
    return {"functionCallingConfig": {"mode": mode, **fields}}


def _goldens(kind: str) -> list[Golden]:
    studio = kind == "google_ai_studio_gemini"

    def own_id(word: str) -> dict[str, Any]:
        # Vertex AI refuses ids as unknown fields (vercel/ai#15664).
        return {"id": word} if studio else {}

    def golden(
        name: str,
        covers: tuple[str, ...],
        docs: str,
        call: ModelCall,
        headers: Headers = (),
        fields: dict[str, Any] | None = None,
        **body: Any,
    ) -> Golden:
        how = ":streamGenerateContent?alt=sse" if call.stream else ":generateContent"
        return Golden(
            name,
            kind,
            covers,
            docs,
            fields=FIELDS[kind] | (fields or {}),
            call=call,
            url=URLS[kind].replace("the-model", (fields or {}).get("model_name", "the-model")) + how,
            body={"contents": SENT_HELLO} | body,
            headers=(("content-type", "application/json"), *headers),
        )

    tools = [{"functionDeclarations": [DECLARED]}]
    return [
        golden("plain", ("text",), API, _call()),
        golden(
            "system", ("text",), API, _call(system="Be brief."), systemInstruction={"parts": [{"text": "Be brief."}]}
        ),
        golden("stream", ("stream",), API, _call(stream=True)),
        golden(
            "params",
            ("text", "reasoning"),
            API,
            _call(params=calls.EVERY_PARAM),
            generationConfig={
                "temperature": 0.5,
                "topP": 0.9,
                "maxOutputTokens": 100,
                "seed": 7,
                "stopSequences": ["END"],
                "presencePenalty": 0.1,
                "frequencyPenalty": 0.2,
                "thinkingConfig": {"includeThoughts": True, "thinkingBudget": 512},
            },
            headers=() if studio else (("x-vertex-ai-llm-shared-request-type", "flex"),),
            **({"serviceTier": "flex"} if studio else {}),
        ),
        golden(
            "an effort",
            ("reasoning",),
            THINKING,
            _call(params=Params(reasoning_effort="low", service_tier="auto")),
            generationConfig={"thinkingConfig": {"includeThoughts": True, "thinkingLevel": "LOW"}},
        ),
        golden(
            "no thinking",
            ("reasoning",),
            THINKING,
            _call(params=Params(thinking_budget_tokens=0, service_tier="default")),
            generationConfig={"thinkingConfig": {"includeThoughts": False, "thinkingBudget": 0}},
            **({"serviceTier": "standard"} if studio else {}),
        ),
        golden(
            "no effort",
            ("reasoning",),
            THINKING,
            _call(params=Params(reasoning_effort="none")),
            generationConfig={"thinkingConfig": {"includeThoughts": False, "thinkingBudget": 0}},
        ),
        golden(
            "an effort of a model that knows no levels",
            ("reasoning",),
            THINKING,
            _call(params=Params(reasoning_effort="high")),
            fields={"model_name": "gemini-2.5-flash"},
            generationConfig={"thinkingConfig": {"includeThoughts": True, "thinkingBudget": 24576}},
        ),
        golden(
            "required",
            ("tools", "forced tools"),
            TOOLS,
            _call(tools=calls.TOOLS.tools),
            tools=[{"functionDeclarations": [DECLARED, CLOCK]}],
            toolConfig=_chosen("ANY"),
        ),
        golden(
            "forced",
            ("forced tools",),
            TOOLS,
            _call(tools=calls.FORCED.tools),
            tools=tools,
            toolConfig=_chosen("ANY", allowedFunctionNames=["get_weather"]),
        ),
        golden("auto", ("tools",), TOOLS, _call(tools=_LENIENT), tools=tools),
        golden(
            "auto, all of them strict",
            ("tools",),
            TOOLS,
            _call(tools=calls.AUTO_TOOLS.tools),
            tools=tools,
            **({"toolConfig": _chosen("VALIDATED")} if studio else {}),
        ),
        golden(
            "tool_choice none (litellm#24443)",
            ("tools",),
            TOOLS,
            _call(tools=calls.NO_CALL.tools),
            tools=tools,
            toolConfig=_chosen("NONE"),
        ),
        golden(
            "a provider's tool beside others",
            ("provider tools",),
            MIXED,
            _call(tools=_LENIENT, provider_tools=(SEARCH_TOOL,)),
            tools=[*tools, SEARCH_TOOL],
            **({"toolConfig": {"includeServerSideToolInvocations": True}} if studio else {}),
        ),
        golden(
            "a provider's tool alone",
            ("provider tools",),
            SEARCH,
            _call(provider_tools=(SEARCH_TOOL,)),
            tools=[SEARCH_TOOL],
        ),
        golden(
            "talk with parallel calls and signatures",
            ("parallel tools", "reasoning"),
            SIGNATURES,
            _call(
                (
                    user(Text("Weather in Rome and Oslo?")),
                    Message(
                        "assistant",
                        (
                            Thought("Two calls.", provider_type=kind),
                            Thought("of another", "x", provider_type="anthropic"),
                            Text("Let me look."),
                            Text(""),
                            Thought(None, SIGNATURE, provider_type=kind),
                            ToolCall("gemini_0_resp-1", "get_weather", '{"city":"Rome"}'),
                            ToolCall("fc-1", "get_weather", '{"city": "Oslo", "n": 1.10}'),
                            ToolCall("fc-2", "get_time", ""),
                        ),
                    ),
                    user(ToolResult("fc-2", "", "noon"), Text("It is noon.")),
                    user(
                        ToolResult("fc-1", "get_weather", '{"sky": "rain"}'),
                        ToolResult("gemini_0_resp-1", "get_weather", "sunny"),
                    ),
                    user(CachePoint(), Text("And?")),
                    Message("assistant", (Text("Rain."), Thought(None, "bGFzdA==", provider_type=kind))),
                    user(Text("Thanks.")),
                )
            ),
            contents=[
                {"role": "user", "parts": [{"text": "Weather in Rome and Oslo?"}]},
                {
                    "role": "model",
                    "parts": [
                        {"text": "Two calls.", "thought": True},
                        {"text": "Let me look."},
                        {
                            "functionCall": {"name": "get_weather", "args": {"city": "Rome"}},
                            "thoughtSignature": SIGNATURE,
                        },
                        {
                            "functionCall": {
                                "name": "get_weather",
                                "args": {"city": "Oslo", "n": 1.10},
                                **own_id("fc-1"),
                            }
                        },
                        {"functionCall": {"name": "get_time", "args": {}, **own_id("fc-2")}},
                    ],
                },
                {
                    "role": "user",
                    "parts": [
                        {"functionResponse": {"name": "get_weather", "response": {"output": "sunny"}}},
                        {"functionResponse": {"name": "get_weather", "response": {"sky": "rain"}, **own_id("fc-1")}},
                        {"functionResponse": {"name": "get_time", "response": {"output": "noon"}, **own_id("fc-2")}},
                    ],
                },
                {"role": "user", "parts": [{"text": "It is noon."}, {"text": "And?"}]},
                {"role": "model", "parts": [{"text": "Rain."}, {"text": "", "thoughtSignature": "bGFzdA=="}]},
                {"role": "user", "parts": [{"text": "Thanks."}]},
            ],
        ),
        golden(
            "calls of another model, for a model that refuses them unsigned",
            ("parallel tools", "reasoning"),
            SIGNATURES,
            _call(
                (
                    *HELLO,
                    Message("assistant", (ToolCall("a", "get_time", "{}"), ToolCall("b", "get_time", "{}"))),
                    user(ToolResult("a", "get_time", "noon"), ToolResult("b", "get_time", "one")),
                )
            ),
            fields={"model_name": "gemini-3.5-flash"},
            contents=[
                *SENT_HELLO,
                {
                    "role": "model",
                    "parts": [
                        {
                            "functionCall": {"name": "get_time", "args": {}, **own_id("a")},
                            "thoughtSignature": "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=",
                        },
                        {"functionCall": {"name": "get_time", "args": {}, **own_id("b")}},
                    ],
                },
                {
                    "role": "user",
                    "parts": [
                        {"functionResponse": {"name": "get_time", "response": {"output": word}, **own_id(id_)}}
                        for id_, word in (("a", "noon"), ("b", "one"))
                    ],
                },
            ],
        ),
        golden(
            "files",
            ("images", "files", "audio"),
            FILES,
            _call(
                (
                    user(
                        File(data="aGk=", mime_type="image/jpeg"),
                        File(url="https://x.test/a.png?x=1"),
                        File(data="aGk=", mime_type="application/pdf"),
                        File(url="https://x.test/b", mime_type="audio/mpeg"),
                    ),
                )
            ),
            contents=[
                {
                    "role": "user",
                    "parts": [
                        {"inlineData": {"mimeType": "image/jpeg", "data": "aGk="}},
                        {"fileData": {"mimeType": "image/png", "fileUri": "https://x.test/a.png?x=1"}},
                        {"inlineData": {"mimeType": "application/pdf", "data": "aGk="}},
                        {"fileData": {"mimeType": "audio/mpeg", "fileUri": "https://x.test/b"}},
                    ],
                }
            ],
        ),
        golden(
            "a schema",
            ("structured output",),
            OUTPUTS,
            _call(
                json_mode="strict", output_schema={**PERSON, "$schema": "https://json-schema.org/draft/2020-12/schema"}
            ),
            generationConfig={"responseMimeType": "application/json", "responseJsonSchema": PERSON},
        ),
        golden(
            "JSON without a schema",
            ("structured output",),
            OUTPUTS,
            _call(json_mode="on", output_schema=PERSON),
            generationConfig={"responseMimeType": "application/json"},
        ),
        golden(
            "the JSON tool",
            ("structured output",),
            TOOLS,
            _call(json_mode="tool", output_schema=PERSON),
            tools=[
                {
                    "functionDeclarations": [
                        {
                            "name": "respond",
                            "description": "Respond to the user with what this tool's parameters describe.",
                            "parametersJsonSchema": PERSON,
                        }
                    ]
                }
            ],
            toolConfig=_chosen("ANY", allowedFunctionNames=["respond"]),
        ),
        golden(
            "unknown parts go back as they came",
            ("provider tools",),
            CODE,
            _call(
                (user(Text("a")), Message("assistant", (Unknown(CODE_PART), Unknown({"x": 1}, None, "other"))), *HELLO)
            ),
            contents=[
                {"role": "user", "parts": [{"text": "a"}]},
                {"role": "model", "parts": [CODE_PART]},
                {"role": "user", "parts": [{"text": "Hello"}]},
            ],
        ),
    ]


USAGE = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}


def body(
    parts: list[Any] | None, finish: str | None = None, usage: dict[str, Any] | None = None, **candidate: Any
) -> Any:
    """Return an answer, or an event of a stream."""
    first: dict[str, Any] = {"index": 0, **candidate}
    if parts is not None:
        first["content"] = {"role": "model", "parts": parts}
    if finish is not None:
        first["finishReason"] = finish
    found: dict[str, Any] = {"candidates": [first], "modelVersion": "served-model", "responseId": "resp-1"}
    return found if usage is None else {**found, "usageMetadata": usage}


def events(*bodies: Any) -> bytes:
    """Return the events of a stream, as the API cuts them: by CRLF."""
    return b"".join(b"data: %s\r\n\r\n" % msgspec.json.encode(each) for each in bodies)


def answer(
    name: str,
    covers: tuple[str, ...],
    docs: str,
    parts: list[Any],
    reply: Reply,
    *,
    finish: str = "STOP",
    usage: dict[str, Any] = USAGE,
    pieces: list[list[Any]] | None = None,
    json_tool: bool = False,
    fields: dict[str, Any] | None = None,
    **candidate: Any,
) -> list[Answer]:
    """Return the answer in both forms, of both provider types."""
    early = {**usage, "candidatesTokenCount": 1}
    cut = pieces if pieces is not None else [[part] for part in parts]
    chunks = [body(piece, usage=early) for piece in cut]
    stream = events(*chunks, body([{"text": ""}], finish, usage, **candidate))
    return [
        Answer(
            name,
            kind,
            covers,
            docs,
            fields=FIELDS[kind] | (fields or {}),
            read=READ,
            reply=replace(reply, content=tuple(_of(kind, block) for block in reply.content)),
            whole=msgspec.json.encode(body(parts, finish, usage, **candidate)),
            stream=stream,
            judge="google-genai",
            json_tool=json_tool,
        )
        for kind in KINDS
    ]


def _of(kind: str, block: Any) -> Any:
    return replace(block, provider_type=kind) if isinstance(block, Thought) else block


def said(*content: Any, finish: Any = "stop", usage: Usage = Usage(10, 5), detail: Any = None) -> Reply:  # noqa: B008
    """Return what an answer means."""
    raw = b"" if detail is None else msgspec.json.encode(detail)
    return Reply(content, usage, finish, model="served-model", request_id="resp-1", finish_detail=raw)


_TEXT = {"text": "Hello, world."}
_HELLO = Text("Hello, world.")
_CUT = [[{"text": "Hello,"}], [{"text": " wor"}, {"text": "ld."}]]
_ROME = {"functionCall": {"name": "get_weather", "args": {"city": "Rome"}}}
_OSLO = {"functionCall": {"name": "get_weather", "args": {"city": "Oslo"}, "id": "fc-1"}}
_ROME_CALL = ToolCall("gemini_0_resp-1", "get_weather", '{"city":"Rome"}')
_OSLO_CALL = ToolCall("fc-1", "get_weather", '{"city":"Oslo"}')
_RATINGS = [{"category": "HARM_CATEGORY_HARASSMENT", "probability": "HIGH", "blocked": True}]
_FULL_USAGE = {
    "promptTokenCount": 100,
    "cachedContentTokenCount": 60,
    "candidatesTokenCount": 5,
    "thoughtsTokenCount": 7,
    "toolUsePromptTokenCount": 20,
    "totalTokenCount": 132,
}

ANSWERS: list[Answer] = [
    *answer("text", ("text", "stream", "usage"), API, [_TEXT], said(_HELLO), pieces=_CUT),
    *answer("length", ("stop reasons",), API, [_TEXT], said(_HELLO, finish="length"), finish="MAX_TOKENS"),
    *answer(
        "other",
        ("stop reasons",),
        API,
        [_TEXT],
        said(_HELLO, finish="unknown", detail={"finishReason": "OTHER"}),
        finish="OTHER",
    ),
    *answer(
        "a call that the model got wrong",
        ("stop reasons",),
        API,
        [],
        said(
            finish="unknown",
            detail={"finishReason": "MALFORMED_FUNCTION_CALL", "finishMessage": "print(x)"},
        ),
        finish="MALFORMED_FUNCTION_CALL",
        finishMessage="print(x)",
    ),
    *answer(
        "blocked for safety",
        ("stop reasons",),
        SAFETY,
        [_TEXT],
        said(_HELLO, finish="content_filter", detail={"finishReason": "SAFETY", "safetyRatings": _RATINGS}),
        finish="SAFETY",
        safetyRatings=_RATINGS,
    ),
    *answer("one call without an id", ("tools",), TOOLS, [_ROME], said(_ROME_CALL, finish="tool_call")),
    *answer(
        "text, then two calls at once (Portkey#1275)",
        ("parallel tools",),
        TOOLS,
        [_TEXT, _ROME, _OSLO],
        said(_HELLO, _ROME_CALL, _OSLO_CALL, finish="tool_call"),
        pieces=[[_TEXT], [_ROME, _OSLO]],
    ),
    *answer(
        "a call without arguments (litellm#25836)",
        ("tools",),
        TOOLS,
        [{"functionCall": {"name": "get_time"}}],
        said(ToolCall("gemini_0_resp-1", "get_time", "{}"), finish="tool_call"),
    ),
    *answer(
        "the JSON tool",
        ("structured output",),
        TOOLS,
        [{"functionCall": {"name": "respond", "args": {"name": "Ann"}}}],
        said(Text('{"name":"Ann"}')),
        json_tool=True,
    ),
    *answer(
        "thoughts",
        ("reasoning",),
        THINKING,
        [{"text": "Step by step.", "thought": True}, _TEXT],
        said(Thought("Step by step."), _HELLO),
        pieces=[[{"text": "Step by", "thought": True}], [{"text": " step.", "thought": True}, _TEXT]],
    ),
    *answer(
        "signatures on a call, a text and a thought",
        ("reasoning",),
        SIGNATURES,
        [
            {"text": "Hm.", "thought": True, "thoughtSignature": "czE="},
            {**_TEXT, "thoughtSignature": "czI="},
            {**_ROME, "thoughtSignature": SIGNATURE},
            _OSLO,
        ],
        said(
            Thought("Hm.", "czE="),
            Thought(None, "czI="),
            _HELLO,
            Thought(None, SIGNATURE),
            _ROME_CALL,
            _OSLO_CALL,
            finish="tool_call",
        ),
    ),
    *answer(
        "a signature in a last part without text",
        ("reasoning",),
        SIGNATURES,
        [_TEXT, {"text": "", "thoughtSignature": SIGNATURE}],
        said(_HELLO, Thought(None, SIGNATURE)),
    ),
    *answer(
        "a signature alone, and more after it",
        ("reasoning",),
        SIGNATURES,
        [{"text": "", "thoughtSignature": SIGNATURE}, _TEXT],
        said(Thought(None, SIGNATURE), Text(""), _HELLO),
    ),
    *answer(
        "a signed piece of text between unsigned ones",
        ("reasoning",),
        SIGNATURES,
        [{"text": "a"}, {"text": "b", "thoughtSignature": SIGNATURE}, {"text": "c"}, {"text": "d"}],
        said(Text("a"), Thought(None, SIGNATURE), Text("b"), Text("cd")),
    ),
    *answer(
        "a part that says nothing, and two calls of one id",
        ("parallel tools",),
        TOOLS,
        [{}, _OSLO, {"functionCall": {"name": "get_time", "args": {}, "id": "fc-1"}}],
        said(_OSLO_CALL, ToolCall("gemini_1_resp-1", "get_time", "{}"), finish="tool_call"),
    ),
    *answer(
        "what the API's own tools did (tool combination)",
        ("provider tools",),
        MIXED,
        [
            {"toolCall": {"toolType": "GOOGLE_SEARCH_WEB", "id": "s1"}, "thoughtSignature": "czE="},
            {"toolResponse": {"toolType": "GOOGLE_SEARCH_WEB", "id": "s1", "response": {}}, "thoughtSignature": "czI="},
            {**_OSLO, "thoughtSignature": SIGNATURE},
        ],
        said(
            Unknown({"toolCall": {"toolType": "GOOGLE_SEARCH_WEB", "id": "s1"}, "thoughtSignature": "czE="}),
            Unknown(
                {
                    "toolResponse": {"toolType": "GOOGLE_SEARCH_WEB", "id": "s1", "response": {}},
                    "thoughtSignature": "czI=",
                }
            ),
            Thought(None, SIGNATURE),
            _OSLO_CALL,
            finish="tool_call",
        ),
    ),
    *answer(
        "cached, thought and tool tokens",
        ("usage", "cache tokens"),
        API,
        [_TEXT],
        said(_HELLO, usage=Usage(120, 12, 60, None, 7)),
        usage=_FULL_USAGE,
    ),
    *answer(
        "code that ran",
        ("provider tools",),
        CODE,
        [CODE_PART, {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}}, _TEXT],
        said(
            Unknown(CODE_PART),
            Unknown({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}}),
            _HELLO,
        ),
    ),
]


def _lone(kind: str) -> list[AnyCase]:
    fields = FIELDS[kind]
    blocked = {
        "promptFeedback": {"blockReason": "SAFETY", "safetyRatings": _RATINGS},
        "usageMetadata": {"promptTokenCount": 10, "totalTokenCount": 10},
        "modelVersion": "served-model",
        "responseId": "resp-1",
    }
    begun = body([{"text": "Hello"}], usage={**USAGE, "candidatesTokenCount": 1})
    partial = Reply((Text("Hello"),), Usage(10, 1), None, model="served-model", request_id="resp-1")
    busy = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12.5s"}

    def failure(status: int, word: str, *, retryable: bool, listed: bool = False, wait: float | None = None) -> Failure:
        error: dict[str, Any] = {"code": status, "message": f"said {word}", "status": word}
        if wait is not None:
            error["details"] = [{"@type": "type.googleapis.com/google.rpc.Help"}, info]
        told = msgspec.json.encode([{"error": error}] if listed else {"error": error})
        return Failure(
            f"{status} {word}{', in a list' if listed else ''}",
            kind,
            ("errors",),
            TROUBLE,
            fields=fields,
            status=status,
            body=told,
            says=f"answered {status}: said {word}",
            retryable=retryable,
            retry_after=wait,
        )

    def broken(name: str, stream: bytes, **more: Any) -> BrokenStream:
        return BrokenStream(
            name, kind, ("errors",), TROUBLE, fields=fields, stream=stream, **{"partial": partial, **more}
        )

    def refuse(name: str, says: str, call: ModelCall) -> Unservable:
        return Unservable(name, kind, (), API, fields=fields, call=call, says=says)

    bad_call = Message("assistant", (ToolCall("t", "get_time", '{"a":'),))
    return [
        Answer(
            "a blocked prompt",
            kind,
            ("stop reasons",),
            SAFETY,
            fields=fields,
            read=READ,
            reply=said(finish="content_filter", usage=Usage(10, 0), detail=blocked["promptFeedback"]),
            whole=msgspec.json.encode(blocked),
            stream=events(blocked),
            judge="google-genai",
        ),
        broken("overloaded in the middle", events(begun, busy), says="overloaded"),
        broken("cut in the middle", events(begun), error=Truncated, says="a finish reason"),
        broken("garbage in the middle", events(begun) + b"data: {]\r\n\r\n", error=BadAnswer),
        broken(
            "a whole error in a list instead of a stream",
            msgspec.json.encode([busy]),
            says="overloaded",
            partial=Reply((), Usage(), None),
        ),
        broken(
            "a whole error instead of a stream",
            msgspec.json.encode(busy),
            error=Refused,
            says="overloaded",
            partial=Reply((), Usage(), None),
        ),
        failure(400, "INVALID_ARGUMENT", retryable=False),
        failure(401, "UNAUTHENTICATED", retryable=False),
        failure(403, "PERMISSION_DENIED", retryable=False),
        failure(404, "NOT_FOUND", retryable=False),
        failure(429, "RESOURCE_EXHAUSTED", retryable=True, wait=12.5),
        failure(429, "RESOURCE_EXHAUSTED", retryable=True, wait=12.5, listed=True),
        failure(500, "INTERNAL", retryable=True),
        failure(503, "UNAVAILABLE", retryable=True),
        failure(504, "DEADLINE_EXCEEDED", retryable=True, listed=True),
        refuse("a file of a type that nobody knows", "`mime_type`", _call((user(File(url="https://x.test/a")),))),
        refuse("arguments that are no object", "`arguments`", _call((*HELLO, bad_call, *HELLO))),
        refuse("no message", "`messages`", _call(())),
    ]


_EMBED = EmbeddingCall(("a", "b"), dimensions=2)
_VECTORS = ((0.5, -1.0), (0.25, 2.0))

EMBEDDED = [
    Embedded(
        "two texts",
        "google_ai_studio_gemini",
        ("embeddings",),
        EMBEDDINGS,
        call=_EMBED,
        url=f"{STUDIO}:batchEmbedContents",
        body={
            "requests": [
                {"model": "models/the-model", "content": {"parts": [{"text": text}]}, "outputDimensionality": 2}
                for text in "ab"
            ]
        },
        answer=msgspec.json.encode({"embeddings": [{"values": vector} for vector in _VECTORS]}),
        reply=EmbeddingReply(_VECTORS, Usage()),
        judge="google-genai",
    ),
    Embedded(
        "two texts, by :predict",
        "gcp_vertex_gemini",
        ("embeddings",),
        VERTEX_EMBEDDINGS,
        fields=FIELDS["gcp_vertex_gemini"] | {"model_name": "text-embedding-005"},
        call=_EMBED,
        url=f"{PROJECT}/publishers/google/models/text-embedding-005:predict",
        body={"instances": [{"content": "a"}, {"content": "b"}], "parameters": {"outputDimensionality": 2}},
        answer=msgspec.json.encode(
            {
                "predictions": [
                    {"embeddings": {"values": vector, "statistics": {"token_count": 3, "truncated": False}}}
                    for vector in _VECTORS
                ]
            }
        ),
        reply=EmbeddingReply(_VECTORS, Usage(6)),
        judge="google-genai",
    ),
    Embedded(
        "two texts, by :batchEmbedContents",
        "gcp_vertex_gemini",
        ("embeddings",),
        VERTEX_EMBEDDINGS,
        fields=FIELDS["gcp_vertex_gemini"] | {"model_name": "gemini-embedding-001"},
        call=_EMBED,
        url=f"{PROJECT}/publishers/google/models/gemini-embedding-001:batchEmbedContents",
        body={
            "requests": [
                {"content": {"parts": [{"text": text}]}, "embedContentConfig": {"outputDimensionality": 2}}
                for text in "ab"
            ]
        },
        answer=msgspec.json.encode({"embeddings": [{"values": vector} for vector in _VECTORS]}),
        reply=EmbeddingReply(_VECTORS, Usage()),
        judge="google-genai",
    ),
    Embedded(
        "one text, by :embedContent",
        "gcp_vertex_gemini",
        ("embeddings",),
        VERTEX_EMBEDDINGS,
        fields=FIELDS["gcp_vertex_gemini"] | {"model_name": "gemini-embedding-2"},
        call=EmbeddingCall(("a",)),
        url=f"{PROJECT}/publishers/google/models/gemini-embedding-2:embedContent",
        body={"content": {"parts": [{"text": "a"}]}},
        answer=msgspec.json.encode(
            {"embedding": {"values": _VECTORS[0]}, "usageMetadata": {"promptTokenCount": 3, "totalTokenCount": 3}}
        ),
        reply=EmbeddingReply(_VECTORS[:1], Usage(3)),
        judge="google-genai",
    ),
]

CASES: tuple[AnyCase, ...] = (
    *(case for kind in KINDS for case in _goldens(kind)),
    Golden(
        "a tuned endpoint",
        "gcp_vertex_gemini",
        ("text",),
        "cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference",
        fields={"model_name": "", "options": {"location": "global", "project_id": "proj", "endpoint_id": "42"}},
        call=_call(),
        url="https://aiplatform.googleapis.com/v1/projects/proj/locations/global/endpoints/42:generateContent",
        body={"contents": SENT_HELLO},
    ),
    *ANSWERS,
    *(case for kind in KINDS for case in _lone(kind)),
    *EMBEDDED,
)
