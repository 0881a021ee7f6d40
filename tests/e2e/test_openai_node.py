"""OpenAI's SDK for Node, unmodified, on both of the gateway's OpenAI dialects."""

import pytest
from tests.support.fake_vendors import DIALECTS, fakes
from tests.support.gateway import gateway
from tests.support.node import run_node

CASES = 11


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_node_sdk(tmp_path):
    with fakes() as providers, gateway(tmp_path, providers.models()) as running:
        lines = run_node("openai", running.url, *DIALECTS)
    assert len([line for line in lines if line.startswith("ok ")]) == CASES * len(DIALECTS), lines
