"""What only the caller's own dialect can express goes to providers of it, or is refused before anybody is asked."""

import msgspec
import pytest
from msgspec import Raw
from tests.support.engine import Line, function, model, refusal, said, variant

from calibrant.base.errors import AllVariantsFailed, Inexpressible
from calibrant.types.request import Params, Verbatim

ONLY_HERE = Verbatim({"prompt": Raw(b'{"id":"p"}')}, (Raw(b'"written"'),), only_here=("$.prompt",))
RESPONSE = {"id": "resp_1", "status": "completed", "output": []}


def responses(name, provider="r"):
    return model(name, provider).replace('type = "openai"', 'type = "openai"\napi_type = "responses"')


def test_a_provider_of_the_dialect_is_sent_what_was_written(tmp_path):
    line = Line(tmp_path, responses("m") + function(), RESPONSE)
    line.infer(dialect="openai_responses", verbatim=ONLY_HERE)
    assert line.sender.bodies == [{"model": "gpt", "input": ["written"], "prompt": {"id": "p"}}]


def test_no_other_provider_is_asked(tmp_path):
    line = Line(tmp_path, model() + function(), said())
    with pytest.raises(Inexpressible, match=r"'p'.*`\$\.prompt`"):
        line.infer(dialect="openai_responses", verbatim=ONLY_HERE)
    assert line.sender.calls == []
    assert (line.row.status, line.row.error_code, line.row.http_status) == ("error", "inexpressible", 400)


def test_routing_goes_on_to_a_provider_that_can_be_told(tmp_path):
    toml = model("m", "p", "r").replace(
        'type = "openai"\nmodel_name = "gpt"\napi_base = "http://r.m',
        'type = "openai"\napi_type = "responses"\nmodel_name = "gpt"\napi_base = "http://r.m',
    )
    line = Line(tmp_path, toml + function(), RESPONSE)
    line.infer(dialect="openai_responses", verbatim=ONLY_HERE)
    assert line.sender.asked == ["r.m"]
    assert [row.status for row in line.attempts] == ["error", "ok"]


def test_so_does_the_draw_of_variants(tmp_path):
    two = function(variant("a"), variant("b", "n")) + (
        '[functions.f.experimentation]\ntype = "static"\ncandidate_variants = ["a"]\nfallback_variants = ["b"]\n'
    )
    line = Line(tmp_path, model() + responses("n") + two, RESPONSE)
    line.infer(dialect="openai_responses", verbatim=ONLY_HERE)
    assert line.sender.asked == ["r.n"]


def test_an_error_of_another_kind_is_not_hidden(tmp_path):
    two = function(variant("a"), variant("b", "n")) + (
        '[functions.f.experimentation]\ntype = "static"\ncandidate_variants = ["a"]\nfallback_variants = ["b"]\n'
    )
    line = Line(tmp_path, model() + responses("n") + two, refusal(400))
    with pytest.raises(AllVariantsFailed):
        line.infer(dialect="openai_responses", verbatim=ONLY_HERE)


def test_templates_take_the_place_of_the_input(tmp_path):
    (tmp_path / "system.minijinja").write_text("Be brief.")
    toml = responses("m") + function(variant(extra='system_template = "system.minijinja"'))
    line = Line(tmp_path, toml, RESPONSE)
    line.infer(dialect="openai_responses", verbatim=Verbatim({"truncation": Raw(b'"auto"')}, (Raw(b'"written"'),)))
    (sent,) = line.sender.bodies
    assert sent == {
        "model": "gpt",
        "instructions": "Be brief.",
        "input": [{"type": "message", "role": "user", "content": "Hello?"}],
        "truncation": "auto",
    }
    assert msgspec.json.decode(line.attempts[0].raw_request) == sent


def test_candidates_and_thinkers_are_not_sent_what_they_are_not_asked(tmp_path):
    written = {"stream": Raw(b"true"), "temperature": Raw(b"1"), "truncation": Raw(b'"auto"')}
    both = function(
        variant("a"),
        'variants.n = { type = "experimental_mixture_of_n", weight = 1, candidates = ["a"], '
        'fuser = { model = "m" } }\n',
    )
    line = Line(tmp_path, responses("m") + both, RESPONSE)
    line.stream(
        dialect="openai_responses",
        variant_name="n",
        params=Params(temperature=1.0),
        verbatim=Verbatim(written, (Raw(b'"written"'),)),
    )
    assert line.sender.bodies == [{"model": "gpt", "input": ["written"], "truncation": "auto"}]
