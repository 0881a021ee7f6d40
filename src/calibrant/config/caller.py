"""What the environment says to a client of a gateway.

Apart from the gateway's own settings: a client is a guest in somebody else's process, and loads no more than this.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

__all__ = ["api_key", "api_key_of"]


def api_key() -> str | None:
    """Return the API key that this process's environment names: `CALIBRANT_API_KEY`, or `TENSORZERO_API_KEY`."""
    return api_key_of(os.environ)  # noqa: TID251 - a client has no configuration that would be loaded


def api_key_of(environ: Mapping[str, str]) -> str | None:
    """Return the API key that an environment names. A variable that is set to nothing counts as not set."""
    return environ.get("CALIBRANT_API_KEY") or environ.get("TENSORZERO_API_KEY") or None
