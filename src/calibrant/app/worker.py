"""One worker: an event loop that answers requests on a socket it inherited."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import logging
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

import uvloop

from calibrant import __version__
from calibrant.app.caching import open_cache
from calibrant.app.confirmation_job import ask_confirmation
from calibrant.app.erasure_job import ask_erasure
from calibrant.app.files import open_files
from calibrant.app.homes import open_catalogue, open_reader, postgres_url
from calibrant.app.learning import open_examples
from calibrant.app.options import Options
from calibrant.app.outbound import client_settings
from calibrant.app.prices import read_prices
from calibrant.app.process import claim_stdout, read_options, say_ready, stop_signal
from calibrant.app.questions import RecordQuestions
from calibrant.app.targets import RecordTargets
from calibrant.app.workflows import CatalogueWorkflows
from calibrant.base.clock import Clock, SystemClock
from calibrant.base.errors import ConfigError, SpoolFull
from calibrant.base.ids import uuid7
from calibrant.config.environment import settings_from_environ
from calibrant.config.load import read_environment
from calibrant.config.schema import Config
from calibrant.credentials.opening import open_credentials
from calibrant.datasets import holdout
from calibrant.datasets.editing import Actor
from calibrant.datasets.withheld import Withheld
from calibrant.engine.batches.runner import BatchRunner
from calibrant.engine.compiled import Compiler
from calibrant.engine.engine import Engine, Redact, Spooling
from calibrant.net.client import Client
from calibrant.server.api import routes
from calibrant.server.batches import BatchDesk
from calibrant.server.confirmations import ConfirmationDesk
from calibrant.server.datasets import DatasetDesk
from calibrant.server.erasure import Erase
from calibrant.server.gate import Gate
from calibrant.server.host import Host
from calibrant.server.http import HttpRequest
from calibrant.server.inferences import InferenceDesk
from calibrant.server.keyring import Keyring
from calibrant.server.keys import KeyDesk
from calibrant.server.routes import Route, Router
from calibrant.server.serve import Server
from calibrant.server.settings import ServerSettings
from calibrant.server.workflow import WorkflowDesk
from calibrant.store.accounting import accounting
from calibrant.store.base import Reader
from calibrant.store.cache import ResponseCache
from calibrant.store.catalogue import Catalogue
from calibrant.store.spool import Spool
from calibrant.telemetry.log import configure
from calibrant.telemetry.metrics import Metrics
from calibrant.types.datapoint import Datapoint
from calibrant.types.rows import SnapshotRecord

__all__ = ["main"]

_log = logging.getLogger(__name__)
_PUBLISH_S = 0.25
_OBSERVED = {
    "/inference": "inference",
    "/openai/v1/chat/completions": "openai_chat_completions",
    "/v1/chat/completions": "openai_chat_completions",
    "/openai/v1/responses": "openai_responses",
    "/v1/responses": "openai_responses",
    "/v1/messages": "anthropic_messages",
    "/openai/v1/embeddings": "openai_embeddings",
    "/v1/embeddings": "openai_embeddings",
    "/batch_inference": "batch_inference",
    "/feedback": "feedback",
}


def main() -> None:
    """Run a worker until it is told to stop."""
    ready = claim_stdout()
    options = read_options()
    configure(options.log_format)
    try:
        uvloop.run(_serve(options, ready))
    except ConfigError as error:
        raise SystemExit(f"calibrant: {error.message}") from None


async def _serve(options: Options, ready: int) -> None:
    async with AsyncExitStack() as closing:
        await _serve_until_stopped(options, ready, closing)


async def _serve_until_stopped(options: Options, ready: int, closing: AsyncExitStack) -> None:
    environ = read_environment()
    config = options.read_config(environ)
    metrics = Metrics(config.gateway.overhead_buckets)
    credentials = await open_credentials(config, environ, metrics=metrics, clock=SystemClock())
    config = credentials.config
    spool = Spool.open(options.spool_dir, config.spool, "worker") if config.observability else None
    name = spool.incarnation if spool is not None else "worker"
    published = options.run_dir / f"{name}.metrics"
    options.run_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    reader = closing.enter_context(contextlib.closing(open_reader(options, environ, config)))
    questions = closing.enter_context(contextlib.closing(RecordQuestions(reader)))
    targets = closing.enter_context(contextlib.closing(RecordTargets(reader, options.spool_dir)))
    settings = client_settings(config, settings_from_environ(environ).proxies)
    client = Client(settings=settings)
    closing.push_async_callback(client.close)
    files = await open_files(config, options, environ, settings=settings, sender=client, metrics=metrics)
    closing.push_async_callback(files.close)
    engine = Engine(
        config=config,
        compiler=Compiler(config, read_prices(options.run_dir)),
        secrets=credentials.secrets,
        sender=client,
        metrics=metrics,
        clock=SystemClock(),
        spool=spool,
        targets=targets if spool is not None else None,
        redact=_redact(config.record.redact),
        files=files.files,
    )
    cache = open_cache(options, config.gateway.cache) if config.gateway.cache.enabled else None
    if cache is not None:
        closing.push_async_callback(cache.close)
        engine = replace(engine, cache=cache)
    catalogue = closing.enter_context(contextlib.closing(open_catalogue(options, environ, config)))
    examples = open_examples(config, options, reader, catalogue, shared=postgres_url(options, environ) is not None)
    if examples is not None:
        closing.push_async_callback(examples.close)
        engine = replace(engine, examples=examples)
        examples.start(engine)
    closing.push_async_callback(credentials.refresher.close)
    engine = replace(engine, workflows=closing.enter_context(contextlib.closing(CatalogueWorkflows(catalogue))))
    gate, desk = _access(catalogue, engine, closing)
    runner = BatchRunner(engine, catalogue, uuid7())
    host = Host(
        engine=engine,
        run_dir=options.run_dir,
        own_metrics=published,
        books=lambda: accounting(options.spool_dir, reader),
        health=reader.health,
        catalogue=desk.catalogue,
        waiting_files=files.waiting,
    )
    desks = _desks(options, engine, catalogue, runner, questions, reader)
    server = _server(engine, gate, routes(engine, host, desk, *desks))
    stop = stop_signal()
    noted = await _note(spool, config)
    await server.start(socket.socket(fileno=options.listen_fd))
    _spare_the_collector()
    say_ready(ready)
    runner.start()
    await _tend(stop, engine, published, cache, noted=noted)
    async with asyncio.TaskGroup() as group:
        group.create_task(runner.close(config.gateway.drain_timeout_s))
        abandoned = await server.drain(config.gateway.drain_timeout_s)
    if abandoned:
        _log.warning("%d requests were still running after %g s", abandoned, config.gateway.drain_timeout_s)
    if spool is not None:
        await spool.close()
    _publish(engine, published)


def _spare_the_collector() -> None:
    # What exists now lives as long as the process: it need not be looked at again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


async def _tend(
    stop: asyncio.Event, engine: Engine, published: Path, cache: ResponseCache | None, *, noted: bool
) -> None:
    """Do what is done now and then, until the worker is told to stop."""
    while not stop.is_set():
        try:
            async with asyncio.timeout(_PUBLISH_S):
                await stop.wait()
        except TimeoutError:
            _publish(engine, published)
            if cache is not None:
                await cache.refresh()
            noted = noted or await _note(engine.spool, engine.config)


async def _note(spool: Spooling | None, config: Config) -> bool:
    """Record the configuration that rows will refer to; return whether that is done with."""
    if spool is None:
        return True
    if spool.trouble() is not None:
        return False
    try:
        await spool.append(SnapshotRecord(config.hash, config.canonical, __version__))
    except SpoolFull:
        # No reason not to start: requests are answered as the policy says, and this is tried again.
        return False
    return True


def _publish(engine: Engine, path: Path) -> None:
    # Figures only inform. A disk without room for them must not end what answers requests.
    with suppress(OSError):
        engine.metrics.publish(path)


def _access(catalogue: Catalogue, engine: Engine, closing: AsyncExitStack) -> tuple[Gate | None, KeyDesk]:
    """Return what asks for API keys, where the configuration wants them asked for."""
    auth, clock = engine.config.gateway.auth, engine.clock
    if not auth.enabled:
        return None, KeyDesk(None, clock)
    keyring = closing.enter_context(
        contextlib.closing(Keyring(catalogue, ttl_s=auth.cache_ttl_ms / 1e3, monotonic=clock.monotonic))
    )
    return Gate(keyring, clock, engine.metrics), KeyDesk(catalogue, clock, keyring)


def _desks(
    options: Options,
    engine: Engine,
    catalogue: Catalogue,
    runner: BatchRunner,
    questions: RecordQuestions,
    reader: Reader,
) -> tuple[BatchDesk, InferenceDesk, DatasetDesk, WorkflowDesk, Erase | None, ConfirmationDesk]:
    """Return what handlers work on, in the order of `routes`; without a record there is nothing to ask."""
    ask, rows = (questions, reader) if engine.spool is not None else (None, None)
    withheld = Withheld(catalogue, engine.clock)
    return (
        BatchDesk(engine, catalogue, runner.wake),
        InferenceDesk(engine, ask, withheld),
        DatasetDesk(engine, catalogue, ask, rows, withheld),
        WorkflowDesk(engine, catalogue, ask),
        None if rows is None else partial(ask_erasure, options),
        ConfirmationDesk(
            catalogue,
            engine.clock,
            partial(ask_confirmation, options, catalogue, engine.clock),
            partial(_reveal, catalogue, engine.clock),
        ),
    )


def _reveal(catalogue: Catalogue, clock: Clock, name: str, ids: Sequence[str], actor: str) -> tuple[Datapoint, ...]:
    return holdout.reveal(catalogue, ids, Actor(actor, clock.wall_ms()), dataset_name=name)


def _server(engine: Engine, gate: Gate | None, table: list[Route]) -> Server:
    gateway = engine.config.gateway

    def failed(error: BaseException, request: HttpRequest | None) -> None:
        where = request.path if request is not None else "connection"
        _log.error("a fault of the gateway on %s", where, exc_info=error)
        engine.metrics.count("internal_errors", ("server",))

    def observed(_method: str, route: str, status: int) -> None:
        endpoint = _OBSERVED.get(route)
        if endpoint is not None:
            engine.metrics.count("requests", (endpoint, str(status)))

    return Server(
        Router(table, gateway.base_path),
        ServerSettings(
            max_body_bytes=gateway.max_body_bytes,
            header_timeout_s=gateway.header_timeout_s,
            body_timeout_s=gateway.body_timeout_s,
            server_headers=(("x-tensorzero-gateway-version", __version__), ("x-calibrant-version", __version__)),
            error_json=gateway.unstable_error_json,
            watch_clients=gateway.on_client_disconnect == "cancel",
        ),
        failed,
        observed,
        gate,
    )


def _redact(name: str | None) -> Redact | None:
    """Return the user's hook, `package.module:function`.

    Raises:
        ConfigError: there is no such function.
    """
    if name is None:
        return None
    module_name, _, function_name = name.partition(":")
    try:
        hook = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"record.redact: {name!r} cannot be imported: {error}; write `package.module:function`"
        ) from None
    if not callable(hook):
        raise ConfigError(f"record.redact: {name!r} is no function")
    # What it returns is checked where it is called: it is the user's code.
    return cast("Redact", hook)


if __name__ == "__main__":
    main()
