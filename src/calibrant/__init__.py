"""Calibrant: a gateway in front of every LLM provider, a record of every inference, and numbers to trust.

Importing this does nothing but name the version; `Client` and `AsyncClient` are loaded when they are asked for.
Read `ARCHITECTURE.md`, then `engine/infer.py`.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # what type checkers take for true; `typing` itself would have to be loaded
    from calibrant.client import AsyncClient, Client

__all__ = ["AsyncClient", "Client", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name not in ("AsyncClient", "Client"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    __import__("calibrant.client")
    return getattr(sys.modules["calibrant.client"], name)
