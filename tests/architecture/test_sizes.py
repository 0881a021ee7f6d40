"""Files about one noun, functions that fit a screen. The tail is the architecture."""

import ast

import pytest
from tests.architecture.tree import modules, path_of

MAX_FILE = 500
MAX_FUNCTION = 80


@pytest.mark.parametrize("name", sorted(modules()))
def test_no_file_and_no_function_is_too_long(name):
    lines = path_of(name).read_text().count("\n")
    assert lines <= MAX_FILE, f"{name} has {lines} lines; split it by nouns"
    for node in ast.walk(modules()[name]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or node.lineno) - node.lineno + 1
            assert size <= MAX_FUNCTION, f"{name}:{node.lineno}: {node.name} has {size} lines"
