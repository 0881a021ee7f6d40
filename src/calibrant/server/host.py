"""Handlers that speak for the host: status, health, metrics, accounting. Any worker answers for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec.structs import asdict

from calibrant import __version__
from calibrant.base.errors import CalibrantError, StoreUnavailable
from calibrant.engine.engine import Engine
from calibrant.server.http import Answer, HttpRequest
from calibrant.store.accounting import Account, Accounting
from calibrant.store.base import Health
from calibrant.store.catalogue import Catalogue
from calibrant.telemetry.metrics import exposition, merge, read_published

__all__ = ["Host"]

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Host:
    """What the handlers of this file look at."""

    engine: Engine
    run_dir: Path
    own_metrics: Path
    """Where this worker publishes its figures."""
    books: Callable[[], Accounting]
    """Adds up the accounting; may block."""
    health: Callable[[], Health]
    """Asks after the database; may block, never raises."""
    catalogue: Catalogue | None = None
    """Where API keys are; null where none is asked for."""
    waiting_files: Callable[[], int] | None = None
    """Counts the files that wait to be moved to the bucket; may block. Null where there is no bucket."""

    async def status(self, _: HttpRequest) -> Answer:
        """`GET /status`: that it runs, and what."""
        return Answer(200, _encode({"status": "ok", "version": __version__, "config_hash": self.engine.config.hash}))

    async def healthy(self, _: HttpRequest) -> Answer:
        """`GET /health`: ready while there is room to record and keys can be checked; the database is reported."""
        database = await asyncio.to_thread(self.health)
        spool, status = "ok", 200
        if self.engine.spool is not None:
            trouble = self.engine.spool.trouble()
            if trouble is not None:
                spool, status = f"error: {trouble}", 503
        told = {
            "gateway": "ok",
            "database": "ok" if database.ok else f"error: {database.detail}",
            "spool": spool,
        }
        if self.catalogue is not None:
            told["keys"] = "ok" if await asyncio.to_thread(_answers, self.catalogue) else "error"
            status = 200 if status == 200 and told["keys"] == "ok" else 503
        return Answer(status, _encode(told))

    async def accounting(self, _: HttpRequest) -> Answer:
        """`GET /internal/accounting`: accepted = stored + spooled + quarantined + shed, and nothing missing."""
        try:
            books = await asyncio.to_thread(self.books)
        except OSError as error:
            raise StoreUnavailable(f"the accounting cannot be read now: {error.strerror}") from None
        return Answer(200, _encode({**asdict(books.total), "incarnations": books.incarnations}))

    async def metrics(self, _: HttpRequest) -> Answer:
        """`GET /metrics`: the figures of every worker of this host, as Prometheus text."""
        text = await asyncio.to_thread(self._exposition)
        return Answer(200, text, content_type="text/plain; version=0.0.4; charset=utf-8")

    def _exposition(self) -> bytes:
        others = read_published(self.run_dir, but=self.own_metrics)
        gauges: list[tuple[str, str, float]] = []
        try:
            books = self.books()
        except (CalibrantError, OSError):
            # Metrics are most wanted when the database is away.
            gauges.append(("database_up", "Whether the database answers.", 0.0))
        else:
            gauges.append(("database_up", "Whether the database answers.", 1.0))
            gauges += [(f"records_{name}", text, float(value)) for name, text, value in _records(books.total)]
        if self.waiting_files is not None:
            waiting = float(self.waiting_files())
            gauges.append(("files_waiting", "Files that wait to be moved to the bucket.", waiting))
        return exposition(merge([*others, self.engine.metrics.figures()]), gauges)


def _answers(catalogue: Catalogue) -> bool:
    try:
        with catalogue.reading() as view:
            view.list_keys(limit=1)
    except StoreUnavailable:
        return False
    return True


def _records(books: Account) -> list[tuple[str, str, int]]:
    return [
        ("accepted", "Records accepted since the record began.", books.accepted),
        ("stored", "Records in the database.", books.stored),
        ("spooled", "Records that wait for the recorder.", books.spooled),
        ("quarantined", "Records that the database refused.", books.quarantined),
        ("shed", "Records given up for want of room.", books.shed),
        ("missing", "Records that nobody can account for; anything but 0 is a fault.", books.missing),
    ]
