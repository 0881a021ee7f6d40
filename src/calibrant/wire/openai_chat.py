"""OpenAI's chat dialect: `POST /openai/v1/chat/completions` inbound, and the list of models.

`decode` reads a request, with our own fields under the prefix `tensorzero::` or `calibrant::`. What OpenAI knows and we
have no use for is ignored, `logprobs` included: no answer carries any. Answers are written by `openai_answer.py`.
"""

from __future__ import annotations

import msgspec

from calibrant.apischema import openai_request as shape
from calibrant.base.errors import InvalidRequest
from calibrant.types.request import InferenceRequest, JsonMode, Params
from calibrant.types.tool import Specific, Tool, ToolChoice
from calibrant.wire import body as checks
from calibrant.wire.body import invalid, unbuilt
from calibrant.wire.openai_messages import to_input

__all__ = ["decode"]

_LENIENT = msgspec.json.Decoder(shape.ChatBody)
_STRICT = msgspec.json.Decoder(shape.StrictChatBody)
_JSON_MODE: dict[str, JsonMode] = {"text": "off", "json_object": "on", "json_schema": "strict"}
_NONE: dict[str, str] = {}


def decode(body: bytes, *, now_ms: int) -> InferenceRequest:
    """Return the inference that a body asks for.

    Raises:
        InvalidRequest: the body is malformed, or its fields exclude each other; the message has the JSON path.
        NotImplementedYet: it asks for something that this version does not have.
    """
    asked = checks.parse(_LENIENT, body)
    if asked.tensorzero_deny_unknown_fields or asked.calibrant_deny_unknown_fields:
        checks.parse(_STRICT, body)
    if asked.n is not None and asked.n != 1:
        raise invalid("only one choice can be asked for; send 1 or leave it out", "$.n")
    prefix, function, model = _target(asked.model)
    _check_options(asked, prefix)
    variant = asked.calibrant_variant_name or asked.tensorzero_variant_name
    if model is not None and variant is not None:
        raise InvalidRequest(f"`{prefix}::variant_name` goes with a function; a model has no variants")
    namespace = asked.tensorzero_namespace if asked.calibrant_namespace is None else asked.calibrant_namespace
    if namespace == "":
        raise invalid("must not be empty; leave it out for no namespace", f"$.{prefix}::namespace")
    episode = asked.calibrant_episode_id or asked.tensorzero_episode_id
    tags = asked.calibrant_tags or asked.tensorzero_tags
    choice, allowed = _tool_choice(asked.tool_choice)
    form = asked.response_format
    request = InferenceRequest(
        input=to_input(asked.messages),
        function_name=function,
        model_name=model,
        episode_id=(
            None
            if episode is None
            else checks.checked_id(episode, field=f"{prefix}::episode_id", now_ms=now_ms)
        ),
        variant_name=variant,
        namespace=namespace,
        stream=asked.stream or False,
        params=_params(asked),
        tags=checks.checked_tags(tags, field=f"{prefix}::tags") if tags else _NONE,
        dryrun=asked.calibrant_dryrun or asked.tensorzero_dryrun or False,
        tools=tuple([_tool(tool, i) for i, tool in enumerate(asked.tools)]) if asked.tools else (),
        allowed_tools=allowed,
        tool_choice=choice,
        parallel_tool_calls=asked.parallel_tool_calls,
        output_schema=form.json_schema.schema if form is not None and form.json_schema is not None else None,
        credentials=asked.calibrant_credentials or asked.tensorzero_credentials or _NONE,
        dialect="openai_chat",
        prefix=prefix,
        include_usage=asked.stream_options is not None and asked.stream_options.include_usage is True,
    )
    checks.check_documents(body, request)
    return request


def _target(name: str) -> tuple[str, str | None, str | None]:
    """Return the prefix, and the function or the model, that the field `model` names."""
    prefix, _, rest = name.partition("::")
    kind, _, target = rest.partition("::")
    if prefix in ("tensorzero", "calibrant") and target:
        if kind == "function_name":
            return prefix, checks.stored_name(target), None
        if kind == "model_name":
            return prefix, None, target
    raise invalid(
        f"unknown model {name!r}; send `tensorzero::function_name::<function>` for a function or "
        "`tensorzero::model_name::<model>` for a model, such as `tensorzero::model_name::openai::gpt-4o-mini`",
        "$.model",
    )


def _params(asked: shape.ChatBody) -> Params:
    limit = asked.max_tokens
    if asked.max_completion_tokens is not None:
        limit = min(asked.max_completion_tokens, asked.max_completion_tokens if limit is None else limit)
    stop = asked.stop_sequences if asked.stop is None else asked.stop
    top = Params(
        temperature=asked.temperature,
        max_tokens=limit,
        seed=asked.seed,
        top_p=asked.top_p,
        presence_penalty=asked.presence_penalty,
        frequency_penalty=asked.frequency_penalty,
        stop_sequences=(stop,) if isinstance(stop, str) else stop,
        json_mode=None if asked.response_format is None else _JSON_MODE[asked.response_format.type],
        reasoning_effort=asked.reasoning_effort,
        service_tier=asked.service_tier,
        verbosity=asked.verbosity,
    )
    own = asked.calibrant_params or asked.tensorzero_params
    return top if own is None else checks.to_params(own).over(top)


def _tool(tool: shape.OpenAITool, index: int) -> Tool:
    path = f"$.tools[{index}]"
    if tool.type == "custom":
        raise unbuilt(f"{path}.type: custom", "send a tool of type 'function'")
    function = tool.function
    if function is None:
        raise invalid("a tool of type 'function' needs `function`", path)
    if not function.name:
        raise invalid("must not be empty", f"{path}.function.name")
    # OpenAI takes a function without parameters for one with none.
    parameters = {"type": "object", "properties": {}} if function.parameters is None else function.parameters
    return Tool(function.name, function.description or "", parameters, function.strict or False)


def _tool_choice(
    choice: str | shape.NamedChoice | None,
) -> tuple[ToolChoice | None, tuple[str, ...] | None]:
    """Return how freely the model may choose, and among which tools."""
    if not isinstance(choice, shape.NamedChoice):
        return choice, None
    if choice.type == "custom":
        raise unbuilt("$.tool_choice.type: custom", "name a tool of type 'function'")
    if choice.type == "function":
        if choice.function is None:
            raise invalid("a choice of type 'function' needs `function`", "$.tool_choice")
        return Specific(choice.function.name), None
    if choice.allowed_tools is None:
        raise invalid("a choice of type 'allowed_tools' needs `allowed_tools`", "$.tool_choice")
    names: list[str] = []
    for index, tool in enumerate(choice.allowed_tools.tools):
        if tool.function is None:
            path = f"$.tool_choice.allowed_tools.tools[{index}]"
            raise unbuilt(f"{path}.type: {tool.type}", "name tools of type 'function'")
        names.append(tool.function.name)
    return choice.allowed_tools.mode, tuple(names)


def _check_options(asked: shape.ChatBody, prefix: str) -> None:
    options = checks.Unbuilt(
        cache_options=asked.calibrant_cache_options or asked.tensorzero_cache_options,
        extra_body=asked.calibrant_extra_body or asked.tensorzero_extra_body,
        extra_headers=asked.calibrant_extra_headers or asked.tensorzero_extra_headers,
        provider_tools=asked.calibrant_provider_tools or asked.tensorzero_provider_tools,
        include_raw_usage=asked.calibrant_include_raw_usage or asked.tensorzero_include_raw_usage,
        include_raw_response=asked.calibrant_include_raw_response or asked.tensorzero_include_raw_response,
        include_original_response=(
            asked.calibrant_include_original_response or asked.tensorzero_include_original_response
        ),
        internal_dynamic_variant_config=(
            asked.tensorzero_internal_dynamic_variant_config
            if asked.calibrant_internal_dynamic_variant_config is None
            else asked.calibrant_internal_dynamic_variant_config
        ),
    )
    if options != checks.NOTHING_UNBUILT:
        checks.check_unbuilt(options, prefix=f"{prefix}::")
