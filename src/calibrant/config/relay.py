"""Models whose calls another gateway makes: one provider in the place of those that the configuration names."""

from __future__ import annotations

from calibrant.config.credential import credential_at
from calibrant.config.document_gateway import Relay as RelayTable
from calibrant.config.schema import Credential, Provider, Relay
from calibrant.config.vendors import RELAY

__all__ = ["relay_of", "relay_provider"]


def relay_of(table: RelayTable | None) -> Relay | None:
    """Return the gateway that a table names, or null where it names none."""
    if table is None or table.gateway_url is None:
        return None
    location = table.api_key_location
    return Relay(table.gateway_url, Credential("none") if location is None else credential_at(RELAY, location))


def relay_provider(relay: Relay, model_name: str) -> Provider:
    """Return the provider by which a model of this name is called: the other gateway knows it by the same name."""
    return Provider(RELAY, RELAY, model_name, api_base=relay.url, credential=relay.credential)
