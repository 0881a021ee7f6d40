"""What only the caller's own dialect can express goes to providers of it, or is refused before anybody is asked."""

import msgspec
import pytest
from msgspec import Raw
from msgspec.structs import replace
from tests.support.engine import Line, function, model, refusal, said, variant

from calibrant.base.errors import AllVariantsFailed, Inexpressible
from calibrant.types.content import RawText, Text, Unknown
from calibrant.types.message import Input, Message
from calibrant.types.request import Params
from calibrant.types.sent import Sent, SentMessage


def written(*items, only=(), **fields):
    """One that has come with an item for each message, or with one for the first."""
    raws = {name: Raw(msgspec.json.encode(value)) for name, value in fields.items()}
    messages = tuple(SentMessage(msgspec.json.encode(item), place) for place, item in enumerate(items))
    return Sent("openai_responses", "f", raws, messages, only=only)


ONLY_HERE = written("written", only=("`$.prompt`",), prompt={"id": "p"})
RESPONSE = {"id": "resp_1", "status": "completed", "output": []}


def responses(name, provider="r"):
    return model(name, provider).replace('type = "openai"', 'type = "openai"\napi_type = "responses"')


def test_a_provider_of_the_dialect_is_sent_what_was_written(tmp_path):
    line = Line(tmp_path, responses("m") + function(), RESPONSE)
    line.infer(dialect="openai_responses", sent=ONLY_HERE)
    assert line.sender.bodies == [{"model": "gpt", "input": ["written"], "prompt": {"id": "p"}}]


def test_no_other_provider_is_asked(tmp_path):
    line = Line(tmp_path, model() + function(), said())
    with pytest.raises(Inexpressible, match=r"whose `api_type` is 'responses'.*`\$\.prompt`"):
        line.infer(dialect="openai_responses", sent=ONLY_HERE)
    assert line.sender.calls == [] and not line.records


def test_routing_goes_on_to_a_provider_that_can_be_told(tmp_path):
    toml = model("m", "p", "r").replace(
        'type = "openai"\nmodel_name = "gpt"\napi_base = "http://r.m',
        'type = "openai"\napi_type = "responses"\nmodel_name = "gpt"\napi_base = "http://r.m',
    )
    line = Line(tmp_path, toml + function(), RESPONSE)
    line.infer(dialect="openai_responses", sent=ONLY_HERE)
    assert line.sender.asked == ["r.m"]
    assert [row.status for row in line.attempts] == ["error", "ok"]


def test_so_does_the_draw_of_variants(tmp_path):
    two = function(variant("a"), variant("b", "n")) + (
        '[functions.f.experimentation]\ntype = "static"\ncandidate_variants = ["a"]\nfallback_variants = ["b"]\n'
    )
    line = Line(tmp_path, model() + responses("n") + two, RESPONSE)
    line.infer(dialect="openai_responses", sent=ONLY_HERE)
    assert line.sender.asked == ["r.n"]


def test_an_error_of_another_kind_is_not_hidden(tmp_path):
    two = function(variant("a"), variant("b", "n")) + (
        '[functions.f.experimentation]\ntype = "static"\ncandidate_variants = ["a"]\nfallback_variants = ["b"]\n'
    )
    line = Line(tmp_path, model() + responses("n") + two, refusal(400))
    with pytest.raises(AllVariantsFailed):
        line.infer(dialect="openai_responses", sent=ONLY_HERE)


def test_templates_take_the_place_of_what_they_render(tmp_path):
    (tmp_path / "system.minijinja").write_text("Be brief.")
    line = Line(tmp_path, responses("m") + function(variant(extra='system_template = "system.minijinja"')), RESPONSE)
    asked = Input((Message("user", (Text("a"),)), Message("user", (RawText("b"),))))
    came = written({"role": "user", "content": "a", "new": 1}, "raw", instructions="i", truncation="auto")
    came = replace(came, messages=(SentMessage(b'"in the system prompt"', None), *came.messages))
    line.infer(dialect="openai_responses", input=asked, sent=came)
    (sent,) = line.sender.bodies
    assert sent == {
        "model": "gpt",
        "instructions": "Be brief.",
        "input": [
            {"role": "user", "content": "a", "new": 1},
            {"type": "message", "role": "user", "content": "b"},
        ],
        "truncation": "auto",
    }
    assert msgspec.json.decode(line.attempts[0].raw_request) == sent


def test_what_another_model_said_is_not_in_the_way(tmp_path):
    """The message that is made of it alone goes, and all others keep their words."""
    line = Line(tmp_path, responses("m") + function(), RESPONSE)
    theirs = Message("assistant", (Unknown({"type": "x"}, "other", None),))
    asked = Input((Message("user", (Text("a"),)), theirs, Message("user", (Text("b"),))))
    line.infer(dialect="openai_responses", input=asked, sent=written("a", "x", "b").without({1, 2}))
    assert line.sender.bodies[0]["input"] == ["a", {"type": "message", "role": "user", "content": "b"}]


@pytest.mark.parametrize("mode, words", [("on", "Say it.\n\nRespond using JSON."), ("strict", "Say it.")])
def test_json_mode_has_its_word_beside_the_callers_instructions(tmp_path, mode, words):
    (tmp_path / "o.json").write_text('{"type":"object"}')
    toml = responses("m") + (
        '[functions.f]\ntype = "json"\noutput_schema = "o.json"\n[functions.f.variants.v]\n'
        f'type = "chat_completion"\nmodel = "m"\njson_mode = "{mode}"\n'
    )
    line = Line(tmp_path, toml, RESPONSE)
    line.infer(dialect="openai_responses", sent=written("written", instructions="Say it."))
    assert (line.sender.bodies[0]["instructions"], line.sender.bodies[0]["input"]) == (words, ["written"])


def test_fusers_and_thinkers_are_not_sent_what_they_are_not_asked(tmp_path):
    both = function(
        variant("a"),
        'variants.n = { type = "experimental_mixture_of_n", weight = 1, candidates = ["a"], '
        'fuser = { model = "m" } }\n',
    )
    line = Line(tmp_path, responses("m") + both, RESPONSE)
    came = written("written", stream=True, temperature=1, truncation="auto", text={"verbosity": "low"})
    line.stream(dialect="openai_responses", variant_name="n", params=Params(temperature=1.0), sent=came)
    assert line.sender.bodies == [{"model": "gpt", "input": ["written"], "truncation": "auto"}]


def test_a_thinkers_schema_is_not_the_callers(tmp_path):
    (tmp_path / "o.json").write_text('{"type":"object"}')
    toml = responses("m") + (
        '[functions.f]\ntype = "json"\noutput_schema = "o.json"\n[functions.f.variants.v]\n'
        'type = "experimental_chain_of_thought"\nmodel = "m"\njson_mode = "strict"\n'
    )
    line = Line(tmp_path, toml, RESPONSE)
    form = {"type": "json_schema", "name": "mine", "schema": {"type": "object"}}
    line.infer(dialect="openai_responses", sent=written("written", text={"format": form, "verbosity": "low"}))
    text = line.sender.bodies[0]["text"]
    assert text["verbosity"] == "low" and "thinking" in text["format"]["schema"]["properties"]
