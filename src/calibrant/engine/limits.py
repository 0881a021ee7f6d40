"""Time limits: those of a provider, its model, its variant and the gateway, folded into one deadline.

Whoever runs out first is named in the error.
"""

from __future__ import annotations

from msgspec import Struct

from calibrant.base.errors import InferenceTimeout, Stalled
from calibrant.config.schema import Gateway, Timeouts
from calibrant.types.call import Deadline

__all__ = ["TIMER_S", "Limit", "outermost", "tighter"]

TIMER_S = 0.002
"""How much too early an event loop's timer may go off: what it ended counts as over."""


class Limit(Struct, frozen=True, gc=False):
    """Instants on the monotonic clock by which something must be over, and who says so."""

    total: float
    """When everything must be over."""
    total_whose: str
    """Who set it, such as `the model 'm'`."""
    first: float | None = None
    """When the first chunk of a stream must be there."""
    first_whose: str = ""
    idle_s: float | None = None
    """How many seconds a stream may pause."""
    idle_whose: str = ""

    def deadline(self, stream: bool) -> Deadline:
        """Return what the network has to keep."""
        if not stream:
            return Deadline(total=self.total)
        return Deadline(total=self.total, first_byte=self.first, idle_s=self.idle_s)

    def until_first(self) -> Limit:
        """Return the limit of what comes before a stream's first chunk."""
        if self.first is None or self.first >= self.total:
            return self
        return Limit(self.first, self.first_whose)

    def check(self, now: float) -> None:
        """Go on only while there is time.

        Raises:
            InferenceTimeout: there is none left; the message says whose limit it was.
        """
        over = self.over(now)
        if over is not None:
            raise over

    def over(self, now: float, *, begun: bool = False) -> InferenceTimeout | None:
        """Return the error that says whose time is over, or null while there is time.

        Args:
            now: Monotonic seconds.
            begun: The first chunk is there, so only the total counts.
        """
        if now >= self.total:
            return InferenceTimeout(f"{self.total_whose} ran out of time")
        if not begun and self.first is not None and now >= self.first:
            return InferenceTimeout(f"{self.first_whose} ran out of time for the first chunk")
        return None

    def named(self, error: InferenceTimeout, now: float, *, begun: bool = False) -> InferenceTimeout:
        """Return the error that says whose time is over: the network, which raised this one, knows only that it is."""
        if isinstance(error, Stalled) and self.idle_s is not None:
            return Stalled(
                f"nothing came for {self.idle_s * 1e3:g} ms, the most that {self.idle_whose} allows a stream"
            )
        return self.over(now, begun=begun) or error


def outermost(gateway: Gateway, now: float) -> Limit:
    """Return the limit of everything that the gateway does for one inference."""
    total = now + gateway.global_outbound_http_timeout_ms / 1e3
    if gateway.stream_read_timeout_ms is None:
        return Limit(total, "the gateway")
    return Limit(total, "the gateway", idle_s=gateway.stream_read_timeout_ms / 1e3, idle_whose="the gateway")


def tighter(limit: Limit, timeouts: Timeouts, now: float, kind: str, name: str, *, stream: bool) -> Limit:
    """Return the limit with the timeouts of a `kind` (such as "model") of this name folded in, counted from now."""
    if timeouts == _NONE:
        return limit
    whose = f"the {kind} {name!r}"
    total_ms = timeouts.stream_total_ms if stream else timeouts.total_ms
    total, total_whose = limit.total, limit.total_whose
    if total_ms is not None and now + total_ms / 1e3 < total:
        total, total_whose = now + total_ms / 1e3, whose
    first, first_whose = limit.first, limit.first_whose
    if stream and timeouts.ttft_ms is not None:
        at = now + timeouts.ttft_ms / 1e3
        if first is None or at < first:
            first, first_whose = at, whose
    idle_s, idle_whose = limit.idle_s, limit.idle_whose
    if timeouts.idle_ms is not None and (idle_s is None or timeouts.idle_ms / 1e3 < idle_s):
        idle_s, idle_whose = timeouts.idle_ms / 1e3, whose
    return Limit(total, total_whose, first, first_whose, idle_s, idle_whose)


_NONE = Timeouts()
