"""Dynamic in-context learning: what the model is shown, what is recorded, and what happens without a neighbour."""

import asyncio

import msgspec
import pytest
from tests.support.engine import content, function, model, refusal, said, streamed, variant

from calibrant.base.errors import ConfigError, InferenceTimeout, ProvidersExhausted
from calibrant.base.ids import uuid7
from calibrant.engine.variants.dicl import DEFAULT_INSTRUCTIONS
from calibrant.types.content import File, Template, Text
from calibrant.types.example import Demonstration, Neighbour
from calibrant.types.message import Input, Message
from calibrant.types.request import Params

GIVEN = '{"messages":[{"role":"user","content":[{"type":"text","text":"Hello?"}]}]}'
EMBEDDER = """
[embedding_models.e]
routing = ["p"]
[embedding_models.e.providers.p]
type = "openai"
model_name = "vectors"
api_base = "http://p.e/v1"
api_key_location = "none"
"""


def toml(extra="", kind="chat", mode=""):
    dicl = variant(extra=f"k = 2{extra}{mode}").replace("chat_completion", "experimental_dynamic_in_context_learning")
    return EMBEDDER + model() + function(dicl, kind=kind)


def neighbour(text, output='[{"type":"text","text":"Yes."}]', distance=0.25):
    demonstration = Demonstration(1, uuid7(), uuid7(), uuid7(), text.encode(), output.encode())
    return Neighbour(demonstration, distance)


class Near:
    """Examples that are near to everything."""

    def __init__(self, *found):
        self.found = found
        self.asked = []

    async def nearest(self, function_name, variant, text, vector, episode_id):
        self.asked.append((function_name, variant.k, text, vector, episode_id))
        return self.found


@pytest.fixture
def near(line):
    def _near(text, *steps, found=(), **options):
        examples = Near(*found)
        it = line(text, *steps, examples=examples, **options)
        it.near = examples
        return it

    return _near


def test_examples_come_before_the_question_nearest_last(near):
    found = (neighbour("near", distance=0.1), neighbour("far", '[{"type":"text","text":"No."}]', 0.5))
    it = near(toml(), said("Hi."), found=found)
    answered = it.infer(episode_id="e", params=Params(temperature=0.5))
    assert content(answered) == [{"type": "text", "text": "Hi."}]
    (body,) = it.sender.bodies
    assert body["messages"] == [
        {"role": "system", "content": DEFAULT_INSTRUCTIONS},
        {"role": "user", "content": "far"},
        {"role": "assistant", "content": "No."},
        {"role": "user", "content": "near"},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": GIVEN},
    ]
    assert body["temperature"] == 0.5
    assert it.near.asked == [("f", 2, GIVEN, None, "e")]
    noted = msgspec.json.decode(it.row.strategy)
    assert noted["type"] == "dynamic_in_context_learning" and noted["distances"] == [0.1, 0.5]
    assert noted["examples"] == [each.demonstration.id for each in found]


def test_it_streams(near):
    it = near(toml(), streamed("H", "i."), found=(neighbour("x"),))
    stream, chunks = it.stream()
    assert [delta.text for chunk in chunks for delta in chunk.content] == ["H", "i."]
    assert it.row.strategy and len(it.attempts) == 1


def test_answers_are_shown_as_a_model_would_write_them(near):
    called = '[{"type":"tool_call","id":"1","name":"look","arguments":{}}]'
    found = (neighbour("a", '{"raw":"{\\"x\\":1}","parsed":{"x":1}}'), neighbour("b", called))
    it = near(toml(", json_mode = 'on'", kind="json"), said('{"x": 2}'), found=found)
    assert it.infer().raw == '{"x": 2}'
    shown = [m["content"] for m in it.sender.bodies[0]["messages"] if m["role"] == "assistant"]
    assert shown == [called, '{"x":1}']


def test_without_a_neighbour_it_is_a_plain_call(near, tmp_path):
    (tmp_path / "how.txt").write_text("Be brief.")
    text = toml(', system_instructions = "how.txt"')
    it = near(text, said("Hi."))
    it.infer(input=Input((Message("user", (Text("Hello?"),)),), "You are calm."))
    assert it.sender.bodies[0]["messages"] == [
        {"role": "system", "content": "Be brief.\n\nYou are calm."},
        {"role": "user", "content": "Hello?"},
    ]
    it = near(text, said("Hi."), found=(neighbour("x"),))
    it.infer()
    assert it.sender.bodies[0]["messages"][0]["content"] == "Be brief."


def test_arguments_of_templates_are_json_where_there_are_none(near, tmp_path):
    (tmp_path / "s.json").write_text("{}")
    it = near(
        toml().replace('type = "chat"', 'type = "chat"\nschemas.user.path = "s.json"\nschemas.system.path = "s.json"'),
        said(),
    )
    it.infer(input=Input((Message("user", (Template("user", {"x": 1}),)),), {"y": 2}))
    assert [m["content"] for m in it.sender.bodies[0]["messages"]] == ['{"y":2}', '{"x":1}']


def test_the_embedding_call_is_recorded_under_the_inference(near):
    vectors = {"data": [{"index": 0, "embedding": [0.5, 1.0]}], "usage": {"prompt_tokens": 5, "total_tokens": 5}}
    it = near(toml(", embedding_model = 'e'"), vectors, said("Hi."), found=(neighbour("x"),))
    answered = it.infer(episode_id="e")
    assert it.sender.asked == ["p.e", "p.m"]
    assert it.near.asked[0][3] == (0.5, 1.0)
    assert [(row.attempt, row.api_type, row.variant_name) for row in it.attempts] == [
        (1, "embeddings", "v"),
        (2, "chat_completions", "v"),
    ]
    assert {row.inference_id for row in it.attempts} == {it.row.id}
    assert (answered.usage.input_tokens, answered.usage.output_tokens) == (12, 3)


def test_without_the_embedding_model_the_variant_fails(near):
    it = near(toml(", embedding_model = 'e'"), refusal(500))
    with pytest.raises(ProvidersExhausted, match="'e'"):
        it.infer(variant_name="v")
    assert it.row.status == "error" and it.near.asked == []


def test_words_of_one_dialect_alone_are_refused(near):
    from calibrant.base.errors import Inexpressible
    from calibrant.types.sent import Sent

    it = near(toml(), said(), found=(neighbour("x"),))
    with pytest.raises(Inexpressible, match=r"\$.max_tool_calls"):
        it.infer(variant_name="v", sent=Sent("openai_responses", "f", {}, (), only=("`$.max_tool_calls`",)))
    assert it.sender.calls == []


def test_looking_for_examples_takes_no_longer_than_the_variant_has(near):
    it = near(toml(", timeouts.non_streaming.total_ms = 20, timeouts.streaming.ttft_ms = 20"))

    async def nearest(*_):
        await asyncio.Event().wait()

    it.near.nearest = nearest
    with pytest.raises(InferenceTimeout, match="the variant 'v' ran out of time"):
        it.infer(variant_name="v")
    with pytest.raises(InferenceTimeout, match="the variant 'v' ran out of time for the first chunk"):
        it.stream(variant_name="v")
    assert it.sender.asked == []


def test_a_file_goes_to_the_model_and_not_into_the_comparison(near):
    picture = File(data="aGk=", mime_type="image/png")
    it = near(toml(), said(), found=(neighbour("x"),))
    it.infer(input=Input((Message("user", (Text("See?"), picture)),)))
    assert "aGk=" not in it.near.asked[0][2]
    assert it.sender.bodies[0]["messages"][-1]["content"][-1]["image_url"]["url"].endswith("aGk=")


@pytest.mark.parametrize(
    ("extra", "problem"),
    [
        (", embedding_model = 'x'", "variants.v.embedding_model"),
        (", json_mode = 'on'", "variants.v.json_mode"),
        (", system_instructions = 'none.txt'", "variants.v.system_instructions"),
    ],
)
def test_mistakes_are_told(line, extra, problem):
    with pytest.raises(ConfigError) as caught:
        line(toml(extra))
    assert problem in caught.value.message
