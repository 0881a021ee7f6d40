"""Key management on the wire: bodies to wishes, keys and log entries to bodies.

Instants are RFC 3339 outside and Unix milliseconds inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import asdict

from calibrant.apischema.keys import (
    AuditBody,
    AuditPage,
    ChangeKeyBody,
    CreatedKeyBody,
    CreateKeyBody,
    KeyBody,
    KeyPage,
)
from calibrant.types.key import ApiKey, Audit, KeyChange, NewKey
from calibrant.wire.body import parse

__all__ = ["decode_change", "decode_new", "encode_audit", "encode_created", "encode_key", "encode_keys", "moment"]

_new = msgspec.json.Decoder(CreateKeyBody)
_change = msgspec.json.Decoder(ChangeKeyBody)
_EPOCH = datetime.fromtimestamp(0, UTC)
_MOMENTS = ("expires_at", "disabled_at", "created_at", "updated_at")
_encode = msgspec.json.Encoder().encode


def decode_new(body: bytes) -> NewKey:
    """Return the key that a body asks for.

    Raises:
        InvalidRequest: it is malformed; the message has the JSON path.
    """
    asked = parse(_new, body or b"{}")
    fields = {name: value for name, value in asdict(asked).items() if value is not None}
    if asked.expires_at is not None:
        fields["expires_at"] = _millis(asked.expires_at)
    return NewKey(**fields)


def decode_change(body: bytes) -> KeyChange:
    """Return the change that a body asks for.

    Raises:
        InvalidRequest: it is malformed; the message has the JSON path.
    """
    asked = parse(_change, body)
    expires_at: int | UnsetType | None = UNSET
    if isinstance(asked.expires_at, datetime):
        expires_at = _millis(asked.expires_at)
    elif asked.expires_at is None:
        expires_at = None
    return KeyChange(
        description=asked.description,
        roles=asked.roles,
        models=asked.models,
        functions=asked.functions,
        expires_at=expires_at,
    )


def encode_created(secret: str, key: ApiKey) -> bytes:
    """Return the one answer that has the key itself."""
    return _encode(CreatedKeyBody(key=secret, **asdict(_body(key))))


def encode_key(key: ApiKey) -> bytes:
    """Return what is known of a key."""
    return _encode(_body(key))


def encode_keys(keys: Sequence[ApiKey], following: str | None) -> bytes:
    """Return a page of keys."""
    return _encode(KeyPage(keys=[_body(key) for key in keys], next=following))


def encode_audit(entries: Sequence[Audit], following: int | None) -> bytes:
    """Return a page of the log."""
    return _encode(AuditPage(entries=[_entry(entry) for entry in entries], next=following))


def _body(key: ApiKey) -> KeyBody:
    fields: dict[str, Any] = asdict(key)
    return KeyBody(**{name: _told(name, value) for name, value in fields.items()})


def _entry(entry: Audit) -> AuditBody:
    return AuditBody(
        id=entry.id,
        at=moment(entry.at),
        actor=entry.actor,
        action=entry.action,
        subject=entry.subject,
        detail={name: _told(name, value) for name, value in entry.detail.items()},
    )


def _told(name: str, value: Any) -> Any:
    """Return a value of the log with its instants as callers read them."""
    if name not in _MOMENTS or value is None:
        return value
    if isinstance(value, dict):
        return {when: _told(name, each) for when, each in cast("dict[str, Any]", value).items()}
    return moment(value)


def moment(millis: int) -> datetime:
    """Return the instant of Unix milliseconds."""
    return _EPOCH + timedelta(milliseconds=millis)


def _millis(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)
