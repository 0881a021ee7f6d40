from __future__ import annotations

import ast
import sys
from pathlib import Path

from tests.contract.providers.calls import PLAIN, make

import calibrant.providers
from calibrant.config.secret import Secret
from calibrant.providers.base import Adapter, StreamDecoder

IMPURE = {"asyncio", "socket", "os", "time", "random", "threading", "subprocess", "ssl", "datetime"}


def test_it_is_an_adapter() -> None:
    made: Adapter = make("openai")
    decoder: StreamDecoder = made.decoder()
    assert decoder.feed(b"") == []


def test_a_secret_shows_in_no_repr() -> None:
    made = make("openai")
    signed = made.sign(made.encode(PLAIN), Secret("sk-canary"), 0.0)
    assert "sk-canary" not in repr(made)
    assert dict(signed.headers)["authorization"] == "Bearer sk-canary"


def test_the_layer_is_pure() -> None:
    for path in Path(calibrant.providers.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            roots = {name.partition(".")[0] for name in names}
            assert not roots & IMPURE, path
            assert roots <= sys.stdlib_module_names | {"calibrant", "msgspec"}, path
