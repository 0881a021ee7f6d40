"""`calibrant`: the table of commands."""

from __future__ import annotations

import sys

import typer

from calibrant.base.errors import CalibrantError
from calibrant.cli import (
    backup,
    cache,
    check,
    cost,
    dataset,
    dataset_leaks,
    demo,
    doctor,
    erase,
    gateway,
    holdout,
    import_,
    inference_export,
    inferences,
    key,
    migrate,
    recorder,
    replay,
    simlm,
    spool,
    stats,
    up,
    version,
)

__all__ = ["app", "main"]

app = typer.Typer(
    name="calibrant",
    help="A gateway in front of every LLM provider, a record of every inference, and numbers that can be trusted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("up")(up.up)
app.command("gateway")(gateway.gateway)
app.command("recorder")(recorder.recorder)
app.command("check")(check.check)
app.command("stats")(stats.stats)
app.command("replay")(replay.replay)
app.command("erase")(erase.erase)
app.command("migrate")(migrate.migrate)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("doctor")(doctor.doctor)
app.command("version")(version.version)
app.command("simlm")(simlm.simlm)
app.add_typer(key.app, name="key")
dataset.app.command("leaks")(dataset_leaks.leaks)
app.add_typer(dataset.app, name="dataset")
app.add_typer(holdout.app, name="holdout")
dataset.app.command("seal")(holdout.seal)
app.command("confirm")(holdout.confirm)
app.add_typer(import_.app, name="import")
app.add_typer(spool.app, name="spool")
app.add_typer(cost.app, name="cost")
inferences.app.command("export")(inference_export.export)
app.add_typer(inferences.app, name="inferences")
app.add_typer(cache.app, name="cache")
app.add_typer(demo.app, name="demo")


def main() -> None:
    """Run the command line. What the user did wrong ends with status 2 and a sentence, never a traceback."""
    try:
        app()
    except CalibrantError as error:
        sys.stderr.write(f"calibrant: {error.message}\n")
        sys.exit(2)
