"""API keys, and the log of what was done to them. Their routes are for the role `admin`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType

from calibrant.apischema.keys import AuditBody, AuditPage, CreatedKeyBody, KeyBody, KeyPage
from calibrant.client.call import Call, get, post, segment, send

__all__ = [
    "ApiKey",
    "AuditEntry",
    "CreatedApiKey",
    "ListAuditResponse",
    "ListKeysResponse",
    "change_key",
    "create_key",
    "disable_key",
    "enable_key",
    "list_audit",
    "list_keys",
]

ApiKey = KeyBody
CreatedApiKey = CreatedKeyBody
ListKeysResponse = KeyPage
AuditEntry = AuditBody
ListAuditResponse = AuditPage


def create_key(
    *,
    description: str | None = None,
    organization: str | None = None,
    workspace: str | None = None,
    roles: Sequence[str] | None = None,
    models: Sequence[str] | None = None,
    functions: Sequence[str] | None = None,
    expires_at: datetime | str | None = None,
) -> Call[CreatedApiKey]:
    """Make an API key. `key` of the answer is the key itself, and is never told again."""
    body = {
        "description": description,
        "organization": organization,
        "workspace": workspace,
        "roles": roles,
        "models": models,
        "functions": functions,
        "expires_at": expires_at,
    }
    return post("/v1/keys", body, CreatedApiKey, repeat="unless_sent")


def change_key(
    *,
    public_id: str,
    description: str | UnsetType = UNSET,
    roles: Sequence[str] | UnsetType = UNSET,
    models: Sequence[str] | UnsetType | None = UNSET,
    functions: Sequence[str] | UnsetType | None = UNSET,
    expires_at: datetime | str | UnsetType | None = UNSET,
) -> Call[ApiKey]:
    """Change an API key. What is left out stays; `None` takes a list or the expiry away."""
    fields = {
        "description": description,
        "roles": roles,
        "models": models,
        "functions": functions,
        "expires_at": expires_at,
    }
    # As bytes: nulls say something here.
    body = msgspec.Raw(msgspec.json.encode({name: value for name, value in fields.items() if value is not UNSET}))
    return send("PATCH", _at(public_id), body, ApiKey)


def disable_key(*, public_id: str) -> Call[ApiKey]:
    """Disable an API key; it opens nothing any more."""
    return msgspec.structs.replace(get(_at(public_id, "/disable"), ApiKey), method="POST")


def enable_key(*, public_id: str) -> Call[ApiKey]:
    """Enable an API key that was disabled."""
    return msgspec.structs.replace(get(_at(public_id, "/enable"), ApiKey), method="POST")


def list_keys(*, after: str | None = None, limit: int | None = None) -> Call[ListKeysResponse]:
    """Read what API keys there are, the oldest first; none of them is told."""
    return get("/v1/keys", ListKeysResponse, after=after, limit=limit)


def list_audit(*, before: int | None = None, limit: int | None = None) -> Call[ListAuditResponse]:
    """Read what was done to API keys, and what was erased, the newest first."""
    return get("/v1/audit", ListAuditResponse, before=before, limit=limit)


def _at(public_id: str, rest: str = "") -> str:
    return f"/v1/keys/{segment(public_id, 'public_id')}{rest}"
