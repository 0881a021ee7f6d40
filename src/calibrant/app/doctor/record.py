"""Checks of the databases, and of the clock by what stands in them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Final

from calibrant.app.clickhouse import in_clickhouse
from calibrant.app.doctor.finding import Finding, Subject, fine, size, warning, wrong
from calibrant.app.homes import load_driver, open_catalogue, open_reader, postgres_url
from calibrant.app.migration import SchemaState, state_of
from calibrant.base.ids import id_millis
from calibrant.types.query import Query

__all__ = ["catalogue_is_there", "check_catalogue", "check_clock", "check_database", "record_is_there"]

_APART_MS: Final = 2_000
_FAR_MS: Final = 60_000
"""From here on ids of another host are refused as of the future, and retention goes wrong."""
_MIGRATE: Final = "run `calibrant migrate`"


def record_is_there(subject: Subject) -> bool:
    """Return whether there is a record of this version to ask.

    Raises:
        StoreUnavailable: it cannot be told now.
    """
    state = state_of(subject.options, subject.environ)
    return state.record == state.wanted_record


def catalogue_is_there(subject: Subject) -> bool:
    """Return whether there is a catalogue of this version to ask. One that is older would be migrated by asking.

    Raises:
        StoreUnavailable: it cannot be told now.
    """
    return state_of(subject.options, subject.environ).current_catalogue


def check_database(subject: Subject) -> Iterator[Finding]:
    """Check that the record can be reached and is of this version; yield what its home says of itself."""
    state = state_of(subject.options, subject.environ)
    if state.record != state.wanted_record:
        yield _schema("the record", state, state.record, state.wanted_record, on_server=_on_server(subject))
        return
    with closing(open_reader(subject.options, subject.environ, subject.config)) as reader:
        health = reader.health()
    if not health.ok:
        yield wrong(health.detail, "see that the database runs and can be reached from here")
        return
    yield fine(f"{state.place}: schema {state.record}, {size(health.bytes)}")
    if health.detail:
        yield warning(
            health.detail, "they came from a clock that was wrong or from long ago, and go with their time like others"
        )
    limit = subject.config.retention.max_database_bytes
    if limit and health.bytes > 0.8 * limit:
        yield warning(
            f"{size(health.bytes)} of retention.max_database_bytes ({size(limit)}); past it the oldest payloads go",
            "raise it, or lower retention.payload_days",
        )


def check_catalogue(subject: Subject) -> Iterator[Finding]:
    """Check that the catalogue can be reached and is of this version."""
    state = state_of(subject.options, subject.environ)
    if not state.current_catalogue:
        on_server = postgres_url(subject.options, subject.environ) is not None
        wanted = str(state.wanted_catalogue)
        yield _schema("the catalogue", state, str(state.catalogue or ""), wanted, on_server=on_server)
        return
    with (
        closing(open_catalogue(subject.options, subject.environ, subject.config)) as catalogue,
        catalogue.reading() as view,
    ):
        view.list_keys(limit=1)
    yield fine(f"schema {state.catalogue}")


def check_clock(subject: Subject) -> Iterator[Finding]:
    """Check the machine's time against the newest id of the record, and against the database server's time."""
    now = subject.clock.wall_ms()
    newest: int | None = None
    if record_is_there(subject):
        with closing(open_reader(subject.options, subject.environ, subject.config)) as reader:
            rows = reader.find(Query(limit=1, payloads=False))
            newest = id_millis(rows[0].id) if rows else None
    mended = "synchronise the clock (`timedatectl status`, `chronyc tracking`), then restart the gateway"
    if newest is not None and newest > now + _APART_MS:
        ahead = (newest - now) / 1e3
        text = (
            f"the newest inference of the record is {ahead:.0f} s in the future: this clock is, or another was, wrong"
        )
        yield (wrong if newest > now + _FAR_MS else warning)(text, mended)
    else:
        yield fine("no inference of the record is in the future")
    url = postgres_url(subject.options, subject.environ)
    if url is not None:
        apart = load_driver("postgres_open").server_clock_ms(url) - subject.clock.wall_ms()
        text = f"the database server's clock is {abs(apart) / 1e3:.1f} s {'ahead' if apart > 0 else 'behind'}"
        if abs(apart) <= _APART_MS:
            yield fine(text)
        else:
            yield (wrong if abs(apart) > _FAR_MS else warning)(text, mended)


def _schema(what: str, state: SchemaState, found: str, wanted: str, *, on_server: bool) -> Finding:
    # Numbers are written alike, with noughts before them or with none.
    if found and int(found) > int(wanted):
        return wrong(
            f"{state.place}: {what} has schema {found}, newer than this program's {wanted}",
            "run the newer version of Calibrant that migrated it",
        )
    if on_server:
        return wrong(f"{state.place}: {what} has schema {found or 'none'}, this program wants {wanted}", _MIGRATE)
    if found:
        return warning(
            f"{state.place}: {what} has schema {found} of {wanted}",
            "nothing: it is migrated when a gateway starts; make a backup first",
        )
    return fine(f"{state.place}: {what} is not there yet, and is made when a gateway starts")


def _on_server(subject: Subject) -> bool:
    if in_clickhouse(subject.options, subject.environ):
        return not subject.config.clickhouse.migrates
    return postgres_url(subject.options, subject.environ) is not None
