"""Every Python block of `docs/client.md` is run: what it shows works, as it stands there."""

import re
import subprocess
import sys

import pytest
from tests.architecture.tree import ROOT
from tests.support.gateway import Gateway

from calibrant import Client

PAGE = (ROOT / "docs" / "client.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    running = Gateway(tmp_path_factory.mktemp("page"), "")
    running.command = ["up"]
    running.config.unlink()
    running.start()
    try:
        yield running
    finally:
        assert running.stop() == 0


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_the_python_blocks(up, block):
    assert "localhost:3000" in block
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block.replace("localhost:3000", f"127.0.0.1:{up.port}")],
        capture_output=True,
        text=True,
        timeout=50,
        cwd=up.folder,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert not done.stderr


def test_every_method_is_in_the_table():
    others = {"build_http", "close", "run"}
    for name in {name for name in vars(Client) if not name.startswith("_")} - others:
        assert f"`{name}`" in PAGE, name


def test_every_page_that_it_names_is_there():
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
