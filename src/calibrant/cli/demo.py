"""`calibrant demo`: see it work on real text, with no key."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from calibrant.cli import flags
from calibrant.cli.context import context

__all__ = ["app", "ner"]

app = typer.Typer(help="See it work on real text, with no key.", no_args_is_help=True)

_PATIENCE_S = 30.0


@app.callback()
def _group() -> None:
    """See it work on real text, with no key."""


@app.command("ner")
def ner(
    gateway: Annotated[
        str | None,
        typer.Option("--gateway", help="A gateway that runs the example; without it, one is started and stopped."),
    ] = None,
    inferences: Annotated[int, typer.Option("--inferences", "-n", min=1, help="How many to make.")] = 400,
    seed: Annotated[int, typer.Option("--seed", help="Of the choice of sentences.")] = 0,
    data: Annotated[
        Path | None, typer.Option("--data", help="Sentences, as CSV in the layout of CoNLL++; else a small sample.")
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(
            "--api-key",
            help="With --gateway: a key of its own, where it asks for keys. Best in the environment.",
            envvar="CALIBRANT_API_KEY",
            show_envvar=True,
        ),
    ] = None,
    data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR,
) -> None:
    """Compare two local models on named-entity extraction, half of the traffic each, with feedback on every answer."""
    from rich.console import Console
    from rich.progress import Progress

    from calibrant.app.statistics import read_stats
    from calibrant.cli.stats import show
    from calibrant.config.load import load, read_environment
    from calibrant.demo import corpus
    from calibrant.demo.ner import FUNCTION, run

    console = Console(markup=False, highlight=False)
    rows = corpus.load(data).validation
    with ExitStack() as stack:
        if gateway is None:
            from calibrant.cli.local_models import local_models

            config, api_key = stack.enter_context(local_models(data_dir, data)), None
            gateway = stack.enter_context(_gateway(config, data_dir))
        else:
            config = str(data_dir / "demo" / "*.toml")
            # A key that may not ask this would only show at the end.
            _spooled(gateway, api_key)
        with Progress(console=console, transient=True) as progress:
            task = progress.add_task("inferences with feedback", total=None)

            def report(done: int, total: int) -> None:
                progress.update(task, completed=done, total=total)

            summary = run(gateway, rows, inferences, seed, report, api_key=api_key)
        _wait_for_record(gateway, api_key)
        console.print(
            f"{len(summary.outcomes)} inferences in {summary.episodes} episodes, each with exact_match, entity_f1 "
            f"and a demonstration; {len(summary.failures)} failed."
        )
        for failure in summary.failures[:5]:
            console.print(failure, style="red")
        found = read_stats(context(config, data_dir, None), load(config, environ=read_environment()), FUNCTION)
    show(found, console)
    raise typer.Exit(1 if summary.failures else 0)


@contextmanager
def _gateway(config: str, data_dir: Path) -> Generator[str]:
    """Run a gateway while the block lasts; yield its address."""
    import re
    import subprocess
    import sys

    from calibrant.base.errors import ConfigError

    command = [sys.executable, "-m", "calibrant", "gateway", "--config", config, "--port", "0"]
    command += ["--host", "127.0.0.1", "--data-dir", str(data_dir)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        said: list[str] = []
        try:
            for line in process.stderr or ():
                said.append(line)
                found = re.search(r"calibrant gateway on (http://\S+)", line)
                if found:
                    yield found[1]
                    return
            raise ConfigError("the gateway did not start:\n" + "".join(said))
        finally:
            process.terminate()


def _wait_for_record(gateway: str, api_key: str | None) -> None:
    """Return once everything that was accepted is in the database."""
    import time

    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        if _spooled(gateway, api_key) == 0:
            return
        time.sleep(0.1)


def _spooled(gateway: str, api_key: str | None) -> int | None:
    """Return how much the database does not have yet; null where there is no database yet.

    Raises:
        ConfigError: the gateway does not answer, or not to this key.
    """
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    import msgspec

    from calibrant.base.errors import ConfigError

    headers = {} if api_key is None else {"authorization": f"Bearer {api_key}"}
    try:
        asked = Request(f"{gateway.rstrip('/')}/internal/accounting", headers=headers)  # noqa: S310 - a gateway's own
        with urlopen(asked, timeout=_PATIENCE_S) as answer:  # noqa: S310
            return msgspec.json.decode(answer.read())["spooled"]
    except HTTPError as error:
        if error.code == 503:
            # The recorder has not made the database yet.
            return None
        if error.code in (401, 403):
            raise ConfigError(
                "--api-key: the gateway asks for a key of its own that may infer, give feedback and read; make one "
                "with `calibrant key create --role inference --role feedback --role read`"
            ) from None
        raise ConfigError(f"--gateway: {gateway} answers {error.code} when it is asked for its accounting") from None
    except (URLError, ValueError) as error:
        raise ConfigError(
            f"--gateway: no gateway answers at {gateway} ({error}); start one with `calibrant up`"
        ) from None
