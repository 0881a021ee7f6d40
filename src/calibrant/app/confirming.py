"""A confirmation with an engine of its own: for the command line, and as a process for a worker.

It loads numpy and holds sealed contents, which no worker does. Nothing that it asks is recorded, and no cache is asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from functools import partial

import msgspec

from calibrant.app.confirmation_job import Job, Outcome
from calibrant.app.files import open_files
from calibrant.app.homes import open_catalogue, open_reader
from calibrant.app.learning import open_examples
from calibrant.app.options import Options
from calibrant.app.outbound import client_settings
from calibrant.app.prices import read_prices
from calibrant.app.process import claim_stdout
from calibrant.base.clock import SystemClock
from calibrant.base.errors import CalibrantError
from calibrant.config.environment import settings_from_environ
from calibrant.config.load import read_environment
from calibrant.config.schema import Config
from calibrant.credentials.opening import open_credentials
from calibrant.datasets.editing import Actor
from calibrant.datasets.leaks import prompts_of, quoted_in
from calibrant.engine.compiled import Compiler
from calibrant.engine.engine import Engine
from calibrant.evaluations.base import Evaluator
from calibrant.evaluations.configured import evaluator_named
from calibrant.evaluations.confirming import confirm
from calibrant.net.client import Client
from calibrant.store.catalogue import Catalogue
from calibrant.telemetry.log import configure
from calibrant.telemetry.metrics import Metrics
from calibrant.types.confirmation import Confirmation, Proposal

__all__ = ["confirmed", "main"]


def confirmed(
    options: Options,
    environ: Mapping[str, str],
    config: Config,
    proposal: Proposal,
    evaluator: Evaluator,
    *,
    actor: str,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
    confirmation_id: str | None = None,
) -> Confirmation:
    """Confirm something, by this id or a new one, or say why not.

    Raises:
        CalibrantError: as `evaluations.confirming.confirm` says.
    """
    return asyncio.run(_confirmed(options, environ, config, proposal, evaluator, actor, progress, confirmation_id))


async def _confirmed(
    options: Options,
    environ: Mapping[str, str],
    config: Config,
    proposal: Proposal,
    evaluator: Evaluator,
    actor: str,
    progress: Callable[[int, int], None],
    confirmation_id: str | None,
) -> Confirmation:
    async with AsyncExitStack() as closing:
        catalogue = closing.enter_context(contextlib.closing(open_catalogue(options, environ, config)))
        engine = await _engine(options, environ, config, catalogue, closing)
        who = Actor(actor, engine.clock.wall_ms())
        compared = (proposal.incumbent, proposal.candidate)
        prompts = prompts_of(engine.compiler, (proposal.function_name,), compared)
        touched = partial(quoted_in, prompts)
        return await confirm(engine, catalogue, proposal, evaluator, who, touched, progress, confirmation_id)


async def _engine(
    options: Options, environ: Mapping[str, str], config: Config, catalogue: Catalogue, closing: AsyncExitStack
) -> Engine:
    clock = SystemClock()
    metrics = Metrics(config.gateway.overhead_buckets)
    credentials = await open_credentials(config, environ, metrics=metrics, clock=clock)
    closing.push_async_callback(credentials.refresher.close)
    config = credentials.config
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
        clock=clock,
        spool=None,
        targets=None,
        redact=None,
        files=files.files,
    )
    reader = closing.enter_context(contextlib.closing(open_reader(options, environ, config)))
    examples = open_examples(config, options, reader, catalogue, shared=False)
    if examples is not None:
        closing.push_async_callback(examples.close)
        engine = replace(engine, examples=examples)
        examples.start(engine)
    return engine


def main() -> None:
    """Do one job of a worker."""
    answer = claim_stdout()
    job = msgspec.json.decode(sys.stdin.buffer.readline(), type=Job)
    configure(job.options.log_format)
    environ = read_environment()
    try:
        config = job.options.read_config(environ)
        evaluator = evaluator_named(config, job.proposal.function_name, job.evaluator)
        told = Outcome(
            confirmed(
                job.options,
                environ,
                config,
                job.proposal,
                evaluator,
                actor=job.actor,
                confirmation_id=job.confirmation_id,
            )
        )
    except CalibrantError as error:
        told = Outcome(None, error.code, error.message)
    # Whoever asked may be gone; the ledger has it.
    with suppress(BrokenPipeError), os.fdopen(answer, "wb") as stream:
        stream.write(msgspec.json.encode(told))


if __name__ == "__main__":
    main()
