"""Addresses and regions that lie elsewhere."""

import pytest
from msgspec.structs import replace

from calibrant.base.errors import MissingCredential
from calibrant.config.load import default_config
from calibrant.config.schema import Model, Provider
from calibrant.config.setting import (
    dynamic_settings,
    fault_of_setting,
    is_located,
    placeholders,
    settle,
    settled_for,
    wants_region,
    with_region,
)


def config_of(**options):
    provider = Provider("p", "aws_bedrock", "m", options=options)
    return replace(default_config(), models={"m": Model("m", (provider,))})


def options_of(config):
    return config.models["m"].providers[0].options


@pytest.mark.parametrize(
    "value",
    [
        "https://x.openai.azure.com",
        "https://x.openai.azure.com/",
        "http://127.0.0.1:8080/base",
        "http://[::1]:8080",
        "https://host_with_underscore",
    ],
)
def test_addresses(value):
    assert fault_of_setting("endpoint", value) is None and fault_of_setting("endpoint_url", value) is None


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x.openai.azure.com",
        "ftp://x",
        "file:///etc/passwd",
        "https://",
        "https:///path",
        "https://user@x",
        "https://user:password@x",
        "https://:password@x",
        "https://x?y=1",
        "https://x#y",
        "https://x y",
        "https://x/\r\nhost: evil",
        "https://x\\@evil",
        "https://x:0",
        "https://x:99999",
        "https://x:port",
        "https://[::1",
        "https://ex%41mple",
        "dynamic::",
    ],
)
def test_what_is_no_address(value):
    assert fault_of_setting("endpoint", value) is not None


@pytest.mark.parametrize("value", ["us-east-1", "eu-isoe-west-1", "cn-north-1"])
def test_regions(value):
    assert fault_of_setting("region", value) is None


@pytest.mark.parametrize(
    "value", ["", "US-EAST-1", "us_east_1", "evil.example/", "a/b", "a@b", "a\n", "-a", "a-", "a--b"]
)
def test_what_is_no_region(value):
    assert fault_of_setting("region", value) is not None


def test_where_a_setting_is():
    for value in ("env::X", "path_from_env::X", "dynamic::x"):
        assert is_located("endpoint", value) and is_located("region", value)
    assert is_located("region", "sdk") and not is_located("endpoint", "sdk")
    for value in ("env::", "path::x", "none", "https://x", "us-east-1"):
        assert not is_located("endpoint", value)


def test_what_the_environment_has_is_settled(tmp_path):
    (tmp_path / "r").write_text("eu-west-1\n")
    config = config_of(region="path_from_env::R", endpoint_url="env::U", model="env::not-a-setting")
    settled, problems = settle(config, {"R": str(tmp_path / "r"), "U": "https://x"})
    assert problems == ()
    assert options_of(settled) == {"region": "eu-west-1", "endpoint_url": "https://x", "model": "env::not-a-setting"}
    assert settled.hash == config.hash and options_of(config)["region"] == "path_from_env::R"


def test_what_is_written_and_what_is_dynamic_stays():
    config = config_of(region="us-east-1", endpoint_url="dynamic::u")
    assert settle(config, {}) == (config, ())


def test_all_that_is_missing_or_wrong_is_told_and_nothing_quoted():
    _, problems = settle(config_of(region="env::R", endpoint_url="env::U"), {"U": "canary"})
    told = sorted(str(problem) for problem in problems)
    assert told[0].startswith("environment: models.m.providers.p.endpoint_url: what 'env::U' holds is no address")
    assert told[1].startswith("environment: models.m.providers.p.region: the environment variable R is not set")
    assert "canary" not in "".join(told)


def test_the_region_of_awss_own_settings():
    config = config_of(region="sdk")
    for environ, region in (
        ({"AWS_REGION": "a-1", "AWS_DEFAULT_REGION": "b-1"}, "a-1"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "b-1"}, "b-1"),
        ({}, "sdk"),
    ):
        settled, problems = settle(config, environ)
        assert problems == () and options_of(settled) == {"region": region}
        assert wants_region(settled) == (("models.m.providers.p.region",) if region == "sdk" else ())
    assert options_of(with_region(config, "c-1")) == {"region": "c-1"}
    assert with_region(config_of(region="d-1"), "c-1") == config_of(region="d-1")
    assert settle(config, {"AWS_REGION": "evil/"})[1][0].problem == "what 'sdk' holds is no name of a region"


def test_what_comes_with_each_request():
    provider = Provider("p", "aws_bedrock", "m", options={"region": "dynamic::r", "endpoint_url": "dynamic::u", "x": 1})
    assert set(dynamic_settings(provider)) == {"region", "endpoint_url"}
    settled = settled_for(provider, {"r": "us-east-1", "u": "https://x", "other": "y"})
    assert settled.options == {"region": "us-east-1", "endpoint_url": "https://x", "x": 1}
    stand_in = placeholders(provider)
    assert dynamic_settings(stand_in) == () and stand_in.options["x"] == 1
    for key in ("region", "endpoint_url"):
        assert fault_of_setting(key, stand_in.options[key]) is None


def test_a_provider_without_any_is_left_alone():
    provider = Provider("p", "openai", "m", options={"region": "us-east-1"})
    assert dynamic_settings(provider) == () and placeholders(provider) is provider
    assert settled_for(provider, {}) == provider


@pytest.mark.parametrize(
    ("credentials", "match"),
    [
        ({}, "The region of the provider 'p' is missing: the request has no 'r' in its `credentials`"),
        ({"r": "canary/../"}, "what the request has at 'r' in its `credentials` is no name of a region"),
    ],
)
def test_a_request_that_lacks_one_or_has_a_wrong_one(credentials, match):
    with pytest.raises(MissingCredential) as caught:
        settled_for(Provider("p", "aws_bedrock", "m", options={"region": "dynamic::r"}), credentials)
    assert match in caught.value.message and "canary" not in caught.value.message
