"""`POST /inference`: what it takes, and what it answers, whole and streamed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, Required, TypedDict, Unpack
from uuid import UUID

from msgspec import UNSET, Raw, Struct, UnsetType

from calibrant.client.blocks import JsonInferenceOutput, OutputBlock, StoredInput, reader
from calibrant.client.call import Call, send
from calibrant.client.errors import BadReply, StreamFailed
from calibrant.types.reply import Delta

__all__ = [
    "AggregatedOutput",
    "ChatChunk",
    "ChatInferenceResponse",
    "Id",
    "InferenceChunk",
    "InferenceInput",
    "InferenceOptions",
    "InferenceResponse",
    "JsonChunk",
    "JsonInferenceResponse",
    "RawResponseEntry",
    "RawUsageEntry",
    "ToolChoice",
    "Usage",
    "inference",
    "read_chunk",
    "read_inference",
]

Id = str | UUID
InferenceInput = Mapping[str, Any] | StoredInput
"""`{"system": ..., "messages": [{"role": ..., "content": ...}]}`, content is text or blocks; or as it is stored."""
ToolChoice = Literal["none", "off", "auto", "required"] | Mapping[Literal["specific"], str]


class Usage(Struct, frozen=True, kw_only=True):
    """Tokens of an inference and what they cost; null is unknown."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    provider_cache_read_input_tokens: int | None = None
    provider_cache_write_input_tokens: int | None = None
    cost: Decimal | None = None
    """US dollars, with every digit."""


class RawUsageEntry(Struct, frozen=True, kw_only=True):
    """A provider's own count of what one call used."""

    model_inference_id: str | None = None
    provider_type: str
    api_type: str
    data: Any = None


class RawResponseEntry(Struct, frozen=True, kw_only=True):
    """What a provider answered to one call, as it came."""

    model_inference_id: str | None = None
    provider_type: str
    api_type: str
    data: str


class _Common(Struct, frozen=True, kw_only=True):
    inference_id: str
    episode_id: str
    variant_name: str
    finish_reason: str | None = None
    """`stop`, `stop_sequence`, `length`, `tool_call`, `content_filter` or `unknown`; null where no provider said."""
    raw_usage: tuple[RawUsageEntry, ...] | None = None
    raw_response: tuple[RawResponseEntry, ...] | None = None


class ChatInferenceResponse(_Common, frozen=True, kw_only=True):
    """The answer of a chat function, or of a model."""

    content: tuple[OutputBlock, ...]
    usage: Usage
    original_response: str | None = None


class JsonInferenceResponse(_Common, frozen=True, kw_only=True):
    """The answer of a JSON function."""

    output: JsonInferenceOutput
    usage: Usage
    original_response: str | None = None


InferenceResponse = ChatInferenceResponse | JsonInferenceResponse
AggregatedOutput = tuple[OutputBlock, ...] | JsonInferenceOutput


class _Piece(_Common, frozen=True, kw_only=True):
    usage: Usage | None = None
    """In the last chunk."""
    raw_chunk: str | None = None
    original_chunk: str | None = None


class ChatChunk(_Piece, frozen=True, kw_only=True):
    """A step of a streamed answer of a chat function. Pieces with one id belong to one block."""

    content: tuple[Delta, ...]
    aggregated_response: tuple[OutputBlock, ...] | None = None
    """The whole answer, in the last chunk, where `include_aggregated_response` asked for it."""


class JsonChunk(_Piece, frozen=True, kw_only=True):
    """A step of a streamed answer of a JSON function: more of its text."""

    raw: str
    aggregated_response: JsonInferenceOutput | None = None
    """The whole answer, in the last chunk, where `include_aggregated_response` asked for it."""


InferenceChunk = ChatChunk | JsonChunk


class InferenceOptions(TypedDict, total=False):
    """What `inference` takes beside `stream`. Null is as good as left out."""

    input: Required[InferenceInput]
    function_name: str | None
    """This or `model_name`."""
    model_name: str | None
    episode_id: Id | None
    namespace: str | None
    params: Mapping[str, Any] | None
    variant_name: str | None
    dryrun: bool | None
    output_schema: Mapping[str, Any] | None
    allowed_tools: Sequence[str] | None
    additional_tools: Sequence[Mapping[str, Any]] | None
    provider_tools: Sequence[Mapping[str, Any]] | None
    tool_choice: ToolChoice | None
    parallel_tool_calls: bool | None
    internal: bool | None
    tags: Mapping[str, str] | None
    credentials: Mapping[str, str] | None
    cache_options: Mapping[str, Any] | None
    extra_body: Sequence[Mapping[str, Any]] | None
    extra_headers: Sequence[Mapping[str, Any]] | None
    otlp_traces_extra_headers: Mapping[str, str] | None
    otlp_traces_extra_attributes: Mapping[str, str] | None
    otlp_traces_extra_resources: Mapping[str, str] | None
    include_original_response: bool | None
    include_raw_response: bool | None
    include_raw_usage: bool | None
    include_aggregated_response: bool | None
    internal_dynamic_variant_config: Mapping[str, Any] | None
    gateway_http_headers: Mapping[str, str] | None
    """Headers of the request to the gateway itself, for a proxy before it."""


_NOT_IN_BODY = frozenset(
    (
        "gateway_http_headers",
        "otlp_traces_extra_attributes",
        "otlp_traces_extra_headers",
        "otlp_traces_extra_resources",
    )
)
_OPTIONS = frozenset(InferenceOptions.__annotations__)


def inference(*, stream: bool | None, **options: Unpack[InferenceOptions]) -> Call[InferenceResponse]:
    """Return the call that makes an inference.

    Raises:
        TypeError: an option is unknown, or `input` is missing.
    """
    given: dict[str, Any] = dict(options)
    for name in given:
        if name not in _OPTIONS:
            raise TypeError(f"inference() got an unexpected keyword argument {name!r}")
    if "input" not in given:
        raise TypeError("inference() missing 1 required keyword-only argument: 'input'")
    headers = dict(options.get("gateway_http_headers") or {})
    for prefix, extra in (
        ("header", options.get("otlp_traces_extra_headers")),
        ("attribute", options.get("otlp_traces_extra_attributes")),
        ("resource", options.get("otlp_traces_extra_resources")),
    ):
        headers |= {f"tensorzero-otlp-traces-extra-{prefix}-{key}": value for key, value in (extra or {}).items()}
    body = {name: value for name, value in given.items() if name not in _NOT_IN_BODY}
    if stream:
        headers["accept"] = "text/event-stream, application/json"
    call = send("POST", "/inference", {**body, "stream": stream}, None, repeat="unless_begun", headers=headers)
    return Call(
        method=call.method,
        path=call.path,
        body=call.body,
        headers=call.headers,
        repeat=call.repeat,
        read=read_inference,
    )


class _Kind(Struct, frozen=True):
    """What tells the kinds of answers and of events apart."""

    content: Raw | UnsetType = UNSET
    output: Raw | UnsetType = UNSET
    raw: Raw | UnsetType = UNSET
    error: Any = None


_kind = reader(_Kind)
_chat = reader(ChatInferenceResponse)
_json = reader(JsonInferenceResponse)
_chat_chunk = reader(ChatChunk)
_json_chunk = reader(JsonChunk)


def read_inference(body: bytes) -> InferenceResponse:
    """Return the answer that a body is.

    Raises:
        BadReply: it is none.
    """
    kind: _Kind = _kind(body)
    if kind.content is not UNSET:
        return _chat(body)
    if kind.output is not UNSET:
        return _json(body)
    raise BadReply("the answer has neither `content` nor `output`; is this the address of a gateway?")


def read_chunk(data: bytes) -> InferenceChunk:
    """Return the chunk that the data of an event is.

    Raises:
        StreamFailed: it says that the inference failed.
        BadReply: it is no chunk.
    """
    kind: _Kind = _kind(data)
    if kind.content is not UNSET:
        return _chat_chunk(data)
    if kind.raw is not UNSET:
        return _json_chunk(data)
    if kind.error is not None:
        raise StreamFailed(
            f"the inference failed in the middle of its stream: {kind.error}", text=data.decode("utf-8", "replace")
        )
    raise BadReply("an event of the stream has neither `content` nor `raw`; is this the address of a gateway?")
