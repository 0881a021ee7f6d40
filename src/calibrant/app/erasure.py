"""Forgets what belongs to a user or an episode, in every place where this program keeps it.

Each step is bounded and done in its own transaction, so that gateway and recorder go on; whatever ends an erasure
half-way, the next one finds what is left. Records that were accepted before it began are let reach the store first, and
what comes with the same tag afterwards is recorded as ever.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

from blake3 import blake3
from msgspec import Struct

from calibrant.app.belongings import Belongings
from calibrant.app.erasure_lock import erasure_lock
from calibrant.app.homes import open_catalogue
from calibrant.app.options import Options
from calibrant.app.recording import open_events
from calibrant.app.removal import Removal
from calibrant.base.clock import SystemClock
from calibrant.base.errors import ConfigError, StoreUnavailable
from calibrant.config.schema import Config
from calibrant.engine.feedback import link
from calibrant.store.backup_manifest import read_backups
from calibrant.store.recorder import Recorder
from calibrant.store.segments import hold
from calibrant.store.status import read_status
from calibrant.types.erasure import Backup, Erasure, Whose
from calibrant.types.key import Audit

__all__ = ["erase"]

_DRAIN_S: Final = 120.0
_POLL_S: Final = 0.05


class _Place(Struct, frozen=True):
    """Where things stand."""

    options: Options
    environ: Mapping[str, str]
    config: Config


def erase(
    options: Options, environ: Mapping[str, str], config: Config, whose: Whose, *, plan: bool, actor: str
) -> Erasure:
    """Erase, or say what would be erased.

    Args:
        options: Where things stand.
        environ: The environment, which may name other places.
        config: Where files are.
        whose: What to forget.
        plan: Change nothing.
        actor: Who does it, for the log.

    Raises:
        StoreUnavailable: another erasure or a backup runs, a database cannot be used now, or the recorder does not come
            to an end.
    """
    clock = SystemClock()
    done = Erasure(plan=plan)
    place = _Place(options, environ, config)
    with erasure_lock(options.run_dir), ExitStack() as stack:
        _drain(place, clock.wall_ms(), done)
        events = stack.enter_context(closing(open_events(options, environ, config.spool.durability, config=config)))
        catalogue = stack.enter_context(closing(open_catalogue(options, environ, config)))
        found = Belongings(whose)
        found.find(events, catalogue, clock.wall_ms())
        done.running, done.files_kept = found.running, found.files_kept
        done.purged_models = sorted(found.models) if options.cache_path.exists() else []
        if plan:
            _count(found, done)
        else:
            removal = Removal(options, environ, config, events, catalogue, found, done, actor, clock)
            removal.remove()
            # Workers that hold demonstrations in memory read them again when this changes.
            options.erased_path.write_text(f"{clock.wall_ms()}\n")
            removal.scrub()
            with catalogue.transaction() as tx:
                tx.note(Audit(clock.wall_ms(), actor, "record.erase", _subject(whose), _figures(done)))
        _tell(done, found, shared=events.shared, data_dir=Path(options.data_dir))
    return done


def _drain(place: _Place, began_ms: int, done: Erasure) -> None:
    """Wait until every record that was accepted before now is in the store; store them where no recorder runs."""
    spool = place.options.spool_dir
    if not spool.is_dir():
        return
    deadline = time.monotonic() + _DRAIN_S
    while time.monotonic() < deadline:
        status = read_status(spool)
        if status is not None and status.state == "running" and status.watermark_ms > began_ms:
            return
        lock = hold(spool / "recorder.lock")
        if lock is not None:
            os.close(lock)
            if done.plan:
                if any(spool.glob("*.seg")):
                    done.notes.append("No recorder runs: what waits in the spool is not in this plan.")
                return
            if _drain_here(place):
                return
        time.sleep(_POLL_S)
    raise StoreUnavailable(
        f"the recorder has not stored within {_DRAIN_S:.0f} s what waits in {spool}: nothing was erased; "
        "see `calibrant spool status`, and erase again"
    )


def _drain_here(place: _Place) -> bool:
    """Be the recorder for a moment; return whether nobody else was faster."""
    options, config = place.options, place.config
    events = open_events(options, place.environ, config.spool.durability, config=config)
    recorder = Recorder(options.spool_dir, events, link=link, search=False)
    try:
        recorder.open()
    except ConfigError:
        events.close()
        return False
    try:
        recorder.drain()
    finally:
        recorder.close()
    return True


def _count(found: Belongings, done: Erasure) -> None:
    done.inferences, done.model_inferences, done.feedback = len(found.inferences), found.calls, len(found.feedback)
    done.datapoints, done.batch_elements = len(found.datapoints), len(found.elements)
    done.workflow_episodes, done.quarantined = len(found.workflow_episodes), len(found.quarantined)
    done.files = len(found.files)


def _figures(done: Erasure) -> dict[str, object]:
    names = ("inferences", "model_inferences", "feedback", "datapoints", "batch_elements", "files")
    return {name: value for name in names if (value := getattr(done, name))}


def _subject(whose: Whose) -> str:
    """Return what the log says of whom was forgotten, without saying who that was."""
    if whose.tag is None:
        return f"episode {whose.episode_id}"
    name, value = whose.tag
    return f"tag {name} {blake3(value.encode()).hexdigest()[:32]}"


def _tell(done: Erasure, found: Belongings, *, shared: bool, data_dir: Path) -> None:
    """Say what a person has to know."""
    if found.running:
        done.notes.append(
            f"{found.running} streams had not ended: what they bring is recorded when they end. Erase again then."
        )
    if found.unread:
        done.notes.append(
            f"{found.unread} entries of the quarantine cannot be read, and whose they are is not known: look at them "
            "with `calibrant spool quarantine`."
        )
    if shared:
        done.notes.append(
            "Spools, caches and files of other hosts on this database are not seen from here: erase on each of them."
        )
    done.backups = _backups(data_dir)
    if done.backups:
        done.notes.append("The backups that are named still hold it: delete them, or erase again after a restore.")
    else:
        done.notes.append("Backups, if there are any, still hold it, and so does what was exported.")


def _backups(data_dir: Path) -> list[Backup]:
    """Return the backups that were made of the data folder."""
    try:
        entries = read_backups(data_dir)
    except ConfigError as error:
        return [Backup("", f"unknown: {error.message}")]
    return [Backup(each.time, each.path) for each in entries]
