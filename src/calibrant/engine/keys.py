"""Management of API keys: made, changed, disabled, enabled. The log has every act, in the transaction that does it."""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterable
from typing import Any, Final

from msgspec import UNSET
from msgspec.structs import asdict, replace

from calibrant.base.errors import InternalError, InvalidRequest, NotFound
from calibrant.store.catalogue import Catalogue, Reading, Tx
from calibrant.types.key import (
    ROLES,
    ApiKey,
    Audit,
    AuditAction,
    KeyChange,
    NewKey,
    Role,
    StoredKey,
    digest_of,
    split_key,
)

__all__ = ["change_key", "create_key", "find_key", "set_disabled"]

_ALPHABET: Final = string.ascii_letters + string.digits
_TRIES = 5
_MAX_TEXT = 1000
_MAX_NAMES = 1000


def create_key(catalogue: Catalogue, wanted: NewKey, *, actor: str, now_ms: int) -> tuple[str, ApiKey]:
    """Make a key; return it, which nobody can do a second time, and what is known of it.

    Raises:
        InvalidRequest: what is wanted makes no sense.
        StoreUnavailable: the catalogue cannot be written now.
    """
    fields = _checked(asdict(wanted), now_ms)
    # A public id is drawn from 62^12, so even a second try is for completeness' sake.
    for _ in range(_TRIES):
        public_id, secret = _draw(12), _draw(48)
        key = ApiKey(public_id=public_id, created_at=now_ms, updated_at=now_ms, **fields)
        with catalogue.transaction() as tx:
            if tx.add_key(StoredKey(key, digest_of(secret))):
                tx.note(Audit(now_ms, actor, "key.create", public_id, _began_with(key)))
                return f"sk-t0-{public_id}-{secret}", key
    raise InternalError("no free public id was drawn; the source of randomness is broken")


def change_key(catalogue: Catalogue, public_id: str, wanted: KeyChange, *, actor: str, now_ms: int) -> ApiKey:
    """Change a key and return what is known of it now.

    Raises:
        NotFound: there is none of this public id.
        InvalidRequest: what is wanted makes no sense.
        StoreUnavailable: the catalogue cannot be written now.
    """
    changes = _checked({name: value for name, value in asdict(wanted).items() if value is not UNSET}, now_ms)
    with catalogue.transaction() as tx:
        return _change(tx, public_id, changes, Audit(now_ms, actor, "key.change", public_id))


def set_disabled(catalogue: Catalogue, public_id: str, *, disabled: bool, actor: str, now_ms: int) -> ApiKey:
    """Disable a key, or enable it again, and return what is known of it now. What is so already stays as it is.

    Raises:
        NotFound: there is none of this public id.
        StoreUnavailable: the catalogue cannot be written now.
    """
    action: AuditAction = "key.disable" if disabled else "key.enable"
    with catalogue.transaction() as tx:
        key = find_key(tx, public_id)
        if (key.disabled_at is not None) == disabled:
            return key
        changes = {"disabled_at": now_ms if disabled else None}
        return _change(tx, public_id, changes, Audit(now_ms, actor, action, public_id))


def find_key(view: Reading, public_id: str) -> ApiKey:
    """Return what is known of a key.

    Raises:
        NotFound: there is none of this public id.
        InvalidRequest: it is a whole key, which is not repeated.
    """
    if split_key(public_id) is not None:
        raise InvalidRequest("that is a whole key, not its public id; give the twelve characters after `sk-t0-`")
    stored = view.key(public_id)
    if stored is None:
        raise NotFound(f"there is no API key {public_id[:80]!r}; list them for their public ids")
    return stored.key


def _change(tx: Tx, public_id: str, changes: dict[str, Any], entry: Audit) -> ApiKey:
    old = find_key(tx, public_id)
    new = replace(old, **changes)
    if new == old:
        return old
    new = replace(new, updated_at=entry.at)
    tx.set_key(new)
    detail = {
        name: {"before": getattr(old, name), "after": value}
        for name, value in changes.items()
        if value != getattr(old, name)
    }
    tx.note(replace(entry, detail=detail))
    return new


def _began_with(key: ApiKey) -> dict[str, object]:
    times = ("public_id", "created_at", "updated_at", "disabled_at")
    return {name: value for name, value in asdict(key).items() if name not in times}


def _draw(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checked(fields: dict[str, Any], now_ms: int) -> dict[str, Any]:
    """Return the fields as they are stored.

    Raises:
        InvalidRequest: one of them makes no sense; the message names it.
    """
    checked = dict(fields)
    if "roles" in fields:
        checked["roles"] = _roles(fields["roles"])
    for name in ("models", "functions"):
        if fields.get(name) is not None:
            checked[name] = _names(fields[name], name)
    for name in ("description", "organization", "workspace"):
        text = fields.get(name, "")
        if len(text) > _MAX_TEXT or "\0" in text:
            raise InvalidRequest(f"{name}: too long or with a NUL; write at most {_MAX_TEXT} characters")
    expires_at = fields.get("expires_at")
    if expires_at is not None and expires_at <= now_ms:
        raise InvalidRequest("expires_at: is in the past; disable the key to end it now")
    return checked


def _roles(given: Iterable[str]) -> tuple[Role, ...]:
    given = tuple(given)
    for name in given:
        if name not in ROLES:
            raise InvalidRequest(f"roles: there is no role {name[:80]!r}; there are {', '.join(ROLES)}")
    if not given:
        raise InvalidRequest("roles: a key without a role opens nothing; give it one, or disable it")
    return tuple(role for role in ROLES if role in given)


def _names(given: Iterable[str], field: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(given))
    if len(names) > _MAX_NAMES:
        raise InvalidRequest(f"{field}: more than {_MAX_NAMES} names; end some in `*`")
    for name in names:
        if not name or "\0" in name or "*" in name[:-1] or len(name) > _MAX_TEXT:
            raise InvalidRequest(f"{field}: {name[:80]!r} is no name, nor the beginning of names with `*` at its end")
    return names
