"""Where and how a run was made: without it a figure means nothing."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

__all__ = ["Machine", "Run", "machine"]


@dataclass(frozen=True)
class Machine:
    """The machine and the interpreter."""

    cpu: str
    cores: int
    memory_gib: float
    kernel: str
    python: str
    packages: dict[str, str]
    load_before: tuple[float, float, float]


@dataclass(frozen=True)
class Run:
    """One run of the bench."""

    machine: Machine
    command: str
    seconds: float


def machine() -> Machine:
    """Describe this machine."""
    cpu = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    return Machine(
        cpu=cpu,
        cores=os.cpu_count() or 0,
        memory_gib=round(memory / 2**20, 1),
        kernel=platform.release(),
        python=platform.python_version(),
        packages={name: version(name) for name in ("uvloop", "httptools", "msgspec")},
        load_before=os.getloadavg(),
    )


def _lines(path: str) -> list[str]:
    file = Path(path)
    return file.read_text().splitlines() if file.exists() else []
