"""When a process that ended may be started again. Pure: the time is a parameter."""

from __future__ import annotations

__all__ = ["Backoff"]

_FREE = 3
_WINDOW_S = 60.0
_FIRST_S = 0.2
_MAX_S = 5.0


class Backoff:
    """Counts early deaths of one kind of process: a few are forgiven, more must not turn into a fork storm."""

    def __init__(self) -> None:
        """Begin with nothing to remember."""
        self.until = 0.0
        """Monotonic seconds before which no other is started."""
        self._early: list[float] = []

    def note(self, now: float) -> None:
        """Remember that one died young."""
        self._early = [*(at for at in self._early if now - at < _WINDOW_S), now]
        excess = len(self._early) - _FREE
        self.until = now + min(_FIRST_S * 2**excess, _MAX_S) if excess > 0 else now

    def postpone(self, now: float) -> None:
        """Wait as long as it gets: the system has no room for another one."""
        self.until = now + _MAX_S
