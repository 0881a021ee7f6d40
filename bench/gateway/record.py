"""How far Calibrant's record is behind, from its own accounting, and what catching up costs."""

from __future__ import annotations

import http.client
import time
from dataclasses import dataclass

import msgspec

__all__ = ["Drain", "Watch", "drain", "lag"]

_POLL_S = 0.05


@dataclass(frozen=True)
class Drain:
    """The way from the end of a load to a record that is complete."""

    lag: int
    """Frames accepted and not yet stored when the load ended."""
    seconds: float
    complete: bool
    """False if the patience ran out."""


def accounting(port: int, key: str = "") -> dict[str, int]:
    """Return the gateway's own account."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/internal/accounting", headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"/internal/accounting answered {answer.status}: {body[:200]!r}")
        return {k: v for k, v in msgspec.json.decode(body).items() if isinstance(v, int)}
    finally:
        connection.close()


def lag(port: int, key: str = "") -> int:
    """Return how many frames wait in the spool."""
    return accounting(port, key)["spooled"]


def drain(port: int, patience_s: float = 60.0, *, key: str = "") -> Drain:
    """Wait until nothing waits."""
    started = time.monotonic()
    first = left = lag(port, key)
    while left and time.monotonic() - started < patience_s:
        time.sleep(_POLL_S)
        left = lag(port, key)
    return Drain(first, time.monotonic() - started, not left)


@dataclass
class Watch:
    """Samples of the lag over time."""

    times: list[float]
    lags: list[int]

    @classmethod
    def empty(cls) -> Watch:
        return cls([], [])

    def sample(self, port: int) -> None:
        self.times.append(time.monotonic())
        self.lags.append(lag(port))

    def slope(self) -> float:
        """Return by how many frames a second the lag grows over the later half of the samples."""
        half = len(self.times) // 2
        return slope(self.times[half:], [float(v) for v in self.lags[half:]])


def slope(x: list[float], y: list[float]) -> float:
    """Return the least-squares slope; 0 where there is none."""
    if len(x) < 2:
        return 0.0
    mx, my = sum(x) / len(x), sum(y) / len(y)
    spread = sum((a - mx) ** 2 for a in x)
    return sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True)) / spread if spread else 0.0
