"""Mistakes in the keys that say where a credential, an address or a region is."""

import pytest

BEDROCK = '[models.m]\nrouting=["p"]\n[models.m.providers.p]\ntype="aws_bedrock"\nmodel_id="x"\n'
AZURE = '[models.m]\nrouting=["p"]\n[models.m.providers.p]\ntype="azure"\ndeployment_id="x"\nendpoint='
REGION = 'region="us-east-1"\n'
HERE = "models.m.providers.p"


@pytest.mark.parametrize(
    ("text", "path", "problem"),
    [
        (BEDROCK, "region", 'is missing; write a region such as "us-east-1", "env::NAME"'),
        (BEDROCK + 'region="US East"', "region", "is no name of a region"),
        (BEDROCK + REGION + 'endpoint_url="localhost"', "endpoint_url", "is no address"),
        (BEDROCK + REGION + 'access_key_id="env::A"', "secret_access_key", "is missing beside `access_key_id`"),
        (BEDROCK + REGION + 'secret_access_key="env::A"', "access_key_id", "is missing beside `secret_access_key`"),
        (BEDROCK + REGION + 'session_token="env::A"', "access_key_id", "is missing beside `session_token`"),
        (BEDROCK + REGION + 'session_token="env::A"', "secret_access_key", "is missing beside `session_token`"),
        (
            BEDROCK + REGION + 'api_key="env::K"\naccess_key_id="env::A"\nsecret_access_key="env::B"',
            "api_key",
            "is set beside `access_key_id`",
        ),
        (BEDROCK + REGION + 'access_key_id="none"\nsecret_access_key="env::B"', "access_key_id", 'is "none"'),
        (BEDROCK + REGION + 'access_key_id="env::A"\nsecret_access_key="sdk"', "secret_access_key", 'is "sdk"'),
        (AZURE + '"x.openai.azure.com"', "endpoint", "is no address that starts with https://"),
        (AZURE + '"https://user:canary@x"', "endpoint", "has a user or a password in it"),
        (AZURE + '"path::x"', "endpoint", '"env::NAME" or "dynamic::NAME"'),
        (AZURE + '"dynamic::"', "endpoint", "is no address"),
    ],
)
def test_each_mistake_is_told(mistakes, text, path, problem):
    lines = [line for line in mistakes(text) if line.startswith(f"{HERE}.{path}: ")]
    assert len(lines) == 1 and problem in lines[0] and "canary" not in lines[0]


@pytest.mark.parametrize(
    "more",
    [
        'region="sdk"',
        'region="env::R"',
        'region="dynamic::r"\nendpoint_url="dynamic::u"',
        "allow_auto_detect_region=true",
        REGION + 'access_key_id="env::A"\nsecret_access_key="dynamic::b"\nsession_token="path::t"',
        REGION + 'access_key_id="sdk"\nsecret_access_key="sdk"',
        REGION + 'api_key="none"\nendpoint_url="http://127.0.0.1:1"',
        'endpoint_url="http://127.0.0.1:1"',
    ],
)
def test_what_is_right_is_not_complained_of(tmp_path, more):
    from calibrant.base.errors import ConfigError
    from calibrant.config.load import load

    file = tmp_path / "calibrant.toml"
    file.write_text(BEDROCK + more)
    try:
        load(str(file), environ={})
    except ConfigError as error:
        # The type itself may not be built yet.
        assert [line for line in error.message.split("\n") if "this version cannot do" not in line] == []


def test_a_default_that_no_provider_of_the_type_can_use(mistakes):
    (line,) = mistakes('provider_types.openai.defaults.api_key_location = "sdk"')
    assert line.startswith("provider_types.openai.defaults.api_key_location: ") and "only AWS and GCP" in line
