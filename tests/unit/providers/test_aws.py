from __future__ import annotations

from typing import Any

import boto3
import pytest
from tests.contract.providers.cases import provider

from calibrant.base.errors import ConfigError, ProviderError
from calibrant.config.secret import AwsKeys, Secret
from calibrant.providers.aws import aws_service
from calibrant.types.call import HttpCall

KEYS = AwsKeys(Secret("id"), Secret("key"))
CALL = HttpCall("POST", "https://x.test/", (("content-type", "application/json"),), b"{}")


def made(**options: Any) -> Any:
    return aws_service(provider("aws_bedrock", options=options), "bedrock-runtime", "bedrock")


@pytest.mark.parametrize(
    "region",
    [
        *("us-east-1", "eu-central-1", "ap-southeast-2", "me-central-1", "us-gov-west-1", "cn-north-1"),
        *("us-iso-east-1", "us-isob-east-1", "us-isof-south-1", "eu-isoe-west-1", "eusc-de-east-1"),
    ],
)
@pytest.mark.parametrize(
    ("service", "host"), [("bedrock-runtime", "bedrock-runtime"), ("sagemaker-runtime", "runtime.sagemaker")]
)
def test_a_service_is_where_the_sdk_finds_it(region: str, service: str, host: str) -> None:
    client = boto3.client(service, region_name=region, aws_access_key_id="a", aws_secret_access_key="b")
    ours = aws_service(provider("aws_bedrock", options={"region": region}), host, "bedrock")
    assert ours.base == client.meta.endpoint_url
    client.close()


def test_the_address_wins_and_the_region_signs() -> None:
    ours = made(region="eu-west-1", endpoint_url="http://127.0.0.1:9/")
    assert (ours.base, ours.region) == ("http://127.0.0.1:9", "eu-west-1")
    assert "/eu-west-1/bedrock/aws4_request" in dict(ours.sign(CALL, KEYS, 0.0).headers)["authorization"]


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("https://vpce-1a2b-3c4d.bedrock-runtime.eu-central-1.vpce.amazonaws.com", "eu-central-1"),
        ("https://bedrock-runtime.ap-south-2.amazonaws.com/", "ap-south-2"),
        ("https://gateway.test", None),
        ("http://127.0.0.1:8000", None),
    ],
)
def test_an_address_may_say_the_region(url: str, region: str | None) -> None:
    assert made(endpoint_url=url).region == region


def test_keys_need_a_region() -> None:
    with pytest.raises(ProviderError, match="`region`") as caught:
        made(endpoint_url="https://gateway.test").sign(CALL, KEYS, 0.0)
    assert not caught.value.retryable


def test_neither_address_nor_region() -> None:
    with pytest.raises(ConfigError, match="needs `region`.*or `endpoint_url`"):
        made()


def test_a_plain_key_is_a_bearer_token() -> None:
    ours = made(endpoint_url="https://gateway.test")
    assert dict(ours.sign(CALL, Secret("k"), 0.0).headers)["authorization"] == "Bearer k"
    assert ours.sign(CALL, None, 0.0) is CALL
