"""Google's own SDK as the judge, for AI Studio and for Vertex AI."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from google import genai
from google.genai import types
from google.oauth2.credentials import Credentials
from tests.contract.providers.cases import Answer, Embedded, Golden, provider
from tests.contract.providers.dialects.gemini import ANSWERS, CASES, EMBEDDED, KINDS
from tests.support.canned import Canned, Reply, Seen, canned

from calibrant.config.secret import Secret
from calibrant.providers.catalog import adapter, embedder
from calibrant.types.content import Text, Thought, ToolCall, Unknown

KEY = "key-of-the-test"


@pytest.fixture(scope="module")
def server() -> Iterator[Canned]:
    with canned(lambda _: Reply(b"{}")) as listening:
        yield listening


@pytest.fixture(scope="module")
def clients(server: Canned) -> Iterator[dict[str, genai.Client]]:
    options = types.HttpOptions(base_url=server.base, api_version="v1beta")
    studio = genai.Client(api_key=KEY, http_options=options)
    vertex = genai.Client(
        vertexai=True,
        project="proj",
        location="us-east5",
        credentials=Credentials(token=KEY),
        http_options=types.HttpOptions(base_url=server.base, api_version="v1"),
    )
    yield {"google_ai_studio_gemini": studio, "gcp_vertex_gemini": vertex}
    studio.close()
    vertex.close()


def serve(server: Canned, answer: Answer) -> None:
    def reply(seen: Seen) -> Reply:
        wants_stream = "streamGenerateContent" in seen.path
        return Reply(answer.stream or b"", "text/event-stream") if wants_stream else Reply(answer.whole or b"")

    server.answer = reply


def theirs(responses: list[types.GenerateContentResponse]) -> list[tuple[Any, ...]]:
    """Return the parts that the SDK read, text of one kind joined as far as no signature parts it."""
    found: list[list[Any]] = []
    for response in responses:
        for candidate in response.candidates or []:
            for part in (candidate.content.parts if candidate.content else None) or []:
                _add(part, found)
    named = [("text" if each[0] == "signed" else each[0], *each[1:]) for each in found]
    return [each for each in named if each[0] != "text" or each[1]]


def _add(part: types.Part, found: list[list[Any]]) -> None:
    signature = base64.b64encode(part.thought_signature) if part.thought_signature else None
    if part.function_call is not None:
        found += [["mark", signature]] if signature else []
        found.append(["call", part.function_call.name, part.function_call.args or {}])
    elif part.text is not None and part.thought:
        if found and found[-1][0] == "thought" and found[-1][2] is None:
            found[-1][1:] = [found[-1][1] + part.text, signature]
        else:
            found.append(["thought", part.text, signature])
    elif part.text is not None:
        if signature:
            found += [["mark", signature], ["signed", part.text]]
        elif found and found[-1][0] == "text":
            found[-1][1] += part.text
        else:
            found.append(["text", part.text])
    elif part.model_dump(exclude_none=True):
        found.append(["unknown"])


def ours(answer: Answer) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    for block in answer.reply.content:
        match block:
            case Text(text):
                found += [("text", text)] if text else []
            case ToolCall(_, raw_name, raw_arguments):
                found.append(("call", raw_name, msgspec.json.decode(raw_arguments)))
            case Thought(None, signature):
                found.append(("mark", _signature(signature)))
            case Thought(text, signature):
                found.append(("thought", text, _signature(signature)))
            case Unknown():
                found.append(("unknown",))
    return found


def _signature(text: str | None) -> bytes | None:
    # The SDK holds bytes; what it was sent decodes leniently, so both sides are brought to one form.
    return None if text is None else base64.b64encode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


READABLE = [a for a in ANSWERS if not a.json_tool] + [
    case for case in CASES if isinstance(case, Answer) and case.name == "a blocked prompt"
]


def counted(usage: types.GenerateContentResponseUsageMetadata | None, answer: Answer) -> None:
    assert usage is not None
    sent = (usage.prompt_token_count or 0) + (usage.tool_use_prompt_token_count or 0)
    made = (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)
    assert (sent, made) == (answer.reply.usage.input_tokens, answer.reply.usage.output_tokens)
    assert usage.cached_content_token_count == answer.reply.usage.cache_read_tokens


@pytest.mark.parametrize("answer", READABLE, ids=str)
def test_the_sdk_reads_our_answers_as_we_do(server: Canned, clients: dict[str, genai.Client], answer: Answer) -> None:
    serve(server, answer)
    models = clients[answer.kind].models
    whole = models.generate_content(model="the-model", contents="Hello")
    assert theirs([whole]) == ours(answer)
    counted(whole.usage_metadata, answer)
    stream = list(models.generate_content_stream(model="the-model", contents="Hello"))
    assert theirs(stream) == ours(answer)
    counted(stream[-1].usage_metadata, answer)
    assert (whole.response_id, whole.model_version) == (answer.reply.request_id, answer.reply.model)


GOLDENS = [c for c in CASES if isinstance(c, Golden) and c.name not in ("a tuned endpoint",)]
_CONFIG = {"tools": "tools", "toolConfig": "tool_config", "systemInstruction": "system_instruction"}


@pytest.mark.parametrize("case", GOLDENS, ids=str)
def test_the_sdk_sends_what_we_send(server: Canned, clients: dict[str, genai.Client], case: Golden) -> None:
    serve(server, READABLE[0])
    config = {name: case.body[key] for key, name in _CONFIG.items() if key in case.body}
    config |= case.body.get("generationConfig", {})
    if "serviceTier" in case.body:
        config["service_tier"] = case.body["serviceTier"]
    asked = types.GenerateContentConfig.model_validate(config)
    contents = [types.Content.model_validate(each) for each in case.body["contents"]]
    models, model = clients[case.kind].models, case.fields.get("model_name", "the-model")
    if case.call.stream:
        list(models.generate_content_stream(model=model, contents=contents, config=asked))
    else:
        models.generate_content(model=model, contents=contents, config=asked)
    seen = server.seen[-1]
    made = adapter(provider(case.kind, **{**case.fields, "api_base": _base(server, case.kind)}))
    http = made.encode(case.call)
    assert http.url == server.base + seen.path
    assert _comparable(msgspec.json.decode(http.body)) == _comparable(msgspec.json.decode(seen.body))


def _base(server: Canned, kind: str) -> str:
    return f"{server.base}/v1beta" if kind == "google_ai_studio_gemini" else f"{server.base}/v1"


def _comparable(value: Any) -> Any:
    """Return a body with what the SDK writes differently made alike.

    It writes some names with underscores, which the API takes as well, URL-safe base64, tiers in capitals, an empty
    `generationConfig`, and has its own order of tools.
    """
    if isinstance(value, dict):
        found = {_camel(key): _comparable(inner) for key, inner in value.items()}
        if found.get("generationConfig") == {}:
            del found["generationConfig"]
        if isinstance(found.get("tools"), list):
            found["tools"] = sorted(found["tools"], key=str)
        for key in ("thoughtSignature", "data"):
            if isinstance(found.get(key), str):
                found[key] = found[key].rstrip("=").replace("+", "-").replace("/", "_")
        if isinstance(found.get("serviceTier"), str):
            found["serviceTier"] = found["serviceTier"].lower()
        return found
    return [_comparable(inner) for inner in value] if isinstance(value, list) else value


def _camel(key: str) -> str:
    first, *rest = key.split("_")
    return first + "".join(each.capitalize() for each in rest)


@pytest.mark.parametrize("kind", KINDS)
def test_the_key_goes_where_the_sdk_puts_it(server: Canned, clients: dict[str, genai.Client], kind: str) -> None:
    serve(server, READABLE[0])
    clients[kind].models.generate_content(model="the-model", contents="Hello")
    case = next(case for case in GOLDENS if case.kind == kind)
    made = case.made()
    signed = made.sign(made.encode(case.call), Secret(KEY), 0.0)
    name = "x-goog-api-key" if kind == "google_ai_studio_gemini" else "authorization"
    assert (name, server.seen[-1].headers[name]) in signed.headers


@pytest.mark.parametrize("case", EMBEDDED, ids=str)
def test_the_sdk_asks_for_embeddings_as_we_do(server: Canned, clients: dict[str, genai.Client], case: Embedded) -> None:
    server.answer = lambda _: Reply(case.answer)
    size = types.EmbedContentConfig(output_dimensionality=case.call.dimensions)
    found = clients[case.kind].models.embed_content(
        model=case.fields.get("model_name", "the-model"), contents=list(case.call.input), config=size
    )
    assert [tuple(each.values) for each in found.embeddings] == list(case.reply.embeddings)
    seen = server.seen[-1]
    made = embedder(provider(case.kind, **{**case.fields, "api_base": _base(server, case.kind)}))
    http = made.encode_embedding(case.call)
    assert http.url == server.base + seen.path
    assert _plain(msgspec.json.decode(http.body)) == _plain(msgspec.json.decode(seen.body))


def _plain(body: dict[str, Any]) -> Any:
    """Return the body without what the SDK leaves empty."""
    if isinstance(body, dict):
        return {key: _plain(value) for key, value in body.items() if value not in ({}, None) and key != "role"}
    return [_plain(each) for each in body] if isinstance(body, list) else body
