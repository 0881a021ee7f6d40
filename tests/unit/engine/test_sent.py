"""A caller of Anthropic's dialect before a provider of the same: what it wrote arrives as it is."""

import asyncio
from time import monotonic

import msgspec
import pytest
from tests.support.engine import Answer, Left, Line, said

from calibrant.base.errors import (
    AllVariantsFailed,
    ClientDisconnected,
    InvalidRequest,
    MissingCredential,
    ProvidersExhausted,
    Unreachable,
)
from calibrant.engine.count import count_tokens
from calibrant.engine.engine import Caller
from calibrant.engine.infer import infer
from calibrant.engine.presence import Presence
from calibrant.engine.stream import open_stream
from calibrant.wire import anthropic_messages

NOW = 1_780_000_000_000
MESSAGE = {
    "id": "msg_theirs",
    "type": "message",
    "role": "assistant",
    "model": "claude-theirs",
    "content": [{"type": "text", "text": "Hi.", "citations": [{"type": "char_location", "cited_text": "x"}]}],
    "stop_reason": "pause_turn",
    "stop_sequence": None,
    "container": {"id": "c1"},
    "usage": {"input_tokens": 3, "cache_read_input_tokens": 5, "output_tokens": 2, "service_tier": "standard"},
}
PNG = "iVBORw0KGgo="
EVERYTHING = {
    "max_tokens": 4000,
    "system": [
        {"type": "text", "text": "Be terse."},
        {"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
    ],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Look", "citations": None}]},
        {"role": "user", "content": [{"type": "text", "text": ""}, {"type": "text", "text": "twice"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "c2ln+/=="},
                {"type": "redacted_thinking", "data": "b3BhcXVl"},
                {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}},
                {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
                {
                    "type": "tool_use",
                    "id": "toolu:odd/1",
                    "name": "look",
                    "input": {"n": 1.0, "big": 12345678901234567890},
                },
            ],
        },
        {"role": "system", "content": "The user has left."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Here:", "cache_control": {"type": "ephemeral"}},
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu:odd/1",
                    "is_error": True,
                    "content": [
                        {"type": "text", "text": "seen"},
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
                    ],
                },
                {
                    "type": "document",
                    "source": {"type": "text", "media_type": "text/plain", "data": "words"},
                    "title": "T",
                    "context": "C",
                    "citations": {"enabled": True},
                },
                {"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "x"}]},
                {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
            ],
        },
    ],
    "tools": [
        {
            "name": "look",
            "type": "custom",
            "input_schema": {"type": "object", "properties": {"n": {"type": "number", "minimum": 1}}},
            "strict": True,
            "input_examples": [{"n": 1}],
            "defer_loading": False,
            "eager_input_streaming": True,
        },
        {
            "type": "web_search_20260318",
            "name": "web_search",
            "max_uses": 2,
            "cache_control": {"type": "ephemeral"},
        },
    ],
    "tool_choice": {"type": "auto"},
    "thinking": {"type": "enabled", "budget_tokens": 1024, "display": "omitted"},
    "output_config": {"effort": "xhigh", "task_budget": {"type": "tokens", "total": 5}},
    "temperature": 1.0,
    "top_k": 40,
    "stop_sequences": ["END"],
    "metadata": {"user_id": "u-1"},
    "service_tier": "standard_only",
    "context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]},
    "container": "c0",
    "inference_geo": "us",
    "a_field_of_next_year": {"x": [1, 2]},
    "stream": False,
}
HEADERS = {
    "anthropic-version": "2026-10-21",
    "anthropic-beta": "a-1,b-2",
    "x-api-key": "k",
    "authorization": "Bearer k",
}


def model(name="m", kind="anthropic", extra=""):
    address = f'api_base = "http://p.{name}/v1"\n'
    return (
        f'[models.{name}]\nrouting = ["p"]\n[models.{name}.providers.p]\ntype = "{kind}"\n'
        f'model_name = "claude-ours-9"\n{address}api_key_location = "none"\n{extra}'
    )


def asked(body, headers=HEADERS, **fields):
    whole = {"model": "m", "messages": [{"role": "user", "content": "Hello?"}], **body, **fields}
    request = anthropic_messages.decode(msgspec.json.encode(whole), now_ms=NOW)
    return anthropic_messages.with_headers(request, headers)


def run(line, body, **fields):
    return asyncio.run(infer(line.engine, asked(body, **fields), Caller(), monotonic()))


def count(line, body, **fields):
    return asyncio.run(count_tokens(line.engine, asked(body, **fields), Caller(), monotonic()))


def test_everything_arrives_but_for_the_model(tmp_path):
    line = Line(tmp_path, model(), MESSAGE)
    run(line, EVERYTHING, **{"tensorzero::tags": {"a": "b"}, "calibrant::dryrun": False})
    (call,) = line.sender.calls
    assert line.sender.bodies == [{"model": "claude-ours-9", **EVERYTHING}]
    # Numbers keep every digit.
    assert b'{"n":1.0,"big":12345678901234567890}' in call.body
    headers = dict(call.headers)
    assert (headers["anthropic-version"], headers["anthropic-beta"]) == ("2026-10-21", "a-1,b-2")
    assert not {"x-api-key", "authorization"} & set(headers)


def test_on_vertex_the_model_stands_in_the_address(tmp_path):
    extra = 'location = "us-east5"\nproject_id = "proj"\n'
    config = model(kind="gcp_vertex_anthropic", extra=extra).replace(
        'model_name = "claude-ours-9"', 'model_id = "claude-v"'
    )
    config = config.replace("api_key_location", "credential_location")
    line = Line(tmp_path, config, MESSAGE)
    run(line, EVERYTHING)
    (call,) = line.sender.calls
    assert line.sender.bodies == [{"anthropic_version": "vertex-2023-10-16", **EVERYTHING}]
    assert "anthropic-version" not in dict(call.headers) and dict(call.headers)["anthropic-beta"] == "a-1,b-2"
    assert call.url.endswith("/models/claude-v:rawPredict")


def test_what_the_provider_says_passes_too(tmp_path):
    line = Line(tmp_path, model(), MESSAGE)
    answered = run(line, {"max_tokens": 10})
    body = msgspec.json.decode(anthropic_messages.encode(answered))
    inference_id = body.pop("inference_id")
    assert body.pop("id") == f"msg_{inference_id}"
    assert body.pop("episode_id") == answered.head.episode_id
    body["usage"].pop("calibrant_cost", None)
    assert body == {**{key: value for key, value in MESSAGE.items() if key != "id"}, "model": "m"}


def events(*documents):
    return Answer(*(b"event: x\ndata: " + msgspec.json.encode(document) + b"\n\n" for document in documents))


def streamed(line, body):
    async def go():
        stream = await open_stream(line.engine, asked(body, stream=True), Caller(), monotonic())
        writes = anthropic_messages.events(stream.head)
        out = [writes.chunk(chunk) async for chunks in stream.chunks() for chunk in chunks]
        out.append(writes.final(stream.answered) + writes.done())
        return b"".join(out)

    frames = asyncio.run(go()).split(b"\n\n")[:-1]
    return [msgspec.json.decode(frame.partition(b"\ndata: ")[2]) for frame in frames]


def test_a_stream_passes_too_and_its_frame_is_ours(tmp_path):
    start = {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None}}
    cited = {"type": "citations_delta", "citation": {"type": "char_location", "cited_text": "x"}}
    middle = [
        {"type": "ping"},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi."}},
        {"type": "content_block_delta", "index": 0, "delta": cited},
        {"type": "an_event_of_next_year", "x": 1},
    ]
    ends = [
        {
            "type": "message_delta",
            "delta": {"stop_reason": None, "container": {"id": "c"}},
            "usage": {"output_tokens": 1},
        },
        {
            "type": "message_delta",
            "delta": {"stop_reason": "stop_sequence", "stop_sequence": "END"},
            "usage": {"output_tokens": 9, "server_tool_use": {"web_search_requests": 1}},
            "context_management": {"applied_edits": []},
        },
        {"type": "message_stop"},
    ]
    line = Line(tmp_path, model(), events(start, start, *middle, *ends))
    first, *rest, stopped, delta, stop = streamed(line, {"max_tokens": 10})
    assert first["message"]["model"] == "m" and first["message"]["usage"]["cache_read_input_tokens"] == 5
    assert rest == middle
    # Nobody had ended the block.
    assert stopped == {"type": "content_block_stop", "index": 0}
    assert delta["delta"] == {"stop_reason": "stop_sequence", "stop_sequence": "END", "container": {"id": "c"}}
    assert delta["usage"]["output_tokens"] == 9 and delta["usage"]["server_tool_use"] == {"web_search_requests": 1}
    assert delta["context_management"] == {"applied_edits": []}
    assert stop == {"type": "message_stop"}


def test_a_block_that_never_began_is_begun(tmp_path):
    start = {"type": "message_start", "message": {**MESSAGE, "content": []}}
    piece = {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm."}}
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}}
    _, begun, passed, *_ = streamed(Line(tmp_path, model(), events(start, piece, end)), {"max_tokens": 10})
    assert begun["content_block"] == {"type": "thinking", "thinking": "", "signature": ""}
    assert passed == piece


FUNCTION = """
[functions.f]
type = "chat"
{extra}
[functions.f.variants.v]
type = "chat_completion"
model = "m"
{variant}
"""


def function(extra="", variant=""):
    return model() + FUNCTION.format(extra=extra, variant=variant)


def test_a_variants_parameters_stand_where_the_caller_said_nothing(tmp_path):
    variant = 'temperature = 0.5\ntop_p = 0.25\nmax_tokens = 7\nstop_sequences = ["S"]\nservice_tier = "default"\n'
    line = Line(tmp_path, function(variant=variant + 'reasoning_effort = "low"'), MESSAGE)
    run(line, {"top_p": 0.75}, model="tensorzero::function_name::f")
    (body,) = line.sender.bodies
    assert (body["temperature"], body["top_p"], body["max_tokens"], body["stop_sequences"]) == (0.5, 0.75, 7, ["S"])
    assert body["output_config"] == {"effort": "low"} and body["service_tier"] == "standard_only"
    # Which the caller's version of the API would refuse.
    assert dict(line.sender.calls[0].headers)["anthropic-version"] == "2023-06-01"


def test_our_own_parameters_win(tmp_path):
    line = Line(tmp_path, model(), MESSAGE)
    params = {"chat_completion": {"max_tokens": 5, "reasoning_effort": "low"}}
    run(line, {"max_tokens": 100, "output_config": {"effort": "max"}}, **{"calibrant::params": params})
    (body,) = line.sender.bodies
    assert body["max_tokens"] == 5 and body["output_config"] == {"effort": "low"}


def test_templates_change_only_what_they_render(tmp_path):
    (tmp_path / "system.minijinja").write_text("Rendered: {{ system_text }}")
    line = Line(tmp_path, function(variant='system_template = "system.minijinja"'), MESSAGE)
    body = {
        "system": "Mine.",
        "max_tokens": 10,
        "messages": [
            {"role": "user", "content": [{"type": "calibrant::raw_text", "value": "raw"}]},
            {"role": "system", "content": "Between."},
            {"role": "user", "content": [{"type": "text", "text": "a", "citations": None}]},
        ],
    }
    run(line, body, model="calibrant::function_name::f")
    (sent,) = line.sender.bodies
    assert sent["system"] == "Rendered: Mine.\nBetween."
    assert sent["messages"] == [{"role": "user", "content": "raw"}, body["messages"][2]]


def test_tools_of_the_function_come_beside_the_callers(tmp_path):
    (tmp_path / "t.json").write_text('{"type":"object","properties":{}}')
    tool = '\n[tools.ours]\ndescription = "d"\nparameters = "t.json"\n'
    line = Line(tmp_path, function(extra='tools = ["ours"]\ntool_choice = "required"') + tool, MESSAGE)
    theirs = {"name": "theirs", "input_schema": {"type": "object"}, "defer_loading": False}
    run(line, {"max_tokens": 9, "tools": [theirs]}, model="tensorzero::function_name::f")
    run(line, {"max_tokens": 9}, model="tensorzero::function_name::f")
    first, second = line.sender.bodies
    assert first["tools"][0] == theirs and [tool["name"] for tool in first["tools"]] == ["theirs", "ours"]
    assert [tool["name"] for tool in second["tools"]] == ["ours"]
    assert first["tool_choice"] == second["tool_choice"] == {"type": "any"}


@pytest.mark.parametrize("mode", ["on", "strict", "tool"])
def test_a_json_function(tmp_path, mode):
    (tmp_path / "o.json").write_text('{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}')
    config = function(variant=f'json_mode = "{mode}"', extra='output_schema = "o.json"').replace('"chat"', '"json"')
    reply = {**MESSAGE, "content": [{"type": "text", "text": '{"a":"b"}'}]}
    if mode == "tool":
        call = {"type": "tool_use", "id": "t", "name": "respond", "input": {"a": "b"}}
        reply = {**MESSAGE, "content": [call], "stop_reason": "tool_use"}
    line = Line(tmp_path, config, reply)
    body = {"max_tokens": 9, "system": "Say.", "output_config": {"effort": "low"}}
    answered = run(line, body, model="tensorzero::function_name::f")
    (sent,) = line.sender.bodies
    assert sent["output_config"]["effort"] == "low"
    if mode == "on":
        assert sent["system"] == "Say.\n\nRespond using JSON."
    elif mode == "strict":
        assert sent["output_config"]["format"]["type"] == "json_schema" and sent["system"] == "Say."
    else:
        assert sent["tool_choice"] == {"type": "tool", "name": "respond", "disable_parallel_tool_use": True}
    said_back = msgspec.json.decode(anthropic_messages.encode(answered))
    assert [block["type"] for block in said_back["content"]] == ["text"]
    assert msgspec.json.decode(said_back["content"][0]["text"]) == {"a": "b"}
    assert said_back["stop_reason"] == "end_turn"


@pytest.mark.parametrize(
    "body, names",
    [
        ({"top_k": 3}, "$.top_k"),
        ({"container": "c"}, "$.container"),
        ({"thinking": {"type": "between_tools"}}, "$.thinking.type"),
        ({"max_tokens": 0}, "$.max_tokens"),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, "$.tools[0]` (bash_20250124)"),
        ({"messages": EVERYTHING["messages"]}, "$.messages[2].content[2]` (server_tool_use)"),
        ({"messages": EVERYTHING["messages"][-1:]}, "tool_use_id"),
    ],
)
def test_what_others_cannot_be_told_is_a_400_by_name(tmp_path, body, names):
    line = Line(tmp_path, model(kind="openai"), said())
    with pytest.raises(InvalidRequest) as refused:
        run(line, body)
    assert names in refused.value.message and refused.value.status == 400
    assert not line.sender.calls and not line.records


def test_hints_are_left_out_elsewhere(tmp_path):
    line = Line(tmp_path, model(kind="openai"), said())
    hints = {
        "metadata": {"user_id": "u"},
        "context_management": {},
        "speed": "fast",
        "diagnostics": None,
        "top_k": None,
    }
    run(line, hints)
    assert set(line.sender.bodies[0]) == {"model", "messages"}


def test_fallback_to_a_provider_that_cannot_be_told_says_why(tmp_path):
    config = model() + model("n", kind="openai").replace('[models.n]\nrouting = ["p"]\n', "")
    config = config.replace('routing = ["p"]', 'routing = ["p", "q"]').replace(
        "models.n.providers.p", "models.m.providers.q"
    )
    refused = Answer(b"{}", status=500)
    line = Line(tmp_path, config, refused)
    with pytest.raises(AllVariantsFailed, match=r"provider 'q' \(openai\).*\$\.top_k"):
        run(line, {"max_tokens": 9, "top_k": 3})
    assert line.sender.asked == ["p.m"]


def test_blocks_of_others_do_not_go_to_anthropic(tmp_path):
    line = Line(tmp_path, model(), MESSAGE)
    messages = [
        {"role": "user", "content": "a"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "unsigned", "signature": ""},
                {"type": "unknown", "data": {"type": "web_search_call"}},
                {"type": "text", "text": "b"},
            ],
        },
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "unsigned", "signature": ""}]},
        {"role": "user", "content": "c"},
    ]
    run(line, {"max_tokens": 9, "messages": messages})
    assert line.sender.bodies[0]["messages"] == [
        messages[0],
        {"role": "assistant", "content": [{"type": "text", "text": "b"}]},
        messages[3],
    ]


def test_tokens_are_counted_by_anthropic_and_estimated_elsewhere(tmp_path):
    line = Line(tmp_path, model() + model("o", kind="openai"), {"input_tokens": 77})
    counted = count(line, {key: value for key, value in EVERYTHING.items() if key != "max_tokens"})
    assert (counted.tokens, counted.estimated) == (77, False)
    (call,) = line.sender.calls
    assert call.url == "http://p.m/v1/messages/count_tokens"
    (body,) = line.sender.bodies
    kept = ("messages", "system", "tools", "tool_choice", "thinking", "output_config", "context_management")
    assert body == {"model": "claude-ours-9", **{key: EVERYTHING[key] for key in kept}}
    estimate = count(line, {}, model="o", messages=[{"role": "user", "content": "word " * 100}])
    assert estimate.estimated and estimate.tokens > 100 and len(line.sender.calls) == 1
    assert not line.records


def test_who_brings_no_key_is_told_so_and_not_that_providers_failed(tmp_path):
    lacking = model().replace('"none"', '"dynamic::mine"')
    with pytest.raises(MissingCredential, match="mine") as caught:
        count(Line(tmp_path, lacking, {"input_tokens": 7}), {})
    assert caught.value.status == 400


def test_a_provider_that_does_not_answer_is_named_with_its_reason(tmp_path):
    with pytest.raises(ProvidersExhausted, match="gone"):
        count(Line(tmp_path, model(), Unreachable("gone")), {})


def test_nobody_is_asked_to_count_for_who_has_left(tmp_path):
    presence = Presence()
    line = Line(tmp_path, model(), Left(presence))
    with pytest.raises(ClientDisconnected):
        asyncio.run(count_tokens(line.engine, asked({}), Caller(presence=presence), monotonic()))
    with pytest.raises(ClientDisconnected):
        asyncio.run(count_tokens(line.engine, asked({}), Caller(presence=presence), monotonic()))
    assert len(line.sender.calls) == 1


BEST = """
[functions.f]
type = "chat"
[functions.f.variants.a]
type = "chat_completion"
model = "m"
max_tokens = 77
[functions.f.variants.best]
type = "experimental_best_of_n_sampling"
candidates = ["a", "a"]
evaluator = { model = "judge" }
"""


def test_candidates_get_the_callers_words_and_their_own_parameters(tmp_path):
    verdict = said('{"thinking":"t","answer_choice":1}')
    config = model() + model("judge", kind="openai") + BEST
    line = Line(tmp_path, config, lambda call: verdict if "judge" in call.url else MESSAGE)
    system = [{"type": "text", "text": "Be terse.", "cache_control": {"type": "ephemeral"}}]
    body = {"max_tokens": 9, "temperature": 0.5, "system": system, "calibrant::variant_name": "best"}
    name = "calibrant::function_name::f"
    answered = run(line, body, model=name)
    first, second, judge = line.sender.bodies
    assert first == second and first["max_tokens"] == 77 and first["system"] == system and "temperature" not in first
    assert "Be terse." in judge["messages"][0]["content"]
    # It is made of several calls, so no one provider's words pass.
    assert not answered.head.verbatim
    (block,) = msgspec.json.decode(anthropic_messages.encode(answered))["content"]
    assert block == {"type": "text", "text": "Hi."}
    kinds = [event["type"] for event in streamed(line, {**body, "model": name})]
    assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"]
    assert count(Line(tmp_path, config, {"input_tokens": 5}), body, model=name).tokens == 5


def test_speakers_are_looked_for_among_candidates(tmp_path):
    config = model(kind="openai") + model("judge", kind="anthropic") + BEST
    with pytest.raises(InvalidRequest, match=r"\$\.top_k"):
        run(Line(tmp_path, config, said()), {"top_k": 3}, model="calibrant::function_name::f")
    line = Line(tmp_path, model() + model("judge", kind="anthropic") + BEST, MESSAGE)
    run(line, {"max_tokens": 9, "top_k": 3, "calibrant::variant_name": "a"}, model="calibrant::function_name::f")
    assert line.sender.bodies[0]["top_k"] == 3


def test_a_provider_that_is_to_drop_what_nobody_knows_is_not_passed_through(tmp_path):
    unknown = {**MESSAGE, "content": [{"type": "a_block_of_next_year"}, {"type": "text", "text": "Hi."}]}
    line = Line(tmp_path, model(extra="discard_unknown_chunks = true\n"), unknown)
    assert not run(line, {"max_tokens": 9}).head.verbatim


def test_a_variant_that_waits_does_not_have_its_model_stream(tmp_path):
    (tmp_path / "o.json").write_text('{"type":"object"}')
    config = function(extra='output_schema = "o.json"', variant='json_mode = "strict"').replace('"chat"', '"json"')
    config = config.replace('"chat_completion"', '"experimental_chain_of_thought"')
    reply = {**MESSAGE, "content": [{"type": "text", "text": '{"thinking":"t","response":{"a":1}}'}]}
    line = Line(tmp_path, config, reply)
    events_ = streamed(line, {"model": "tensorzero::function_name::f", "max_tokens": 9})
    assert line.sender.bodies[0]["stream"] is False
    assert (
        "".join(each["delta"].get("text", "") for each in events_ if each["type"] == "content_block_delta") == '{"a":1}'
    )


def test_what_a_coding_agent_sends_reaches_a_provider_of_another_dialect(tmp_path):
    line = Line(tmp_path, model(kind="openai"), said("Done."))
    mark = {"cache_control": {"type": "ephemeral"}}
    tool = {
        "name": "Read",
        "description": "d",
        "input_schema": {"type": "object"},
        "eager_input_streaming": True,
        **mark,
    }
    shot = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    calls = [{"type": "tool_use", "id": f"toolu_{n}", "name": "Read", "input": {"path": f"{n}.png"}} for n in (1, 2)]
    results = [
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": [shot]},
        {"type": "tool_result", "tool_use_id": "toolu_2", "content": "no such file", "is_error": True, **mark},
    ]
    body = {
        "max_tokens": 32000,
        "system": [{"type": "text", "text": "You are an agent."}, {"type": "text", "text": "Be brief.", **mark}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Look.", **mark}]},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}, *calls]},
            {"role": "user", "content": [*results, {"type": "text", "text": "Go on."}]},
        ],
        "tools": [tool],
        "tool_choice": {"type": "auto"},
        "thinking": {"type": "adaptive", "display": "summarized"},
        "output_config": {"effort": "high"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "metadata": {"user_id": "u"},
    }
    run(line, body)
    (sent,) = line.sender.bodies
    assert sent["reasoning_effort"] == "high" and [each["function"]["name"] for each in sent["tools"]] == ["Read"]
    system, asked_, called, first, second, rest = sent["messages"]
    assert (system["content"], asked_["content"]) == ("You are an agent.\nBe brief.", "Look.")
    assert [call["id"] for call in called["tool_calls"]] == ["toolu_1", "toolu_2"]
    # Every result follows the calls at once; the picture that belongs to one comes after them.
    assert [(each["role"], each["tool_call_id"]) for each in (first, second)] == [
        ("tool", "toolu_1"),
        ("tool", "toolu_2"),
    ]
    assert [part["type"] for part in rest["content"]] == ["image_url", "text"]
