"""`calibrant up`: everything on one machine."""

from __future__ import annotations

import typer

from calibrant.cli import flags
from calibrant.cli.context import context
from calibrant.cli.serve import announce, serve, url_of

__all__ = ["up"]


def up(
    config: flags.ConfigFile = None,
    host: flags.Host = None,
    port: flags.Port = None,
    workers: flags.Workers = None,
    database: flags.Database = None,
    data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR,
    log_format: flags.LogFormat = "pretty",
) -> None:
    """Start everything on this machine: gateway, recorder, embedded database.

    In a folder with no configuration it runs a demonstration: small local models that need no key.
    """
    from contextlib import ExitStack

    options = context(config, data_dir, database)
    pattern = options.config
    with ExitStack() as stack:
        demo = pattern is None
        if pattern is None:
            from calibrant.cli.local_models import local_models

            pattern = str(stack.enter_context(local_models(data_dir)))
        serve(
            pattern=pattern,
            data_dir=data_dir,
            database=options.database,
            host=host,
            port=port,
            bind_address=None,
            workers=workers,
            with_recorder=True,
            log_format=log_format,
            on_ready=_welcome if demo else announce,
        )


def _welcome(host: str, port: int) -> None:
    announce(host, port)
    everywhere = ("127.0.0.1", "0.0.0.0", "::")  # noqa: S104 - compared with, not listened on
    url = f"http://localhost:{port}" if host in everywhere else url_of(host, port)
    typer.echo(
        f"""
Three things to try, in another terminal:

  1. Ask the local model something:
       curl -s {url}/inference -d '{{"model_name": "assistant",
         "input": {{"messages": [{{"role": "user", "content": "What is Calibrant?"}}]}}}}'

  2. Use a function with two variants, then say whether the answer was right:
       curl -s {url}/inference -d '{{"function_name": "extract_entities",
         "input": {{"messages": [{{"role": "user", "content": "Ada Lovelace met Charles Babbage in London."}}]}}}}'
       curl -s {url}/feedback -d '{{"metric_name": "exact_match", "value": true, "inference_id": "THE ID FROM ABOVE"}}'

  3. Compare the two variants over a few hundred inferences, with intervals:
       calibrant demo ner --gateway {url}

Ctrl-C stops everything; what was recorded stays.
""",
        err=True,
    )
