"""The bodies of key management over HTTP. Ours: TensorZero has no such routes. Instants are RFC 3339."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

__all__ = ["AuditBody", "AuditPage", "ChangeKeyBody", "CreateKeyBody", "CreatedKeyBody", "KeyBody", "KeyPage"]

_Moment = Annotated[datetime, Meta(tz=True)]


class CreateKeyBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/keys`."""

    description: str | None = None
    organization: str | None = None
    workspace: str | None = None
    roles: list[str] | None = None
    models: list[str] | None = None
    functions: list[str] | None = None
    expires_at: _Moment | None = None


class ChangeKeyBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`PATCH /v1/keys/{public_id}`: what is left out stays; null takes a list or the expiry away."""

    description: str | UnsetType = UNSET
    roles: list[str] | UnsetType = UNSET
    models: list[str] | UnsetType | None = UNSET
    functions: list[str] | UnsetType | None = UNSET
    expires_at: _Moment | UnsetType | None = UNSET


class KeyBody(Struct, frozen=True, kw_only=True):
    """A key, but for the key itself."""

    public_id: str
    description: str
    organization: str
    workspace: str
    roles: tuple[str, ...]
    models: tuple[str, ...] | None
    functions: tuple[str, ...] | None
    expires_at: datetime | None
    disabled_at: datetime | None
    created_at: datetime
    updated_at: datetime


class CreatedKeyBody(KeyBody, frozen=True, kw_only=True):
    """The only answer with the key itself."""

    key: str


class KeyPage(Struct, frozen=True, kw_only=True):
    """Keys, the oldest first."""

    keys: list[KeyBody]
    next: str | None
    """What `after` takes for the next page; null at the end."""


class AuditBody(Struct, frozen=True, kw_only=True):
    """One act of management."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]


class AuditPage(Struct, frozen=True, kw_only=True):
    """The log, the newest entry first."""

    entries: list[AuditBody]
    next: int | None
    """What `before` takes for the next page; null at the end."""
