"""Vercel's AI SDK, unmodified, on each of the gateway's public dialects; its providers speak four."""

import pytest
from tests.support.fake_vendors import DIALECTS, fakes
from tests.support.gateway import gateway
from tests.support.node import run_node

WAYS_IN = 4
CASES = 5


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_ai_sdk(tmp_path):
    with fakes() as providers, gateway(tmp_path, providers.models()) as running:
        lines = run_node("vercel", running.url, *DIALECTS)
    held = [line for line in lines if line.startswith("ok ")]
    assert len(held) == WAYS_IN * (CASES * len(DIALECTS) + 1), lines
