"""Calibrant: a gateway in front of every LLM provider, a record of every inference, and numbers to trust.

Importing this does nothing but name the version. Read `ARCHITECTURE.md`, then `engine/infer.py`.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
