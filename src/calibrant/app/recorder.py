"""The recorder's process: migrates the database, then drains this host's spool into it until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType

from calibrant.app.bucket import open_bucket
from calibrant.app.files import blob_folder
from calibrant.app.homes import check_home
from calibrant.app.options import Options
from calibrant.app.outbound import client_settings
from calibrant.app.process import claim_stdout, read_options, say_ready
from calibrant.app.recording import open_events
from calibrant.app.uploads import Uploads
from calibrant.base.errors import ConfigError, StoreUnavailable
from calibrant.config.environment import settings_from_environ
from calibrant.config.load import read_environment
from calibrant.config.schema import Config
from calibrant.engine.feedback import link
from calibrant.net.client import Client
from calibrant.store.blobs import BlobFolder
from calibrant.store.recorder import Recorder
from calibrant.telemetry.log import configure
from calibrant.types.storage import S3Storage

__all__ = ["main", "record"]

_log = logging.getLogger(__name__)
_LAST_UPLOADS_S = 5.0
_NICENESS = 19
"""Answers come first: the recorder takes what the workers leave of the processor. What it cannot do while they are
busy waits in the spool, which has room for that and says so when it has not."""


def record(options: Options, *, stop: threading.Event | None = None) -> None:
    """Record until `stop` is set, without one until SIGTERM or SIGINT; then store what is left and return.

    Raises:
        ConfigError: the configuration, the database or the spool folder cannot be used.
    """
    if stop is None:
        stop = _stop_by_signal()
    environ = read_environment()
    config = options.read_config(environ)
    check_home(options, environ)
    options.make_data_dir()
    events = open_events(options, environ, config.spool.durability, config=config)
    # Files in a place that the configuration names are for others to expire.
    blobs = BlobFolder(options.blobs_dir) if config.object_storage is None else None
    recorder = Recorder(
        options.spool_dir, events, link=link, retention=config.retention, blobs=blobs, search=config.record.search
    )
    recorder.open()
    try:
        with _uploading(config, options, environ):
            recorder.run(stop)
            recorder.drain()
    except StoreUnavailable as error:
        _log.error("stopped while the database cannot be written; the spool keeps what is left: %s", error.message)
    finally:
        recorder.close()


@contextmanager
def _uploading(config: Config, options: Options, environ: Mapping[str, str]) -> Generator[None]:
    """Upload files beside the block, where the configuration names a bucket; when it is left, what is still here."""
    folder, storage = blob_folder(config, options)
    if folder is not None:
        with suppress(OSError):
            folder.clear_drafts()
    if folder is None or not isinstance(storage, S3Storage):
        yield
        return
    stop = threading.Event()

    async def upload() -> None:
        client = Client(settings=client_settings(config, settings_from_environ(environ).proxies))
        try:
            await Uploads(folder, open_bucket(storage, environ, client), options.run_dir).run(stop)
        finally:
            await client.close()

    thread = threading.Thread(target=asyncio.run, args=(upload(),), daemon=True, name="uploads")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(_LAST_UPLOADS_S)


def main() -> None:
    """Run as the supervisor's child."""
    ready = claim_stdout()
    options = read_options()
    configure(options.log_format)
    _yield_to_workers()
    stop = _stop_by_signal()
    threading.Thread(target=_watch, args=(stop,), daemon=True, name="parent").start()
    say_ready(ready)
    try:
        record(options, stop=stop)
    except ConfigError as error:
        raise SystemExit(f"calibrant: {error.message}") from None


def _yield_to_workers() -> None:
    with suppress(OSError):
        os.nice(_NICENESS)
    if sys.platform == "linux":
        # A batch process that wakes up does not take the processor from one that is running.
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _stop_by_signal() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, partial(_stop, stop))
    return stop


def _stop(stop: threading.Event, _number: int, _frame: FrameType | None) -> None:
    stop.set()


def _watch(stop: threading.Event) -> None:
    """Stop when the supervisor is gone."""
    while os.read(0, 64):
        pass
    stop.set()


if __name__ == "__main__":
    main()
