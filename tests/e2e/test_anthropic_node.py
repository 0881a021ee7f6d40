"""Anthropic's SDK for Node, unmodified, against the gateway, whose provider speaks one of three dialects."""

import pytest
from tests.support.fake_vendors import SCRIPTED, SCRIPTS, scripted
from tests.support.gateway import gateway
from tests.support.node import run_node

from calibrant.testing.upstream import run_upstream

CASES = 7


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_node_sdk(tmp_path):
    with run_upstream(models=SCRIPTS) as upstream, gateway(tmp_path, scripted(upstream)) as running:
        lines = run_node("anthropic", running.url, *SCRIPTED)
    assert len([line for line in lines if line.startswith("ok ")]) == CASES * len(SCRIPTED), lines
