import pytest
from tests.support.engine import function, model, variant

from calibrant.base.errors import NotFound


@pytest.fixture
def compiler(line):
    return lambda toml="", **options: line(toml, **options).engine.compiler


def test_names_are_sorted(compiler):
    found = compiler(model("b") + model("a") + function(variant(model="a"), name="g") + function(variant(model="b")))
    assert found.model_names() == ["a", "b"]
    assert found.function_names() == ["f", "g"]


def test_an_unknown_function_is_named_with_some_of_those_that_there_are(compiler):
    with pytest.raises(NotFound, match="'nope'; the configuration has none$"):
        compiler().function("nope")
    many = compiler(model() + "".join(function(name=f"f{i:02}") for i in range(12)))
    with pytest.raises(NotFound, match=r"has f00, .*, f09, \.\.\.$"):
        many.function("nope")


def test_a_function_keeps_the_name_that_the_model_sees_of_each_tool(compiler, tmp_path):
    (tmp_path / "p.json").write_text('{"type": "object"}')
    tool = '[tools.a]\nname = "seen"\ndescription = "d"\nparameters = "p.json"\n'
    found = compiler(tool + model() + function(extra='tools = ["a"]')).function("f")
    assert set(found.tool_schemas) == {"seen"}


def test_only_a_legacy_template_with_a_schema_shuts_plain_text_out(compiler, tmp_path):
    (tmp_path / "s.json").write_text('{"type": "object"}')
    (tmp_path / "t.minijinja").write_text("x")
    legacy, new = 'user_template = "t.minijinja"', 'templates.user.path = "t.minijinja"'
    extra = 'schemas.user.path = "s.json"'
    for template, schema, roles in ((legacy, extra, {"user"}), (legacy, "", set()), (new, extra, set())):
        found = compiler(model() + function(variant(extra=template), extra=schema)).function("f")
        assert found.schema_only_roles == roles


def test_a_shorthand_is_compiled_once(compiler):
    found = compiler()
    first = found.model("openai::gpt-4o-mini")
    assert first.providers[0].provider.model_name == "gpt-4o-mini"
    assert found.model("openai::gpt-4o-mini") is first
    assert found.default_function("openai::gpt-4o-mini") is found.default_function("openai::gpt-4o-mini")


@pytest.mark.parametrize(
    "name", ["", "m", "openai::", "::x", "nope::x", "openai", "vllm::x", "aws_bedrock::x", "gcp_vertex_gemini::x"]
)
def test_what_is_no_shorthand_is_no_model(compiler, name):
    found = compiler()
    assert found.model(name) is None
    assert found.default_function(name) is None


def test_a_configured_model_wins_over_a_shorthand(compiler):
    toml = model('"openai::mine"').replace('http://p."openai::mine"', "http://here")
    assert compiler(toml).model("openai::mine").providers[0].provider.api_base == "http://here/v1"


def test_shorthands_that_callers_make_up_do_not_pile_up(compiler):
    found = compiler()
    first = found.default_function("openai::0")
    for i in range(1, 1100):
        assert found.default_function(f"openai::{i}") is not None
    assert found.default_function("openai::0") is not first


def test_the_credential_of_a_shorthand_can_be_configured(compiler):
    found = compiler('provider_types.openai.defaults.api_key_location = "env::MINE"', environ={"MINE": "k"})
    assert found.model("openai::x").providers[0].provider.credential.default == "env::MINE"


def test_a_shorthand_of_gcp_is_the_path_of_a_model(compiler):
    found = compiler('provider_types.gcp_vertex_gemini.defaults.credential_location = "sdk"')
    path = "projects/p/locations/us-central1/publishers/google/models/gemini-x"
    provider = found.model(f"gcp_vertex_gemini::{path}").providers[0].provider
    assert (provider.model_name, provider.options) == ("gemini-x", {"project_id": "p", "location": "us-central1"})
    assert provider.credential.default == "sdk::gcp"
