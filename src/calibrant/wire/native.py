"""The native dialect: `POST /inference` and `POST /feedback`, in and out.

`decode` and `decode_feedback` turn a body into a value or say what is wrong with it and where; `encode` and
`Events` write answers, whole and streamed. Whether the function exists and the input fits its schemas is not
asked here.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from calibrant.apischema import native as shape
from calibrant.base.errors import CalibrantError, InvalidRequest
from calibrant.types.answer import Answered, Head
from calibrant.types.cached import NO_CACHE
from calibrant.types.content import (
    CachePoint,
    File,
    InputBlock,
    OutputBlock,
    RawText,
    Template,
    Text,
    Thought,
    ToolCall,
    ToolResult,
    Unknown,
)
from calibrant.types.message import Input, Message, Role
from calibrant.types.reply import Chunk, TextDelta, ToolCallDelta, Usage
from calibrant.types.request import Feedback, InferenceRequest
from calibrant.types.rows import ModelInferenceRow
from calibrant.types.tool import CustomTool, Specific, Tool, ToolChoice
from calibrant.wire import body as checks
from calibrant.wire import files, sse
from calibrant.wire.body import invalid
from calibrant.wire.error import encode_error
from calibrant.wire.options import to_extra_body, to_extra_headers, to_provider_tools
from calibrant.wire.raw import RawFields
from calibrant.wire.tools import custom_tool

__all__ = ["Events", "decode", "decode_feedback", "encode"]

_INFERENCE = msgspec.json.Decoder(shape.InferenceBody)
_FEEDBACK = msgspec.json.Decoder(shape.FeedbackBody)
_json = msgspec.json.Encoder().encode
_TOO_LARGE = 2**1023
"""JSON allows integers that no float can hold; a metric's value is a float in the end."""


def decode(body: bytes, *, now_ms: int) -> InferenceRequest:
    """Return the inference that a body asks for.

    Raises:
        InvalidRequest: the body is malformed or contradicts itself; the message has the JSON path.
        NotImplementedYet: it asks for something that this version does not have.
    """
    asked = checks.parse(_INFERENCE, body)
    _check_target(asked)
    _check_options(asked)
    function = asked.function_name
    # By position, in the order of the request's fields: a Struct finds each keyword by going through all its fields.
    request = InferenceRequest(
        _input(asked.input),
        None if function is None else checks.stored_name(function),
        asked.model_name,
        asked.stream or False,
        checks.to_params(asked.params),
        checks.checked_tags(asked.tags, field="tags", internal=asked.internal or False) if asked.tags else {},
        _tools(asked.additional_tools) if asked.additional_tools else (),
        _custom_tools(asked.additional_tools) if asked.additional_tools else (),
        asked.allowed_tools,
        _tool_choice(asked.tool_choice),
        asked.parallel_tool_calls,
        asked.output_schema,
        "native",
        "tensorzero" if function is None else checks.used_prefix(function),
        None
        if asked.episode_id is None
        else checks.checked_episode(asked.episode_id, field="episode_id", now_ms=now_ms),
        asked.variant_name,
        asked.namespace,
        asked.dryrun or False,
        asked.credentials or {},
        to_extra_body(asked.extra_body, "$.extra_body") if asked.extra_body else (),
        to_extra_headers(asked.extra_headers, "$.extra_headers") if asked.extra_headers else (),
        to_provider_tools(asked.provider_tools, "$.provider_tools") if asked.provider_tools else (),
        asked.include_raw_usage or False,
        asked.include_raw_response or False,
        asked.include_original_response or False,
        NO_CACHE if asked.cache_options is None else checks.to_cache_policy(asked.cache_options),
        asked.internal_dynamic_variant_config,
        True,  # include_usage
        None,  # recall
        None,  # sent
        asked.internal or False,
        asked.include_aggregated_response or False,
    )
    checks.check_documents(body, request)
    return request


def decode_feedback(body: bytes, *, now_ms: int) -> Feedback:
    """Return the feedback that a body gives.

    Raises:
        InvalidRequest: the body is malformed, or it names no target or two.
    """
    given = checks.parse(_FEEDBACK, body)
    if (given.inference_id is None) == (given.episode_id is None):
        raise InvalidRequest("Feedback needs exactly one of `inference_id` and `episode_id`")
    checks.refuse_deep(given.value, "$.value")
    if isinstance(given.value, int) and abs(given.value) >= _TOO_LARGE:
        raise invalid("number out of range", "$.value")
    internal = given.internal or False
    tags = checks.checked_tags(given.tags or {}, field="tags", internal=internal)
    checks.check_names([("$.metric_name", given.metric_name), *(("$.tags", k + v) for k, v in tags.items())])
    inference_id, episode_id = given.inference_id, given.episode_id
    if inference_id is not None:
        inference_id = checks.checked_id(inference_id, field="inference_id", now_ms=now_ms)
    if episode_id is not None:
        episode_id = checks.checked_episode(episode_id, field="episode_id", now_ms=now_ms)
    return Feedback(
        metric_name=checks.stored_name(given.metric_name),
        value=given.value,
        inference_id=inference_id,
        episode_id=episode_id,
        tags=tags,
        dryrun=given.dryrun or False,
        internal=internal,
    )


def encode(answered: Answered) -> bytes:
    """Return the body of a whole answer."""
    raw = RawFields.asked(answered.head.request)
    body = _whole(answered)
    return body if raw is None else raw.whole(body, answered.calls)


def _whole(answered: Answered) -> bytes:
    head = answered.head
    usage = _usage(answered.usage, answered.cost)
    if head.function_type == "chat":
        return _json(
            shape.ChatAnswer(
                head.inference_id,
                head.episode_id,
                head.variant_name,
                answered.content,
                usage,
                answered.finish_reason,
            )
        )
    return _json(
        shape.JsonAnswer(
            head.inference_id,
            head.episode_id,
            head.variant_name,
            shape.JsonOutput(answered.raw, answered.parsed),
            usage,
            answered.finish_reason,
        )
    )


def _output(answered: Answered) -> tuple[OutputBlock, ...] | shape.JsonOutput:
    if answered.head.function_type == "chat":
        return answered.content
    return shape.JsonOutput(answered.raw, answered.parsed)


class Events:
    """Writes a streamed answer: chunks, then `final` or `error`, then `done`."""

    __slots__ = ("_aggregated", "_chat", "_nothing", "_raw", "_start")

    def __init__(self, head: Head) -> None:
        """Write the part that all events share once."""
        self._chat = head.function_type == "chat"
        self._nothing = b"[]" if self._chat else b'""'
        self._aggregated = head.request.include_aggregated_response
        self._raw = RawFields.asked(head.request)
        who = {
            "inference_id": head.inference_id,
            "episode_id": head.episode_id,
            "variant_name": head.variant_name,
        }
        self._start = b"data: " + _json(who)[:-1] + (b',"content":' if self._chat else b',"raw":')

    def chunk(self, chunk: Chunk) -> bytes:
        """Return the event for what the chunk adds to the answer; empty where it adds nothing.

        A caller who wants what is raw gets an event for every one of the provider's.
        """
        event = self._added(chunk)
        if self._raw is None or not chunk.raw:
            return event
        return self._raw.chunk(event or self._empty(), chunk)

    def _added(self, chunk: Chunk) -> bytes:
        if not chunk.content:
            return b""
        if self._chat:
            return self._start + _json(chunk.content) + b"}\n\n"
        # A JSON function that is served by a tool call has its text in the call's arguments.
        raw = "".join(
            delta.text if isinstance(delta, TextDelta) else delta.raw_arguments
            for delta in chunk.content
            if isinstance(delta, (TextDelta, ToolCallDelta))
        )
        return self._start + _json(raw) + b"}\n\n" if raw else b""

    def preceding(self, calls: Sequence[ModelInferenceRow]) -> bytes:
        """Return the event that tells what is raw of the calls before the one that streams."""
        return b"" if self._raw is None else self._raw.preceding(self._empty(), calls)

    def final(self, answered: Answered) -> bytes:
        """Return the event with the usage and the finish reason, and with the whole answer where asked for."""
        event = b'%s%s,"usage":%s,"finish_reason":%s%s}\n\n' % (
            self._start,
            self._nothing,
            _json(_usage(answered.usage, answered.cost)),
            _json(answered.finish_reason),
            b',"aggregated_response":' + _json(_output(answered)) if self._aggregated else b"",
        )
        return event if self._raw is None else self._raw.final(event, answered.calls)

    def _empty(self) -> bytes:
        return self._start + self._nothing + b"}\n\n"

    def error(self, err: CalibrantError) -> bytes:
        """Return the event that says that the stream broke."""
        return sse.event(encode_error(err, "native"))

    def done(self) -> bytes:
        """Return the event that ends the stream."""
        return sse.DONE


def _check_target(asked: shape.InferenceBody) -> None:
    if (asked.function_name is None) == (asked.model_name is None):
        raise InvalidRequest("An inference needs exactly one of `function_name` and `model_name`")
    if asked.model_name is not None and asked.variant_name is not None:
        raise InvalidRequest("`variant_name` goes with `function_name`; a model has no variants")
    if asked.namespace == "":
        raise invalid("must not be empty; leave it out for no namespace", "$.namespace")


def _check_options(asked: shape.InferenceBody) -> None:
    if asked.include_aggregated_response and not asked.stream:
        raise InvalidRequest("`include_aggregated_response` needs `stream` to be true")


def _input(asked: shape.InputBody) -> Input:
    return Input(
        messages=tuple(
            [
                Message(
                    message.role,
                    (Text(message.content),)
                    if isinstance(message.content, str)
                    else _content(message.content, message.role, index),
                )
                for index, message in enumerate(asked.messages)
            ]
        ),
        system=asked.system,
    )


def _content(content: list[shape.Block] | dict[str, object], role: Role, message: int) -> tuple[InputBlock, ...]:
    if isinstance(content, dict):
        return (Template(role, content),)
    path = f"$.input.messages[{message}].content"
    return tuple([_block(block, role, f"{path}[{index}]") for index, block in enumerate(content)])


def _block(block: shape.Block, role: Role, path: str) -> InputBlock:
    match block:
        case shape.TextBlock():
            return _text(block, role, path)
        case shape.FileBlock():
            return _file(block, path)
        case shape.ToolCallBlock():
            return _tool_call(block, path)
        case shape.ToolResultBlock():
            return ToolResult(block.id, block.name, block.result)
        case shape.TemplateBlock():
            return Template(block.name, block.arguments)
        case shape.RawTextBlock():
            return RawText(block.value)
        case shape.ThoughtBlock():
            return Thought(block.text, block.signature, block.summary, block.provider_type, block.extra_data)
        case shape.CachePointBlock():
            return CachePoint(block.ttl)
        case shape.UnknownBlock():
            return Unknown(block.data, block.model_name, block.provider_name)


def _text(block: shape.TextBlock, role: Role, path: str) -> InputBlock:
    if block.text is not None and block.arguments is None:
        return Text(block.text)
    if block.arguments is not None and block.text is None:
        return Template(role, block.arguments)
    raise invalid("a text block needs exactly one of `text` and `arguments`", path)


def _file(block: shape.FileBlock, path: str) -> File:
    if block.storage_path is not None and block.url is None and block.data is None:
        return File(None, None, block.mime_type, block.detail, block.filename, block.storage_path, block.source_url)
    if (block.url is None) == (block.data is None):
        raise invalid("a file needs exactly one of `url`, `data` and `storage_path`", path)
    if block.url is not None:
        if block.file_type == "base64":
            raise invalid("a file with file_type 'base64' needs `data`", path)
        return files.from_url(
            block.url,
            path=f"{path}.url",
            mime_type=block.mime_type,
            detail=block.detail,
            filename=block.filename,
        )
    if block.file_type == "url":
        raise invalid("a file with file_type 'url' needs `url`", path)
    return files.from_base64(
        block.data or "",
        path=f"{path}.data",
        mime_type=block.mime_type,
        detail=block.detail,
        filename=block.filename,
    )


def _tool_call(block: shape.ToolCallBlock, path: str) -> ToolCall:
    name = block.name if block.raw_name is None else block.raw_name
    arguments = block.arguments if block.raw_arguments is None else block.raw_arguments
    if name is None or arguments is None:
        raise invalid("a tool call needs `name` and `arguments`, or `raw_name` and `raw_arguments`", path)
    if isinstance(arguments, dict):
        checks.refuse_deep(arguments, f"{path}.arguments")
        arguments = _json(arguments).decode()
    return ToolCall(block.id, name, arguments)


def _tools(tools: list[shape.ToolBody]) -> tuple[Tool, ...]:
    return tuple(
        [_tool(tool, f"$.additional_tools[{index}]") for index, tool in enumerate(tools) if tool.type == "function"]
    )


def _custom_tools(tools: list[shape.ToolBody]) -> tuple[CustomTool, ...]:
    return tuple(
        [_custom(tool, f"$.additional_tools[{i}]") for i, tool in enumerate(tools) if tool.type == "openai_custom"]
    )


def _custom(tool: shape.ToolBody, path: str) -> CustomTool:
    if tool.parameters is not None or tool.strict is not None:
        raise invalid("a tool of type 'openai_custom' has `format`, and no `parameters` and no `strict`", path)
    return custom_tool(tool.name, tool.description, tool.format, path)


def _tool(tool: shape.ToolBody, path: str) -> Tool:
    if tool.format is not None:
        raise invalid("`format` belongs to tools of type 'openai_custom'", path)
    if not tool.name:
        raise invalid("must not be empty", f"{path}.name")
    if tool.parameters is None:
        raise invalid("a tool needs `parameters`, the JSON Schema of its arguments", path)
    return Tool(tool.name, tool.description or "", tool.parameters, tool.strict or False)


def _tool_choice(choice: str | shape.NamedTool | None) -> ToolChoice | None:
    if isinstance(choice, shape.NamedTool):
        return Specific(choice.specific)
    return "none" if choice == "off" else choice


def _usage(usage: Usage, cost: str | None) -> shape.UsageBody:
    return shape.UsageBody(
        usage.input_tokens,
        usage.output_tokens,
        None if cost is None else Raw(cost.encode()),
        usage.cache_read_tokens,
        usage.cache_write_tokens,
    )
