"""Logs: one JSON object or one plain line each, on standard error. Nothing of a request's content, no secret."""

from __future__ import annotations

import logging
import sys
from typing import Literal

import msgspec

__all__ = ["configure"]


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(entry).decode()


def configure(log_format: Literal["pretty", "json"] = "pretty", level: int = logging.INFO) -> None:
    """Send the package's logs to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    if log_format == "json":
        handler.setFormatter(_JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S"))
    root = logging.getLogger("calibrant")
    root.handlers[:] = [handler]
    root.setLevel(level)
    root.propagate = False
