"""`calibrant inferences`: what the record holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from calibrant.cli import flags
from calibrant.cli.context import context
from calibrant.cli.moments import millis
from calibrant.cli.tables import Table, console

if TYPE_CHECKING:
    from rich.console import Console

    from calibrant.app.inferences import Whole
    from calibrant.types.rows import InferenceRow

__all__ = ["app", "filters_of", "list_inferences", "show"]

_FIGURES: Final = ("ms", "tokens in", "tokens out", "cost")
app = typer.Typer(help="The inferences in the record.", no_args_is_help=True)


@app.command("list")
def list_inferences(
    function: Annotated[str | None, typer.Option("--function", "-f", help="Of this function.")] = None,
    variant: Annotated[str | None, typer.Option("--variant", help="Of this variant.")] = None,
    episode: Annotated[str | None, typer.Option("--episode", help="Of this episode.")] = None,
    tag: flags.Tag = None,
    since: flags.Since = None,
    until: flags.Until = None,
    search: Annotated[str | None, typer.Option("--search", help="With this text in input or output.")] = None,
    filters: flags.Filters = None,
    include_failed: Annotated[bool, typer.Option("--include-failed", help="Failed and unfinished ones too.")] = False,
    limit: Annotated[int, typer.Option("--limit", help="So many at most.")] = 20,
    before: Annotated[str | None, typer.Option("--before", help="Only those before this inference.")] = None,
    after: Annotated[str | None, typer.Option("--after", help="Only those after this inference.")] = None,
    config: flags.ConfigFile = None,
    database: flags.Database = None,
    data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR,
    as_json: flags.Json = False,
) -> None:
    """List inferences, the newest first. With --json as `POST /v1/inferences/list_inferences` answers."""
    from calibrant.app.inferences import find_inferences, inferences_json
    from calibrant.config.load import load, read_environment

    options = context(config, data_dir, database)
    asked = {
        "function_name": function,
        "variant_name": variant,
        "episode_id": episode,
        "filters": filters_of(tag or [], since, until, filters),
        "search_query_experimental": search,
        "include_failed": include_failed,
        "limit": limit,
        "before": before,
        "after": after,
    }
    # Only such filters name metrics, which the configuration explains.
    known = load(options.config, environ=read_environment()) if filters is not None else None
    found = find_inferences(options, asked, known)
    if as_json:
        typer.echo(inferences_json(found.rows).decode())
    else:
        _print_list(found.rows)
    if found.behind:
        typer.echo(
            f"The index of texts is behind by up to {found.behind} inferences; it may have overlooked them.", err=True
        )


@app.command("show")
def show(
    inference_id: Annotated[str, typer.Argument(help="Its id.", show_default=False)],
    database: flags.Database = None,
    data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR,
    as_json: flags.Json = False,
) -> None:
    """Show an inference with its calls of models and the feedback on it and on its episode."""
    from calibrant.app.inferences import whole_inference, whole_json

    whole = whole_inference(context(None, data_dir, database), inference_id)
    if as_json:
        typer.echo(whole_json(whole).decode())
        return
    _print_whole(whole, console())


def filters_of(tags: list[str], since: str | None, until: str | None, more: str | None) -> dict[str, Any] | None:
    """Return what flags narrow inferences by, as the HTTP API has it."""
    from calibrant.base.errors import ConfigError

    found: list[Any] = []
    for each in tags:
        key, equals, value = each.partition("=")
        if not equals:
            raise ConfigError(f"--tag: {each!r} has no `=`; write KEY=VALUE")
        found.append({"type": "tag", "key": key, "value": value, "comparison_operator": "="})
    for flag, text, comparison in (("--since", since, ">="), ("--until", until, "<")):
        at = millis(flag, text)
        if at is not None:
            found.append({"type": "time", "time": _rfc3339(at), "comparison_operator": comparison})
    if more is not None:
        found.append(_json(more))
    return {"type": "and", "children": found} if found else None


def _json(text: str) -> Any:
    import msgspec

    from calibrant.base.errors import ConfigError

    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise ConfigError(f"--filters: it is no JSON: {error}") from None


def _rfc3339(at: int) -> str:
    from datetime import UTC, datetime, timedelta

    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)).isoformat()


def _print_list(rows: tuple[InferenceRow, ...]) -> None:

    from calibrant.base.ids import id_millis

    table = Table("id", "time", "function", "variant", "status", *_FIGURES, title="inferences", right=_FIGURES)
    for row in rows:
        figures = (_whole(row.processing_ms), row.input_tokens, row.output_tokens, row.cost)
        known = ["-" if each is None else str(each) for each in figures]
        time = _rfc3339(id_millis(row.id))[:19]
        table.add_row(row.id, time, row.function_name, row.variant_name, row.error_code or row.status, *known)
    console().print(table if rows else "No such inference is in the record.")


def _print_whole(whole: Whole, out: Console) -> None:
    from calibrant.base.ids import id_millis

    row = whole.row
    told = {
        "inference": row.id,
        "episode": row.episode_id,
        "time": _rfc3339(id_millis(row.id)),
        "function, variant": f"{row.function_name}, {row.variant_name}",
        "status": row.status if row.error_code is None else f"{row.status}: {row.error_code}: {row.error_message}",
        "tags": ", ".join(f"{key}={value}" for key, value in row.tags.items()) or "-",
        "input": _text(row.input),
        "output": _text(row.output),
    }
    for name, value in told.items():
        out.print(f"{name}: {value}")
    calls = Table("#", "model", "provider", "status", *_FIGURES, title="calls of models", right=_FIGURES)
    for call in whole.calls:
        figures = (_whole(call.response_ms), call.input_tokens, call.output_tokens, call.cost)
        known = ["-" if each is None else str(each) for each in figures]
        status = call.error_code or call.status
        calls.add_row(str(call.attempt), call.model_name, call.provider_name, status, *known)
    out.print(calls)
    for each in whole.feedback:
        value = each.number if each.document is None else _text(each.document)
        out.print(f"feedback on the {each.level}: {each.metric_name} = {value}")


def _text(payload: bytes | None) -> str:
    return "(not kept)" if payload is None else payload.decode(errors="replace")


def _whole(millis_: float | None) -> int | None:
    return None if millis_ is None else round(millis_)
