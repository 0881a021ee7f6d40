"""Checks of the spool, of the recorder that drains it, and of what the database refused."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Final

from calibrant.app.doctor.finding import Finding, Subject, fine, size, warning, wrong
from calibrant.app.doctor.record import record_is_there
from calibrant.app.homes import open_reader
from calibrant.store.segments import folder_bytes, is_free, survey
from calibrant.store.status import RecorderStatus, read_status

__all__ = ["check_quarantine", "check_recorder", "check_spool"]

_SILENT_MS: Final = 10_000
_BEHIND_MS: Final = 60_000
_FULL: Final = 0.8


def check_spool(subject: Subject) -> Iterator[Finding]:
    """Check that the spool can be written and has room."""
    spool, policy = subject.options.spool_dir, subject.config.spool
    if not spool.is_dir():
        yield fine(f"{spool} is not there yet")
        return
    if not os.access(spool, os.R_OK | os.W_OK | os.X_OK):
        yield wrong(f"{spool} cannot be written by this user", "give it to the user that the gateway runs as")
        return
    waiting = folder_bytes(spool)
    text = f"{size(waiting)} of {size(policy.max_bytes)} (spool.max_bytes)"
    if waiting >= policy.max_bytes:
        full = "requests are refused" if policy.when_full == "reject" else "records are given up"
        yield wrong(f"{text}: {full}", "see why the recorder does not drain it; raise spool.max_bytes meanwhile")
    elif waiting > _FULL * policy.max_bytes:
        yield warning(text, "see why the recorder does not drain it")
    else:
        yield fine(f"{text}, {policy.when_full} when full")


def check_recorder(subject: Subject) -> Iterator[Finding]:
    """Check that somebody drains the spool, and how far behind."""
    spool = subject.options.spool_dir
    if not spool.is_dir():
        yield fine("nothing has run here yet")
        return
    workers = sum(1 for each in survey(spool) if not each.dead)
    waiting, status = folder_bytes(spool), read_status(spool)
    if is_free(spool / "recorder.lock"):
        start = "run `calibrant recorder`, or start the gateway without --no-recorder"
        if workers:
            yield wrong(f"{workers} workers write and no recorder runs", start)
        elif waiting:
            yield warning(f"nothing runs, and {size(waiting)} wait in the spool", start)
        else:
            yield fine("nothing runs, and nothing waits")
        return
    if status is None:
        yield warning("a recorder runs and has not said anything yet", "look again in a second")
        return
    yield from _running(status, subject.clock.wall_ms())


def check_quarantine(subject: Subject) -> Iterator[Finding]:
    """Check that the database has refused nothing."""
    if not record_is_there(subject):
        yield fine("there is no record yet")
        return
    counts: Counter[str] = Counter()
    after = 0
    with closing(open_reader(subject.options, subject.environ, subject.config)) as reader:
        while page := reader.quarantined(after=after, limit=100):
            counts.update(entry.state for entry in page)
            after = page[-1].id
    look = "see why: `calibrant spool quarantine`; then `--retry ID` or `--drop ID`"
    if counts["refused"]:
        yield wrong(f"{counts['refused']} entries were refused by the database", look)
    if counts["waiting"]:
        yield warning(
            f"{counts['waiting']} entries wait, such as feedback for its inference", "nothing, for ten minutes"
        )
    if not counts["refused"] and not counts["waiting"]:
        yield fine(f"nothing waits{f', {dropped} were given up' if (dropped := counts['dropped']) else ''}")


def _running(status: RecorderStatus, now_ms: int) -> Iterator[Finding]:
    silent = now_ms - status.updated_ms
    if status.state == "store_away":
        yield wrong(f"the database cannot be written: {status.store_error}", "mend that; the spool keeps what comes")
    elif silent > _SILENT_MS:
        yield warning(
            f"pid {status.pid} has said nothing for {silent // 1000} s",
            f"see what it does (`ps -o stat,wchan,etime -p {status.pid}`); the supervisor starts another if it dies",
        )
    elif status.watermark_ms and now_ms - status.watermark_ms > _BEHIND_MS:
        yield warning(
            f"{(now_ms - status.watermark_ms) // 1000} s and {status.lag_frames} records behind",
            "nothing, if it gets less; otherwise the database is too slow for what comes",
        )
    else:
        yield fine(f"pid {status.pid} runs, {status.lag_frames} records behind")
    for text in status.warnings:
        yield warning(text, "see the recorder's log")
