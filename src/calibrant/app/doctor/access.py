"""Checks of who may reach the gateway: API keys, and what listens on its port."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import closing
from typing import Final

import msgspec

from calibrant.app.access import is_loopback
from calibrant.app.doctor.finding import Finding, Subject, fine, warning, wrong
from calibrant.app.doctor.record import catalogue_is_there
from calibrant.app.homes import open_catalogue
from calibrant.types.key import ApiKey

__all__ = ["check_keys", "check_port"]

_WEEK_MS: Final = 7 * 86_400_000
_PAGE: Final = 500
_SHOWN: Final = 3
_ANSWER_S: Final = 2.0
_EVERYWHERE: Final = ("0.0.0.0", "::", "")  # noqa: S104 - compared with, not listened on


class _Status(msgspec.Struct):
    version: str


def check_keys(subject: Subject) -> Iterator[Finding]:
    """Check that a gateway that others reach asks for keys, that there is one, and that none ends soon."""
    gateway = subject.config.gateway
    if not gateway.auth.enabled:
        if is_loopback(gateway.host):
            yield fine(f"none is asked for, and only this machine reaches {gateway.host}")
        else:
            yield wrong(
                f"none is asked for, and the gateway listens on {gateway.host}: whoever reaches it may use it",
                "set gateway.auth.enabled = true, or listen on 127.0.0.1",
            )
    now = subject.clock.wall_ms()
    usable = [key for key in _keys(subject) if key.disabled_at is None and not _ended(key, now)]
    if gateway.auth.enabled and not usable:
        yield wrong("a key is asked for, and there is none that could be used", "calibrant key create --role admin")
    soon = [key for key in usable if key.expires_at is not None and key.expires_at < now + _WEEK_MS]
    if soon:
        names = ", ".join(key.public_id for key in soon[:_SHOWN])
        more = f" and {len(soon) - _SHOWN} more" if len(soon) > _SHOWN else ""
        yield warning(f"within a week these end: {names}{more}", "calibrant key change PUBLIC_ID --expires 90d")
    elif gateway.auth.enabled and usable:
        yield fine(f"{len(usable)} can be used, none ends within a week")


def check_port(subject: Subject) -> Iterator[Finding]:
    """Check that what listens on the gateway's port is a gateway, if anything does."""
    gateway = subject.config.gateway
    host = "127.0.0.1" if gateway.host in _EVERYWHERE else gateway.host
    where = f"{host}:{gateway.port}"
    connection = http.client.HTTPConnection(host, gateway.port, timeout=_ANSWER_S)
    try:
        connection.request("GET", f"{gateway.base_path or ''}/status")
        answer = connection.getresponse()
        said = msgspec.json.decode(answer.read(65_536), type=_Status)
    except ConnectionRefusedError:
        yield fine(f"nothing listens on {where}")
    except (OSError, http.client.HTTPException, msgspec.DecodeError):
        yield wrong(
            f"something that is no gateway, or one that does not answer, listens on {where}",
            f"see what (`ss -ltnp 'sport = :{gateway.port}'`), or take another port",
        )
    else:
        yield fine(f"a gateway of version {said.version} answers on {where}")
    finally:
        connection.close()


def _keys(subject: Subject) -> list[ApiKey]:
    keys: list[ApiKey] = []
    if catalogue_is_there(subject):
        with (
            closing(open_catalogue(subject.options, subject.environ, subject.config)) as catalogue,
            catalogue.reading() as view,
        ):
            while page := view.list_keys(after=keys[-1].public_id if keys else None, limit=_PAGE):
                keys += page
    return keys


def _ended(key: ApiKey, now_ms: int) -> bool:
    return key.expires_at is not None and key.expires_at <= now_ms
