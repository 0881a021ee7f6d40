"""`calibrant key`: API keys of the gateway, made and managed on its own machine."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from calibrant.cli import flags
from calibrant.cli.context import context
from calibrant.cli.tables import Record, Table, console

if TYPE_CHECKING:
    from pathlib import Path

    from calibrant.store.catalogue import Catalogue
    from calibrant.types.key import ApiKey

__all__ = ["app", "audit", "catalogue_of", "change", "create", "disable", "enable", "expiry", "list_keys", "show"]

app = typer.Typer(help="API keys of the gateway: who may use it, and for what.", no_args_is_help=True)

_ACTOR = "cli"
_PAGE = 500

_Id = Annotated[str, typer.Argument(metavar="PUBLIC_ID", help="The twelve characters after `sk-t0-`.")]
_Roles = Annotated[
    list[str] | None,
    typer.Option(
        "--role", help="inference, feedback, read, admin, optimizer or confirmer; may be repeated.", show_default=False
    ),
]
_Models = Annotated[
    list[str] | None,
    typer.Option("--model", help="A model it may use, `*` at the end for any ending; may be repeated."),
]
_Functions = Annotated[
    list[str] | None,
    typer.Option("--function", help="A function it may use, `*` at the end for any ending; may be repeated."),
]
_Expires = Annotated[
    str | None, typer.Option("--expires", help="A moment (2027-01-31T12:00:00Z) or a time from now (30d, 12h, 45m).")
]
_Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many.")]


@app.command("create")
def create(
    role: _Roles = None,
    model: _Models = None,
    function: _Functions = None,
    expires: _Expires = None,
    description: Annotated[str, typer.Option("--description", help="What it is for.")] = "",
    data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR,
    as_json: flags.Json = False,
) -> None:
    """Make a key and print it, this once. Without a role: inference, feedback and read."""
    from calibrant.engine.keys import create_key
    from calibrant.types.key import DEFAULT_ROLES, NewKey
    from calibrant.wire.keys import encode_created

    now_ms = _now_ms()
    wanted = NewKey(
        description=description,
        roles=role or DEFAULT_ROLES,
        models=model or None,
        functions=function or None,
        expires_at=None if expires is None else expiry(expires, "--expires", now_ms),
    )
    with catalogue_of(data_dir) as catalogue:
        key, known = create_key(catalogue, wanted, actor=_ACTOR, now_ms=now_ms)
    if as_json:
        typer.echo(encode_created(key, known).decode())
        return
    typer.echo(key)
    typer.echo("Keep it now: only its hash is stored, and it is not shown again.", err=True)


@app.command("list")
def list_keys(data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR, as_json: flags.Json = False) -> None:
    """List the keys, the oldest first."""
    from calibrant.wire.keys import encode_keys

    keys: list[ApiKey] = []
    with catalogue_of(data_dir) as catalogue, catalogue.reading() as view:
        while page := view.list_keys(after=keys[-1].public_id if keys else None, limit=_PAGE):
            keys += page
    if as_json:
        typer.echo(encode_keys(keys, None).decode())
        return
    table = Table("public id", "state", "roles", "models", "functions", "description", title="API keys")
    for key in keys:
        lists = (_names(key.models), _names(key.functions))
        table.add_row(key.public_id, _state(key, _now_ms()), ", ".join(key.roles), *lists, key.description)
    console().print(table if keys else "There is no key yet; `calibrant key create` makes one.")


@app.command("show")
def show(public_id: _Id, data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR, as_json: flags.Json = False) -> None:
    """Show what is known of a key, which is all but the key itself."""
    from calibrant.engine.keys import find_key

    with catalogue_of(data_dir) as catalogue, catalogue.reading() as view:
        known = find_key(view, public_id)
    _tell(known, as_json=as_json)


@app.command("change")
def change(
    public_id: _Id,
    role: _Roles = None,
    model: _Models = None,
    function: _Functions = None,
    any_model: Annotated[bool, typer.Option("--any-model", help="Take the list of models away.")] = False,
    any_function: Annotated[bool, typer.Option("--any-function", help="Take the list of functions away.")] = False,
    expires: _Expires = None,
    never_expires: Annotated[bool, typer.Option("--never-expires", help="Take the expiry away.")] = False,
    description: Annotated[str | None, typer.Option("--description", help="What it is for.")] = None,
    data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR,
    as_json: flags.Json = False,
) -> None:
    """Change what a key may do; what is not named stays. Roles and lists are replaced whole."""
    from msgspec import UNSET

    from calibrant.base.errors import ConfigError
    from calibrant.engine.keys import change_key
    from calibrant.types.key import KeyChange

    for flag, given, other, taken in (
        ("--model", model, "--any-model", any_model),
        ("--function", function, "--any-function", any_function),
        ("--expires", expires, "--never-expires", never_expires),
    ):
        if given and taken:
            raise ConfigError(f"{flag} and {other} exclude each other; give one of them")
    now_ms = _now_ms()
    until = UNSET if expires is None else expiry(expires, "--expires", now_ms)
    wanted = KeyChange(
        description=UNSET if description is None else description,
        roles=role or UNSET,
        models=None if any_model else model or UNSET,
        functions=None if any_function else function or UNSET,
        expires_at=None if never_expires else until,
    )
    with catalogue_of(data_dir) as catalogue:
        known = change_key(catalogue, public_id, wanted, actor=_ACTOR, now_ms=now_ms)
    _tell(known, as_json=as_json)


@app.command("disable")
def disable(public_id: _Id, data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR, as_json: flags.Json = False) -> None:
    """Disable a key; in effect within `gateway.auth.cache.ttl_ms` on every worker."""
    _set_disabled(public_id, data_dir, disabled=True, as_json=as_json)


@app.command("enable")
def enable(public_id: _Id, data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR, as_json: flags.Json = False) -> None:
    """Enable a key that was disabled."""
    _set_disabled(public_id, data_dir, disabled=False, as_json=as_json)


@app.command("audit")
def audit(
    limit: _Limit = 50,
    before: Annotated[int | None, typer.Option("--before", min=1, help="Entries older than this one.")] = None,
    data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR,
    as_json: flags.Json = False,
) -> None:
    """Show who did what to which key, the newest first."""
    import msgspec

    from calibrant.wire.keys import encode_audit

    with catalogue_of(data_dir) as catalogue, catalogue.reading() as view:
        entries = view.audit(before=before, limit=limit + 1)
    more, entries = len(entries) > limit, entries[:limit]
    if as_json:
        typer.echo(encode_audit(entries, entries[-1].id if more else None).decode())
        return
    table = Table("id", "at", "by", "did", "to", "detail", title="what was done to API keys", right=("id",))
    for entry in entries:
        detail = msgspec.json.encode(entry.detail).decode()
        table.add_row(str(entry.id), _moment(entry.at), entry.actor, entry.action, entry.subject, detail)
    console().print(table if entries else "Nothing was done to any key yet.")


@contextmanager
def catalogue_of(data_dir: Path) -> Generator[Catalogue]:
    """Lend the catalogue of a data folder, which is made where it is missing."""
    from calibrant.app.homes import open_catalogue
    from calibrant.config.load import read_environment

    options = context(None, data_dir, None)
    options.catalogue_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    catalogue = open_catalogue(options, read_environment())
    try:
        yield catalogue
    finally:
        catalogue.close()


def expiry(text: str, flag: str, now_ms: int) -> int:
    """Return the Unix milliseconds of a moment, or of a time from now.

    Raises:
        ConfigError: it is neither; a moment without an offset is none, since nobody could tell whose it is.
    """
    import re
    from datetime import datetime

    from calibrant.base.errors import ConfigError

    seconds = {"d": 86_400, "h": 3_600, "m": 60}
    if span := re.fullmatch(r"([1-9][0-9]{0,5})([dhm])", text):
        return now_ms + int(span[1]) * seconds[span[2]] * 1000
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ConfigError(f"{flag}: {text!r} is no moment; write 2027-01-31T12:00:00Z, or a time from now such as 30d")
    return int(moment.timestamp() * 1000)


def _set_disabled(public_id: str, data_dir: Path, *, disabled: bool, as_json: bool) -> None:
    from calibrant.engine.keys import set_disabled

    with catalogue_of(data_dir) as catalogue:
        known = set_disabled(catalogue, public_id, disabled=disabled, actor=_ACTOR, now_ms=_now_ms())
    _tell(known, as_json=as_json)


def _tell(key: ApiKey, *, as_json: bool) -> None:

    from calibrant.wire.keys import encode_key

    if as_json:
        typer.echo(encode_key(key).decode())
        return
    moments = {
        "created": key.created_at,
        "changed": key.updated_at,
        "disabled": key.disabled_at,
        "expires": key.expires_at,
    }
    told = [
        ("public id", key.public_id),
        ("state", _state(key, _now_ms())),
        ("roles", ", ".join(key.roles)),
        ("models", _names(key.models)),
        ("functions", _names(key.functions)),
        ("description", key.description),
        ("organization", key.organization),
        ("workspace", key.workspace),
        *((name, _moment(millis)) for name, millis in moments.items()),
    ]
    console().print(Record(told))


def _state(key: ApiKey, now_ms: int) -> str:
    if key.disabled_at is not None:
        return "disabled"
    return "expired" if key.expires_at is not None and key.expires_at <= now_ms else "good"


def _moment(millis: int | None) -> str:
    from calibrant.wire.keys import moment

    return "-" if millis is None else moment(millis).isoformat(timespec="seconds")


def _names(names: tuple[str, ...] | None) -> str:
    return "any" if names is None else ", ".join(names) or "none"


def _now_ms() -> int:
    from calibrant.base.clock import SystemClock

    return SystemClock().wall_ms()
