import asyncio

import pytest
from tests.support.engine import Line


@pytest.fixture
def line(tmp_path):
    """Make an engine from a configuration and the answers of its provider."""

    def _line(toml, *steps, **options):
        return Line(tmp_path, toml, *steps, **options)

    return _line


@pytest.fixture
def pauses(monkeypatch):
    """Let no time pass; return how long each wait would have been."""
    seen = []

    async def sleep(seconds):
        seen.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return seen
