"""Child processes and what the kernel says of them: CPU time, memory, children.

Linux only. Ends what it started, by pid.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

__all__ = ["Child", "children", "cpu_seconds", "descendants", "free_port", "rss_bytes", "wait_for_port"]

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Child:
    """A process that writes to a log file and goes when its time has come."""

    def __init__(self, name: str, command: list[str], *, log: Path, env: dict[str, str] | None = None) -> None:
        """Start it.

        Args:
            name: For messages.
            command: What to run.
            log: Where its output goes.
            env: Added to our own environment.
        """
        self.name = name
        self.log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
            )

    @property
    def pid(self) -> int:
        """Of the process itself."""
        return self.process.pid

    def stop(self, patience_s: float = 15.0) -> None:
        """Ask it to go, then make it and what it left behind go."""
        family = descendants(self.pid)
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(patience_s)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(patience_s)
        for pid in family:
            # Only a child that outlived its parent; the start time tells a reused pid apart.
            if _started(pid) == family[pid]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def tail(self, lines: int = 15) -> str:
        """Return the end of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def children(pid: int) -> list[int]:
    """Return the pids of a process's children."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(word) for word in task.read_text().split()]
    return found


def descendants(pid: int) -> dict[int, str]:
    """Return the pids below a process, each with its start time."""
    found: dict[int, str] = {}
    for child in children(pid):
        found[child] = _started(child)
        found.update(descendants(child))
    return found


def cpu_seconds(pids: tuple[int, ...]) -> float:
    """Return the CPU time that processes have used, all threads, user and system."""
    total = 0
    for pid in pids:
        fields = _stat(pid)
        if fields:
            total += int(fields[11]) + int(fields[12])
    return total / _TICK


def rss_bytes(pid: int) -> int:
    """Return the resident memory of a process; 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except OSError:
        return 0


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(child: Child, port: int, patience_s: float) -> None:
    """Wait until a child accepts connections.

    Raises:
        RuntimeError: it ended, or did not listen in time.
    """
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if child.process.poll() is not None:
            raise RuntimeError(f"{child.name} ended with status {child.process.returncode}:\n{child.tail()}")
        time.sleep(0.05)
    raise RuntimeError(f"{child.name} did not listen on port {port} within {patience_s:g} s:\n{child.tail()}")


def _stat(pid: int) -> list[str]:
    # The name in parentheses may hold spaces: what follows it does not.
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return []


def _started(pid: int) -> str:
    fields = _stat(pid)
    return fields[19] if fields else ""
