"""Where AWS's services are, and how a request to one is signed.

Source: docs.aws.amazon.com/general/latest/gr/bedrock.html, docs.aws.amazon.com/general/latest/gr/sagemaker.html and
docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html
"""

from __future__ import annotations

import re

from msgspec import Struct

from calibrant.base.errors import ConfigError, ProviderError
from calibrant.config.schema import Provider
from calibrant.config.secret import AwsKeys, Credentials
from calibrant.providers.sign import bearer
from calibrant.providers.sigv4 import signed
from calibrant.types.call import HttpCall

__all__ = ["AwsService", "aws_domain", "aws_service"]

_DOMAINS = (
    ("cn-", "amazonaws.com.cn"),
    ("eusc-", "amazonaws.eu"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("us-isof-", "csp.hci.ic.gov"),
    ("us-iso-", "c2s.ic.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
)
"""Beginnings of regions that have a domain of their own."""
_DOMAIN = "amazonaws.com"
_REGION_IN_HOST = re.compile(r"\.([a-z]{2,4}(?:-[a-z]+)+-\d+)\.")


class AwsService(Struct, frozen=True):
    """One service, where a provider of the configuration has it."""

    provider: str
    """The provider's name."""
    base: str
    """The address, without a slash at its end."""
    name: str
    """The service's name in signatures."""
    region: str | None
    """Null where neither the configuration nor the address says it."""

    def sign(self, http: HttpCall, secret: Credentials | None, now: float) -> HttpCall:
        """Return the request with a signature, or with a plain key as a bearer token; unchanged where there is none.

        Args:
            http: The request, as it will be sent.
            secret: AWS's keys, or a key of Bedrock.
            now: Unix time in seconds.

        Raises:
            ProviderError: AWS's keys need a region and there is none.
        """
        if not isinstance(secret, AwsKeys):
            return bearer(http, secret)
        if self.region is None:
            raise ProviderError(
                f"provider {self.provider!r} needs `region` to sign with AWS's keys, since its `endpoint_url` names "
                "none; set it",
                retryable=False,
            )
        return signed(http, secret, region=self.region, service=self.name, now=now)


def aws_service(provider: Provider, host: str, name: str) -> AwsService:
    """Return where a provider's service is.

    Args:
        provider: The provider; its `endpoint_url` wins over its `region`.
        host: The first part of the service's host, such as `bedrock-runtime`.
        name: The service's name in signatures.

    Raises:
        ConfigError: it has neither.
    """
    region: str | None = provider.options.get("region")
    url: str | None = provider.options.get("endpoint_url")
    if url:
        found = None if region else _REGION_IN_HOST.search(url)
        return AwsService(provider.name, url.rstrip("/"), name, found[1] if found is not None else region or None)
    if not region:
        raise ConfigError(
            f"provider {provider.name!r} ({provider.type}) needs `region`, such as 'us-east-1', or `endpoint_url`"
        )
    return AwsService(provider.name, f"https://{host}.{region}.{aws_domain(region)}", name, region)


def aws_domain(region: str) -> str:
    """Return the domain that the services of a region are under."""
    return next((domain for prefix, domain in _DOMAINS if region.startswith(prefix)), _DOMAIN)
