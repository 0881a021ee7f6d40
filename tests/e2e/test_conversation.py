"""One small conversation with parallel tools through vendors' own clients, whole and streamed, to each provider.

OpenAI's chat, Anthropic's messages and TensorZero's own dialect; the Responses dialect has it in its own file.
"""

import json

import anthropic
import openai
import pytest
from tensorzero import TensorZeroGateway
from tests.support.fake_vendors import CITIES, DIALECTS, ENCRYPTED, SIGNATURE, fakes
from tests.support.gateway import gateway

pytestmark = pytest.mark.slow

QUESTION = "The weather?"
RESULTS = "Rome: sun; Oslo: sun"
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
DESCRIBED = {"name": "get_weather", "description": "The weather of a city."}

each_provider = pytest.mark.parametrize("model", DIALECTS)
each_way = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


@pytest.fixture(scope="module")
def providers():
    with fakes() as running:
        yield running


@pytest.fixture(scope="module")
def running(tmp_path_factory, providers):
    with gateway(tmp_path_factory.mktemp("gateway"), providers.models()) as started:
        yield started


def went_back(providers, model):
    """Whether what the model thought came back to it as its provider wants it."""
    wanted = {"chat": "call_Rome", "responses": ENCRYPTED}.get(model, SIGNATURE)
    return wanted in json.dumps(providers.last)


@each_provider
@each_way
def test_openai(running, providers, model, streamed):
    tools = [{"type": "function", "function": {**DESCRIBED, "parameters": PARAMETERS}}]
    turn = [{"role": "user", "content": QUESTION}]

    def said(client):
        asked = {"model": f"tensorzero::model_name::{model}", "messages": turn, "tools": tools}
        if not streamed:
            return client.chat.completions.create(**asked).choices[0]
        done = []
        with client.chat.completions.stream(**asked) as stream:
            for event in stream:
                if event.type == "tool_calls.function.arguments.done":
                    done.append(json.loads(event.arguments)["city"])
            choice = stream.get_final_completion().choices[0]
        assert done == [json.loads(call.function.arguments)["city"] for call in choice.message.tool_calls or []]
        return choice

    with openai.OpenAI(base_url=f"{running.url}/openai/v1", api_key="none", max_retries=0) as client:
        first = said(client)
        assert (first.finish_reason, first.message.content) == ("tool_calls", "Let me look.")
        calls = first.message.tool_calls
        assert [call.function.name for call in calls] == ["get_weather"] * 2
        assert [json.loads(call.function.arguments) for call in calls] == [{"city": city} for city in CITIES]
        turn.append(first.message)
        turn += [
            {"role": "tool", "tool_call_id": call.id, "content": f"{city}: sun"}
            for call, city in zip(calls, CITIES, strict=True)
        ]
        second = said(client)
        assert (second.finish_reason, second.message.content) == ("stop", RESULTS)
        assert went_back(providers, model)
        turn += [second.message, {"role": "user", "content": "Thanks"}]
        assert said(client).message.content == "You said 'Thanks'; I remember 2."


@each_provider
@each_way
def test_anthropic(running, providers, model, streamed):
    tools = [{**DESCRIBED, "input_schema": PARAMETERS}]
    turn = [{"role": "user", "content": QUESTION}]

    def said(client):
        asked = {"model": model, "max_tokens": 999, "messages": turn, "tools": tools}
        if not streamed:
            return client.messages.create(**asked)
        with client.messages.stream(**asked) as stream:
            return stream.get_final_message()

    with anthropic.Anthropic(base_url=running.url, api_key="none", max_retries=0) as client:
        first = said(client)
        assert first.stop_reason == "tool_use"
        assert "".join(block.text for block in first.content if block.type == "text") == "Let me look."
        calls = [block for block in first.content if block.type == "tool_use"]
        assert [call.input for call in calls] == [{"city": city} for city in CITIES]
        results = [
            {"type": "tool_result", "tool_use_id": call.id, "content": f"{city}: sun"}
            for call, city in zip(calls, CITIES, strict=True)
        ]
        turn += [{"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
        second = said(client)
        assert second.stop_reason == "end_turn"
        assert "".join(block.text for block in second.content if block.type == "text") == RESULTS
        assert went_back(providers, model)
        turn += [{"role": "assistant", "content": second.content}, {"role": "user", "content": "Thanks"}]
        (text,) = [block.text for block in said(client).content if block.type == "text"]
        assert text == "You said 'Thanks'; I remember 2."


@each_provider
@each_way
def test_tensorzero(running, providers, model, streamed):
    turn = [{"role": "user", "content": QUESTION}]
    tools = [{**DESCRIBED, "parameters": PARAMETERS}]

    def said(client):
        asked = {"model_name": model, "input": {"messages": turn}, "additional_tools": tools}
        if not streamed:
            answer = client.inference(**asked)
            return written(answer.content), answer.finish_reason
        blocks, reason = {}, None
        for chunk in client.inference(**asked, stream=True):
            reason = chunk.finish_reason or reason
            for piece in chunk.content:
                blocks.setdefault((piece.type, piece.id), []).append(piece)
        return [joined(kind, id_, pieces) for (kind, id_), pieces in blocks.items()], reason

    with TensorZeroGateway.build_http(gateway_url=running.url) as client:
        first, reason = said(client)
        calls = [block for block in first if block["type"] == "tool_call"]
        assert getattr(reason, "value", reason) == "tool_call"
        assert [(call["name"], json.loads(call["arguments"])) for call in calls] == [
            ("get_weather", {"city": city}) for city in CITIES
        ]
        assert "".join(block["text"] for block in first if block["type"] == "text") == "Let me look."
        results = [
            {"type": "tool_result", "id": call["id"], "name": call["name"], "result": f"{city}: sun"}
            for call, city in zip(calls, CITIES, strict=True)
        ]
        turn += [{"role": "assistant", "content": first}, {"role": "user", "content": results}]
        second, reason = said(client)
        assert getattr(reason, "value", reason) == "stop"
        assert "".join(block["text"] for block in second if block["type"] == "text") == RESULTS
        assert went_back(providers, model)
        turn += [{"role": "assistant", "content": second}, {"role": "user", "content": "Thanks"}]
        third, _ = said(client)
        (text,) = [block["text"] for block in third if block["type"] == "text"]
        assert text == "You said 'Thanks'; I remember 2."


def written(content):
    """The blocks of an answer, as a caller writes them again."""
    out = []
    for block in content:
        match block.type:
            case "text":
                out.append({"type": "text", "text": block.text})
            case "tool_call":
                out.append(called(block.id, block.raw_name, block.raw_arguments))
            case "thought":
                summary = block.summary and [{"type": part.type, "text": part.text} for part in block.summary]
                extra = getattr(block, "extra_data", None)
                out.append(thought(block.text, block.signature, summary, block.provider_type, extra))
    return out


def joined(kind, id_, pieces):
    """The block that a stream's pieces make."""
    if kind == "text":
        return {"type": "text", "text": "".join(piece.text for piece in pieces)}
    if kind == "tool_call":
        name = "".join(piece.raw_name or "" for piece in pieces)
        return called(id_, name, "".join(piece.raw_arguments for piece in pieces))

    def of(field):
        return [value for piece in pieces if (value := getattr(piece, field, None)) is not None]

    summary = [{"type": "summary_text", "text": "".join(of("summary_text"))}] if of("summary_text") else None
    return thought(
        "".join(of("text")) or None,
        "".join(of("signature")) or None,
        summary,
        next(iter(of("provider_type")), None),
        next(reversed(of("extra_data")), None),
    )


def called(id_, name, arguments):
    return {"type": "tool_call", "id": id_, "name": name, "arguments": arguments}


def thought(text, signature, summary, provider_type, extra_data):
    fields = {
        "text": text,
        "signature": signature,
        "summary": summary,
        "provider_type": provider_type,
        "extra_data": extra_data,
    }
    return {"type": "thought", **{key: value for key, value in fields.items() if value is not None}}
