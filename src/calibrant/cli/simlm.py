"""`calibrant simlm`: a simulated model of which the truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from calibrant.demo.simlm.parameters import Parameters
    from calibrant.demo.simlm.world import World

__all__ = ["simlm"]


def simlm(
    port: Annotated[
        int, typer.Option("--port", "-p", help="Port to listen on, at 127.0.0.1; 0 takes a free one.")
    ] = 3002,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Of items and outcomes.")] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="A world, as TOML or JSON; without it, the built-in one.")
    ] = None,
    accuracy: Annotated[
        float | None, typer.Option("--accuracy", help="Of a prompt that satisfies no rule, such as 0.7.")
    ] = None,
    effect: Annotated[
        list[str] | None,
        typer.Option("--effect", help="RULE=POINTS: what satisfying a rule adds, such as steps=0.08. Repeatable."),
    ] = None,
    icc: Annotated[
        float | None, typer.Option("--icc", help="Correlation of right and wrong within a group of items.")
    ] = None,
    drift: Annotated[float | None, typer.Option("--drift", help="Logits for 1000 calls.")] = None,
    change_at: Annotated[
        int | None, typer.Option("--change-at", min=0, help="The call from which the model is another one.")
    ] = None,
    change_shift: Annotated[float, typer.Option("--change-shift", help="What that does, in logits.")] = -0.5,
    change_shown: Annotated[
        str, typer.Option("--change-shown", help="Where one could see it: nothing, fingerprint, model or both.")
    ] = "nothing",
    latency_ms: Annotated[
        float | None, typer.Option("--latency-ms", min=0, help="Median milliseconds until the first token.")
    ] = None,
    describe: Annotated[
        bool, typer.Option("--describe", help="Print the world as a line of JSON, and serve nothing.")
    ] = False,
) -> None:
    """Serve a simulated model of which the truth is known, for testing what measures.

    It is the oracle of intervals, decisions and detectors, and never evidence that something improves accuracy on
    real tasks.
    """
    import asyncio

    from calibrant.demo.http import until_stopped
    from calibrant.demo.simlm.reading import Target, read_world
    from calibrant.demo.simlm.server import serve
    from calibrant.demo.simlm.world import World

    target = Target(accuracy=accuracy, icc=icc, effects=_effects(effect or []))
    read = read_world(config, seed, target)
    world = World(_with_faults(read, drift, change_at, change_shift, change_shown, latency_ms))
    if describe:
        typer.echo(world.describe())
        return
    asyncio.run(until_stopped(serve(world, port), lambda url: _announce(world, url)))


def _effects(flags: list[str]) -> dict[str, float]:
    from calibrant.base.errors import ConfigError

    found: dict[str, float] = {}
    for flag in flags:
        name, _, points = flag.partition("=")
        try:
            found[name] = float(points)
        except ValueError:
            raise ConfigError(f"--effect: {flag!r} is not RULE=POINTS, such as steps=0.08") from None
    return found


def _with_faults(
    world: Parameters, drift: float | None, at: int | None, shift: float, shown: str, latency_ms: float | None
) -> Parameters:
    import msgspec
    from msgspec.structs import replace

    from calibrant.base.errors import ConfigError
    from calibrant.demo.simlm.parameters import Change

    try:
        if drift is not None:
            world = replace(world, drift=replace(world.drift, slope=drift))
        if at is not None:
            change = msgspec.convert({"at": at, "shift": shift, "shown": shown}, Change)
            world = replace(world, changes=(*world.changes, change))
        if latency_ms is not None:
            world = replace(world, latency=replace(world.latency, first_ms=latency_ms))
    except (msgspec.ValidationError, ValueError) as error:
        raise ConfigError(f"--drift, --change-*, --latency-ms: {error}") from error
    return world


def _announce(world: World, url: str) -> None:
    from calibrant.demo.simlm.snippet import gateway_config

    typer.echo(f"simlm on {url}\n{world.describe()}\n\n{gateway_config(world, url)}", err=True)
