"""Days and moments as flags have them."""

from __future__ import annotations

__all__ = ["millis"]


def millis(flag: str, text: str | None) -> int | None:
    """Return a day or a moment in Unix milliseconds; without an offset it is UTC's.

    Raises:
        ConfigError: it is neither.
    """
    from datetime import UTC, datetime

    from calibrant.base.errors import ConfigError

    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{flag}: {text!r} is no date; write 2026-11-28 or 2026-11-28T07:30:00Z") from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return int(moment.timestamp() * 1000)
