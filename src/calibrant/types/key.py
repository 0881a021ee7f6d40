"""API keys of the gateway: who a caller is and what they may do. A key itself is nowhere here, only its digest.

A key reads `sk-t0-<12>-<48>`. The twelve characters are its public id, which stands in rows, tags and lists; of the
forty-eight only the SHA-256 is kept. They are drawn at random, so a plain hash is enough: there is nothing to guess.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final, Literal, get_args

from msgspec import UNSET, Struct, UnsetType

__all__ = [
    "DEFAULT_FUNCTION",
    "DEFAULT_ROLES",
    "ROLES",
    "ApiKey",
    "Audit",
    "AuditAction",
    "Grants",
    "KeyChange",
    "NewKey",
    "Principal",
    "Role",
    "StoredKey",
    "digest_of",
    "split_key",
]

Role = Literal["inference", "feedback", "read", "admin", "optimizer", "confirmer"]
"""`admin` opens everything. `optimizer` and `confirmer` open what `read` does; the first writes datasets, too."""
ROLES: Final[tuple[Role, ...]] = get_args(Role)
DEFAULT_ROLES: Final[tuple[Role, ...]] = ("inference", "feedback", "read")
"""Of a key that is made without any: what an application needs, and no power over other keys."""
DEFAULT_FUNCTION: Final = "tensorzero::default"
"""The built-in function through which a model is asked directly."""
AuditAction = Literal["key.create", "key.change", "key.disable", "key.enable", "record.erase"]

_PREFIX = "sk-t0-"
_PUBLIC = 12
_LONG = 48
_LENGTH = len(_PREFIX) + _PUBLIC + 1 + _LONG
_DASH = len(_PREFIX) + _PUBLIC


def split_key(key: str) -> tuple[str, str] | None:
    """Return a key's public id and its secret part, or null where this is no key."""
    if len(key) != _LENGTH or not key.startswith(_PREFIX) or key[_DASH] != "-" or not key.isascii():
        return None
    public_id, secret = key[len(_PREFIX) : _DASH], key[_DASH + 1 :]
    return (public_id, secret) if public_id.isalnum() and secret.isalnum() else None


def digest_of(secret: str) -> bytes:
    """Return what is kept of a key's secret part."""
    return sha256(secret.encode()).digest()


class Grants(Struct, frozen=True):
    """Which functions and models a key may use; null is any. A name may end in `*`.

    A list of models holds for every model that is called, through a function too. A list of functions alone
    allows no model to be asked directly, or it would not limit anything.
    """

    models: tuple[str, ...] | None = None
    functions: tuple[str, ...] | None = None

    def model(self, name: str) -> bool:
        """Return whether a function may have this model called."""
        return self.models is None or _listed(name, self.models)

    def direct(self, name: str) -> bool:
        """Return whether this model may be asked without a function of the configuration."""
        if self.models is not None:
            return _listed(name, self.models)
        return self.function(DEFAULT_FUNCTION)

    def function(self, name: str) -> bool:
        """Return whether this function may be asked."""
        return self.functions is None or _listed(name, self.functions)


def _listed(name: str, patterns: tuple[str, ...]) -> bool:
    return any(name.startswith(each[:-1]) if each[-1:] == "*" else name == each for each in patterns)


class Principal(Struct, frozen=True):
    """Who asks, once the key has been checked."""

    public_id: str
    roles: frozenset[Role]
    grants: Grants | None = None
    """Null where the key has no list."""


class ApiKey(Struct, frozen=True, kw_only=True):
    """What is known of a key. Instants are Unix milliseconds."""

    public_id: str
    description: str = ""
    organization: str = "default"
    workspace: str = "default"
    roles: tuple[Role, ...] = DEFAULT_ROLES
    models: tuple[str, ...] | None = None
    functions: tuple[str, ...] | None = None
    expires_at: int | None = None
    disabled_at: int | None = None
    created_at: int
    updated_at: int

    def principal(self) -> Principal:
        """Return who uses this key."""
        limited = self.models is not None or self.functions is not None
        grants = Grants(self.models, self.functions) if limited else None
        return Principal(self.public_id, frozenset(self.roles), grants)


class StoredKey(Struct, frozen=True):
    """A key as it is stored."""

    key: ApiKey
    digest: bytes

    def __repr__(self) -> str:
        """Show no digest, wherever this is printed."""
        return f"StoredKey({self.key.public_id})"


class Audit(Struct, frozen=True):
    """One act of management."""

    at: int
    """Unix milliseconds."""
    actor: str
    """The public id of the key that did it, or `cli`."""
    action: AuditAction
    subject: str
    """The public id of the key that it was done to; of an erasure, its episode, or the tag's name
    and a hash."""
    detail: dict[str, object] = {}
    """What changed: for each field its values before and after, or the values that it began with."""
    id: int = 0
    """Given by the catalogue; entries are numbered as they were made."""


class NewKey(Struct, frozen=True, kw_only=True):
    """A key as somebody wants it."""

    description: str = ""
    organization: str = "default"
    workspace: str = "default"
    roles: Sequence[str] = DEFAULT_ROLES
    models: Sequence[str] | None = None
    functions: Sequence[str] | None = None
    expires_at: int | None = None
    """Unix milliseconds."""


class KeyChange(Struct, frozen=True, kw_only=True):
    """What to change of a key; what is unset stays."""

    description: str | UnsetType = UNSET
    roles: Sequence[str] | UnsetType = UNSET
    models: Sequence[str] | UnsetType | None = UNSET
    functions: Sequence[str] | UnsetType | None = UNSET
    expires_at: int | UnsetType | None = UNSET
