"""The SDKs of OpenAI's family as judges: OpenAI's own, Groq's, Mistral's and Together's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import groq
import mistralai.client
import msgspec
import openai
import pytest
import together
from tests.contract.providers.cases import Answer, Embedded, Golden, provider
from tests.contract.providers.dialects import openai_chat, openai_responses
from tests.support.canned import Canned, Reply, Seen, canned

from calibrant.config.secret import Secret
from calibrant.providers.catalog import adapter, embedder
from calibrant.types.content import Text, Thought, ToolCall

KEY = "sk-test"
HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture(scope="module")
def server() -> Iterator[Canned]:
    with canned(lambda _: Reply(b"{}")) as listening:
        yield listening


def serve(server: Canned, answer: Answer) -> None:
    def reply(seen: Seen) -> Reply:
        wants_stream = b'"stream":true' in seen.body.replace(b" ", b"")
        return Reply(answer.stream or b"", "text/event-stream") if wants_stream else Reply(answer.whole or b"")

    server.answer = reply


@pytest.fixture(scope="module")
def client(server: Canned) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.base}/v1", api_key=KEY, max_retries=0) as made:
        yield made


# --- the Responses API ---


def responses_said(response: Any) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    for item in response.output:
        match item.type:
            case "message":
                found += [("text", part.refusal if part.type == "refusal" else part.text) for part in item.content]
            case "function_call":
                found.append(("call", item.call_id, item.name, item.arguments))
            case "reasoning":
                found.append(("thought", item.id, [part.text for part in item.summary], item.encrypted_content))
            case _:
                found.append(("unknown", item.type))
    return found


def ours(answer: Answer) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    for block in answer.reply.content:
        match block:
            case Text(text):
                found.append(("text", text))
            case ToolCall(id, raw_name, raw_arguments):
                found.append(("call", id, raw_name, raw_arguments))
            case Thought(_, signature, summary, _, extra):
                found.append(("thought", extra["id"], [part["text"] for part in summary or ()], signature))
            case _:
                found.append(("unknown", block.data["type"]))
    return found


RESPONSES = [a for a in openai_responses.ANSWERS if not a.json_tool]


@pytest.mark.parametrize("answer", RESPONSES, ids=str)
def test_the_sdk_reads_responses_as_we_do(server: Canned, client: openai.OpenAI, answer: Answer) -> None:
    serve(server, answer)
    whole = client.responses.create(model="m", input="Hello")
    stream = list(client.responses.create(model="m", input="Hello", stream=True))
    last = stream[-1].response
    for response in (whole, last):
        assert responses_said(response) == ours(answer)
        usage = response.usage
        assert (usage.input_tokens, usage.output_tokens) == (
            answer.reply.usage.input_tokens,
            answer.reply.usage.output_tokens,
        )
        assert usage.input_tokens_details.cached_tokens == answer.reply.usage.cache_read_tokens
        assert usage.output_tokens_details.reasoning_tokens == answer.reply.usage.reasoning_tokens
        assert (response.id, response.model) == (answer.reply.request_id, answer.reply.model)
    pieces = "".join(e.delta for e in stream if e.type in ("response.output_text.delta", "response.refusal.delta"))
    assert pieces == "".join(block.text for block in answer.reply.content if isinstance(block, Text))


@pytest.mark.parametrize("case", openai_responses.GOLDENS, ids=str)
def test_the_sdk_sends_responses_as_we_do(server: Canned, client: openai.OpenAI, case: Golden) -> None:
    serve(server, RESPONSES[0])
    answer = client.responses.create(**case.body)
    if case.call.stream:
        list(answer)
    seen = server.seen[-1]
    made = adapter(provider(case.kind, **{**case.fields, "api_base": f"{server.base}/v1"}))
    http = made.sign(made.encode(case.call), Secret(KEY), 0.0)
    assert http.url == server.base + seen.path
    assert msgspec.json.decode(http.body) == msgspec.json.decode(seen.body)
    for name, value in http.headers:
        assert seen.headers[name] == value


# --- chat completions, by each vendor's SDK ---


PATHS = {"openai": "/v1", "azure": "", "groq": "/openai/v1", "together": "/v1", "mistral": "/v1"}


@pytest.fixture(scope="module")
def sdks(server: Canned) -> Iterator[dict[str, Any]]:
    """Return a client of each vendor's SDK, by provider type."""
    base = server.base
    clients = {
        "openai": openai.OpenAI(base_url=f"{base}/v1", api_key=KEY, max_retries=0),
        "azure": openai.AzureOpenAI(
            azure_endpoint=base,
            api_key=KEY,
            api_version="2025-04-01-preview",
            azure_deployment="the-model",
            max_retries=0,
        ),
        "groq": groq.Groq(base_url=base, api_key=KEY, max_retries=0),
        "together": together.Together(base_url=base, api_key=KEY, max_retries=0),
    }
    with mistralai.client.Mistral(api_key=KEY, server_url=base) as mistral:
        yield {**clients, "mistral": mistral}
    for client in clients.values():
        client.close()


def ask(sdks: dict[str, Any], kind: str, *, stream: bool = False, stream_options: Any = None, **arguments: Any) -> Any:
    """Ask for a chat completion, by the vendor's SDK."""
    if kind == "mistral":
        chat = sdks[kind].chat
        if not stream:
            return chat.complete(**arguments)
        with chat.stream(**arguments) as events:
            return [event.data for event in events]
    # Not every SDK has a name for it.
    extra = {} if stream_options is None else {"extra_body": {"stream_options": stream_options}}
    found = sdks[kind].chat.completions.create(stream=stream, **extra, **arguments)
    return list(found) if stream else found


CHAT = [
    case
    for case in openai_chat.CASES
    if isinstance(case, Answer)
    and case.kind in PATHS
    and case.name in {*openai_chat.EVERYONE, "cached and reasoning tokens"}
    and case.judge is not None
]


def _made(server: Canned, kind: str) -> Any:
    base = server.base + PATHS[kind]
    fields = {"options": {"endpoint": server.base}} if kind == "azure" else {"api_base": base}
    return adapter(provider(kind, **fields))


def _content(message: Any) -> tuple[str, list[tuple[Any, ...]]]:
    """Return the text and the calls of a message, as an SDK has read it."""
    content = message.content
    if isinstance(content, list):
        content = "".join(part.text for part in content if part.type == "text")
    text = (content or "") + (getattr(message, "refusal", None) or "")
    calls = [(c.id, c.function.name, c.function.arguments) for c in message.tool_calls or ()]
    return text, calls


@pytest.mark.parametrize("answer", CHAT, ids=str)
def test_the_vendor_s_sdk_reads_our_answers_as_we_do(server: Canned, sdks: dict[str, Any], answer: Answer) -> None:
    serve(server, answer)
    reply = answer.made().decode(200, (), answer.whole or b"", json_tool=False)
    text = "".join(block.text for block in reply.content if isinstance(block, Text))
    calls = [(b.id, b.raw_name, b.raw_arguments) for b in reply.content if isinstance(b, ToolCall)]
    whole = ask(sdks, answer.kind, model="the-model", messages=HELLO)
    assert _content(whole.choices[0].message)[1] == calls
    if answer.name != "refusal" or answer.kind in ("openai", "azure"):
        # The others' answers have no field for a refusal.
        assert _content(whole.choices[0].message)[0] == text
    assert whole.usage.prompt_tokens == reply.usage.input_tokens
    assert whole.usage.completion_tokens == reply.usage.output_tokens
    seen = ask(sdks, answer.kind, model="the-model", messages=HELLO, stream=True)
    deltas = [chunk.choices[0].delta for chunk in seen if chunk.choices]
    if answer.name == "text":
        assert "".join(delta.content or "" for delta in deltas) == text
    assert sum(1 for delta in deltas for call in delta.tool_calls or () if call.id and call.id != "null") == len(calls)


GOLDENS = [
    case
    for case in openai_chat.CASES
    if isinstance(case, Golden)
    and case.kind in PATHS
    and case.name in ("plain", "stream asks for usage (litellm#36114)", "forced", "a schema", "an image")
]


@pytest.mark.parametrize("case", GOLDENS, ids=str)
def test_the_vendor_s_sdk_sends_what_we_send(server: Canned, sdks: dict[str, Any], case: Golden) -> None:
    serve(server, next(a for a in CHAT if a.kind == case.kind and a.name == "text"))
    ask(sdks, case.kind, **case.body)
    seen = server.seen[-1]
    made = _made(server, case.kind)
    http = made.sign(made.encode(case.call), Secret(KEY), 0.0)
    assert http.url == server.base + seen.path
    theirs = msgspec.json.decode(seen.body)
    if not case.call.stream:
        theirs = {key: value for key, value in theirs.items() if not (key == "stream" and value is False)}
    assert _meant(msgspec.json.decode(http.body)) == _meant(theirs)
    for name, value in http.headers:
        if name != "content-type":
            assert seen.headers[name].removeprefix("Bearer ") == value.removeprefix("Bearer ")


def _meant(value: Any) -> Any:
    """Return a body without what only says the default."""
    if isinstance(value, dict):
        return {key: _meant(inner) for key, inner in value.items() if inner is not None}
    return [_meant(inner) for inner in value] if isinstance(value, list) else value


# --- embeddings ---


def embed(sdks: dict[str, Any], kind: str, body: dict[str, Any]) -> Any:
    """Ask for embeddings, by the vendor's SDK or OpenAI's."""
    if kind == "mistral":
        renamed = {("inputs" if key == "input" else key): value for key, value in body.items()}
        return sdks[kind].embeddings.create(**renamed)
    return sdks.get(kind, sdks["openai"]).embeddings.create(**body)


@pytest.mark.parametrize("case", [c for c in openai_chat.CASES if isinstance(c, Embedded)], ids=str)
def test_the_sdk_asks_for_embeddings_as_we_do(server: Canned, sdks: dict[str, Any], case: Embedded) -> None:
    server.answer = lambda _: Reply(case.answer)
    found = embed(sdks, case.kind, case.body)
    told = [each.embedding for each in sorted(found.data, key=lambda each: each.index)]
    vectors = [each if isinstance(each, str) else tuple(each) for each in told]
    assert vectors == list(case.reply.embeddings)
    usage = found.usage
    counted = usage["prompt_tokens"] if isinstance(usage, dict) else usage.prompt_tokens
    assert counted == case.reply.usage.input_tokens
    seen = server.seen[-1]
    fields = {"options": {"endpoint": server.base}} if case.kind == "azure" else {"api_base": f"{server.base}/v1"}
    made = embedder(provider(case.kind, **fields))
    http = made.sign(made.encode_embedding(case.call), Secret(KEY), 0.0)
    assert http.url == server.base + seen.path
    assert msgspec.json.decode(http.body) == _meant(msgspec.json.decode(seen.body))


def test_azure_answers_a_prompt_that_its_filter_stops() -> None:
    body, reply = openai_chat.AZURE_STOPPED
    made = adapter(provider("azure", **openai_chat.FIELDS["azure"]))
    found = made.decode(400, (), body)
    assert msgspec.structs.replace(found, raw=b"") == reply and found.raw == body
    with pytest.raises(Exception, match="answered 400"):
        made.decode(400, (), b'{"error": {"code": "invalid", "message": "no"}}')


def test_azure_at_the_address_of_its_v1() -> None:
    made = adapter(provider("azure", options={"endpoint": "https://my.openai.azure.com/openai/v1/"}))
    assert made.encode(openai_chat.calls.PLAIN).url == "https://my.openai.azure.com/openai/v1/chat/completions"
