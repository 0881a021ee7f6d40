"""Reads the package as source: what the architecture tests look at."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the package, by dotted name."""
    found = {}
    for path in sorted((SRC / "calibrant").rglob("*.py")):
        parts = path.relative_to(SRC).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(), filename=str(path))
    return found


def path_of(name: str) -> Path:
    """The file of a module."""
    base = SRC.joinpath(*name.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


def imports(tree: ast.Module, *, everywhere: bool = False) -> set[str]:
    """What a module imports when it is loaded (or when its functions run, too); not what only type checkers read."""
    found = set()
    nodes = _nodes(tree, functions=everywhere)
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def _nodes(tree: ast.AST, *, functions: bool):
    for node in ast.iter_child_nodes(tree):
        if not functions and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        yield node
        yield from _nodes(node, functions=functions)
