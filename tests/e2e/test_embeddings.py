"""Embeddings through a real gateway, asked for by the official OpenAI SDK, of providers of three dialects."""

import base64
import struct

import msgspec
import openai
import pytest
from tests.support.canned import Reply, canned
from tests.support.gateway import gateway, until

CONFIG = """
[gateway.breaker]
enabled = false

[embedding_models.openai]
routing = ["broken", "p"]
[embedding_models.openai.providers.broken]
type = "openai"
model_name = "broken"
api_base = "{base}/v1"
api_key_location = "none"
[embedding_models.openai.providers.p]
type = "openai"
model_name = "text-embedding-3-small"
api_base = "{base}/v1"
api_key_location = "dynamic::key"
timeout_ms = 20000
cost = [{{ pointer = "/usage/prompt_tokens", cost_per_million = 0.02, required = true }}]

[embedding_models.gemini]
routing = ["p"]
providers.p = {{ type = "google_ai_studio_gemini", model_name = "gemini-embedding-001", api_base = "{base}/v1beta", api_key_location = "none" }}

[embedding_models.cohere]
routing = ["p"]
[embedding_models.cohere.providers.p]
type = "aws_bedrock"
model_id = "cohere.embed-v4:0"
region = "eu-west-1"
endpoint_url = "{base}"
api_key = "env::BEDROCK"
"""  # noqa: E501
MODELS = ("openai", "gemini", "cohere")


def vector(text) -> list[float]:
    """A vector that says which text it is of, and whose numbers float32 holds exactly."""
    ids = list(text.encode()) if isinstance(text, str) else text
    return [len(ids) + 0.5, -sum(ids) / 1024, 1.0]


def upstream(seen):
    """Answer as OpenAI, Gemini and Cohere's models on Bedrock do."""
    asked = msgspec.json.decode(seen.body)
    if seen.path == "/v1/embeddings":
        if asked["model"] == "broken":
            return Reply(b'{"error":{"message":"Over capacity."}}', status=503)
        found = [vector(item) for item in asked["input"]]
        if asked.get("encoding_format") == "base64":
            found = [base64.b64encode(struct.pack(f"<{len(each)}f", *each)).decode() for each in found]
        data = [{"object": "embedding", "index": i, "embedding": each} for i, each in enumerate(found)]
        return Reply(
            msgspec.json.encode(
                {"object": "list", "model": "x", "data": data[::-1], "usage": {"prompt_tokens": 50, "total_tokens": 50}}
            )
        )
    if seen.path.endswith(":batchEmbedContents"):
        texts = [each["content"]["parts"][0]["text"] for each in asked["requests"]]
        return Reply(msgspec.json.encode({"embeddings": [{"values": vector(text)} for text in texts]}))
    assert seen.path == "/model/cohere.embed-v4%3A0/invoke" and seen.headers["authorization"] == "Bearer canary-b"
    body = {"embeddings": {"float": [vector(text) for text in asked["texts"]]}, "id": "1"}
    return Reply(msgspec.json.encode(body), headers=(("X-Amzn-Bedrock-Input-Token-Count", "5"),))


@pytest.fixture(scope="module")
def server():
    with canned(upstream) as running:
        yield running


@pytest.fixture(scope="module")
def running(tmp_path_factory, server):
    folder = tmp_path_factory.mktemp("gateway")
    with gateway(folder, CONFIG.format(base=server.base), env={"BEDROCK": "canary-b"}) as started:
        yield started


@pytest.fixture(params=["/openai/v1", "/v1"])
def client(running, request):
    with openai.OpenAI(base_url=running.url + request.param, api_key="none", max_retries=0) as made:
        yield made


def embed(client, name, given, **fields):
    extra = {"tensorzero::credentials": {"key": "canary-k"}, **fields.pop("extra_body", {})}
    model = name if "::" in name else f"tensorzero::embedding_model_name::{name}"
    return client.embeddings.create(model=model, input=given, extra_body=extra, **fields)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("form", [None, "float", "base64"])
def test_each_text_has_its_vector_whatever_the_form(client, server, name, form):
    """Without a form the SDK asks for base64 and decodes it; with `base64` it hands it on."""
    fields = {} if form is None else {"encoding_format": form}
    for given in ("one", ["one"], ["a", "bc", "déjà vu"]):
        answer = embed(client, name, given, **fields)
        texts = [given] if isinstance(given, str) else given
        found = [each.embedding for each in answer.data]
        if form == "base64":
            found = [list(struct.unpack("<3f", base64.b64decode(each))) for each in found]
        assert found == [vector(text) for text in texts]
        assert [each.index for each in answer.data] == list(range(len(texts)))
        assert answer.model == f"tensorzero::embedding_model_name::{name}"
    if name == "openai":
        assert server.seen[-1].headers["authorization"] == "Bearer canary-k"
        assert msgspec.json.decode(server.seen[-1].body).get("encoding_format") == (form or "base64")


def test_token_ids_alone_and_several(client):
    assert [each.embedding for each in embed(client, "openai", [1, 2, 3]).data] == [vector([1, 2, 3])]
    assert [each.embedding for each in embed(client, "openai", [[1], [2, 3]]).data] == [vector([1]), vector([2, 3])]
    with pytest.raises(openai.InternalServerError, match="takes no token ids"):
        embed(client, "gemini", [1, 2, 3])


def test_usage_and_cost(client, running):
    usage = embed(client, "openai", "a").usage
    assert (usage.prompt_tokens, usage.total_tokens, usage.tensorzero_cost) == (50, 50, 0.000001)
    assert embed(client, "cohere", "a").usage.prompt_tokens == 5
    assert embed(client, "gemini", "a").usage.prompt_tokens is None
    ours = embed(client, "calibrant::embedding_model_name::openai", "a")
    assert (ours.usage.calibrant_cost, ours.model) == (0.000001, "calibrant::embedding_model_name::openai")


def test_what_each_provider_answered_is_there_for_the_asking(client):
    answer = embed(client, "openai", "a", extra_body={"tensorzero::include_raw_response": True})
    first, second = answer.tensorzero_raw_response
    assert "Over capacity" in first["data"] and '"prompt_tokens":50' in second["data"]
    assert {first["api_type"], second["api_type"]} == {"embeddings"}


def test_errors_are_the_sdks_own(client):
    with pytest.raises(openai.NotFoundError, match="Unknown embedding model: 'nope'"):
        embed(client, "nope", "a")
    for given in ([], [[]]):
        with pytest.raises(openai.BadRequestError, match="must not be empty"):
            embed(client, "openai", given)
    with pytest.raises(openai.BadRequestError, match="OPENAI_API_KEY"):
        embed(client, "openai::text-embedding-3-small", "a")
    with pytest.raises(openai.BadRequestError, match="cache_options"):
        embed(client, "openai", "a", extra_body={"tensorzero::cache_options": {"enabled": "maybe"}})


def test_the_same_again_comes_from_the_cache(client, server):
    on = {"tensorzero::cache_options": {"enabled": "on"}}
    texts = [f"cached by {client.base_url.path}", "b"]
    answers = [embed(client, "gemini", texts, extra_body=on) for _ in range(2)]
    assert [[each.embedding for each in answer.data] for answer in answers] == [[vector(text) for text in texts]] * 2
    assert answers[1].usage.prompt_tokens == answers[1].usage.tensorzero_cost == 0
    assert sum(texts[0].encode() in seen.body for seen in server.seen) == 1


def test_they_are_listed_and_counted_and_not_recorded(client, running):
    names = [model.id for model in client.models.list()]
    assert {f"tensorzero::embedding_model_name::{name}" for name in MODELS} <= set(names)
    embed(client, "openai", "a")
    for line in (
        'calibrant_inferences_total{endpoint="openai_embeddings",function_name="",model_name="openai",status="ok"}',
        'calibrant_requests_total{endpoint="openai_embeddings",status="200"}',
        'calibrant_cost_usd_total{model_name="openai"}',
    ):
        until(lambda line=line: line in running.get("/metrics").text, line)
    assert running.settled()["accepted"] <= 1  # the snapshot of the configuration
    assert running.rows("SELECT * FROM model_inferences") == []
