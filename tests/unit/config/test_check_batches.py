import pytest

from calibrant.base.errors import ConfigError
from calibrant.config.load import load

TOML = """
[models.m]
routing = ["p", "o"]
[models.m.providers.p]
type = "gcp_vertex_gemini"
model_id = "g"
location = "l"
project_id = "p"
credential_location = "none"
[models.m.providers.o]
type = "openai"
model_name = "x"
api_key_location = "none"
[provider_types.gcp_vertex_gemini.batch]
"""


@pytest.fixture
def configured(tmp_path):
    def go(rest):
        file = tmp_path / "c.toml"
        file.write_text(TOML + rest)
        return load(str(file), environ={})

    return go


def test_only_geminis_on_vertex_have_the_places(configured):
    config = configured(
        'storage_type = "cloud_storage"\ninput_uri_prefix = "gs://in"\noutput_uri_prefix = "gs://out/a/b"\n'
    )
    vertex, other = config.models["m"].providers
    assert (vertex.options["batch_input"], vertex.options["batch_output"]) == ("gs://in", "gs://out/a/b")
    assert "batch_input" not in other.options and config.warnings == ()
    assert "batch_input" not in configured('storage_type = "none"\n').models["m"].providers[0].options


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ('storage_type = "cloud_storage"\noutput_uri_prefix = "gs://out"', "input_uri_prefix: is missing"),
        (
            'storage_type = "cloud_storage"\ninput_uri_prefix = "s3://in"\noutput_uri_prefix = "gs://"',
            "output_uri_prefix: is 'gs://'",
        ),
        (
            'storage_type = "cloud_storage"\ninput_uri_prefix = "s3://in"\noutput_uri_prefix = "gs://o"',
            "input_uri_prefix: is 's3://in', which is no place of Cloud Storage",
        ),
    ],
)
def test_places_that_are_missing_or_none(configured, rest, said):
    with pytest.raises(ConfigError) as error:
        configured(rest)
    assert f"provider_types.gcp_vertex_gemini.batch.{said}" in error.value.message
