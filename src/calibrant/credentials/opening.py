"""What a worker does about credentials before it is ready: look them up, fetch the first, name all that are missing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from calibrant.base.clock import Clock
from calibrant.config.problem import Problem, complain
from calibrant.config.schema import Config
from calibrant.config.secret import Secrets
from calibrant.config.setting import fault_of_setting, settle, wants_region, with_region
from calibrant.credentials.refresh import TRY_S, Refresher
from calibrant.credentials.source import Lacking
from calibrant.credentials.sources import chain, open_sources
from calibrant.credentials.thread import SideThread
from calibrant.telemetry.metrics import Metrics

__all__ = ["Opened", "open_credentials"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Opened:
    """Credentials in use."""

    config: Config
    """The configuration, with what the environment and AWS's own settings say in it."""
    secrets: Secrets
    refresher: Refresher


async def open_credentials(
    config: Config, environ: Mapping[str, str], *, metrics: Metrics, clock: Clock, try_s: float = TRY_S
) -> Opened:
    """Return the credentials that the configuration needs. A server that cannot be reached now is asked again later.

    Args:
        config: As loaded.
        environ: The environment.
        metrics: Counts failures.
        clock: Says when something expires.
        try_s: Seconds that one try may take.

    Raises:
        ConfigError: something is missing for certain; the message has everything that is, one a line.
    """
    config, problems = settle(config, environ)
    secrets, _ = Secrets.resolve(config, environ, clock)
    sources = open_sources(secrets, environ, config.gateway.ca_bundle)
    refresher = Refresher(secrets, sources, metrics=metrics, clock=clock, try_s=try_s)
    async with asyncio.TaskGroup() as group:
        group.create_task(refresher.first())
        region = group.create_task(_region(config, try_s))
    complain([*problems, *region.result()[1], *secrets.problems()])
    refresher.start()
    return Opened(region.result()[0], secrets, refresher)


async def _region(config: Config, within_s: float) -> tuple[Config, list[Problem]]:
    """Return the configuration with the region of AWS's own settings, or a problem for each provider without one."""
    paths = wants_region(config)
    if not paths:
        return config, []
    try:
        region = await SideThread(chain().region, "region").run(within_s)
        fault = fault_of_setting("region", region)
        why = None if fault is None else f"what AWS's own settings have {fault}"
    except Lacking as error:
        region, why = "", str(error)
    except TimeoutError:
        region, why = "", f"AWS's own settings gave no region within {within_s:g} s"
    if why is not None:
        return config, [
            Problem("environment", path, why, "set AWS_REGION, or write the region itself") for path in paths
        ]
    return with_region(config, region), []
