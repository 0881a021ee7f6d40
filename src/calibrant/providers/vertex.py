"""Where GCP Vertex AI is: the host of a location, and the path of a project in it.

Source: cloud.google.com/vertex-ai/docs/reference/rest#service-endpoint; multi-regions as the vendors' SDKs.
"""

from __future__ import annotations

from calibrant.base.errors import ConfigError
from calibrant.config.schema import Provider

__all__ = ["vertex_base"]

_MULTI_REGIONS = ("us", "eu")


def vertex_base(provider: Provider) -> str:
    """Return the address up to and including the location.

    Raises:
        ConfigError: the provider lacks `location` or `project_id`.
    """
    location, project = provider.options.get("location"), provider.options.get("project_id")
    for key, value in (("location", location), ("project_id", project)):
        if not value:
            raise ConfigError(f"provider {provider.name!r}: the type {provider.type!r} needs {key}")
    base = (provider.api_base or f"https://{_host(str(location))}/v1").rstrip("/")
    return f"{base}/projects/{project}/locations/{location}"


def _host(location: str) -> str:
    if location == "global":
        return "aiplatform.googleapis.com"
    if location in _MULTI_REGIONS:
        return f"aiplatform.{location}.rep.googleapis.com"
    return f"{location}-aiplatform.googleapis.com"
