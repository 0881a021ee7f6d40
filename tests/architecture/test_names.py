"""Every module says what it is; every public name is listed and documented."""

import ast

import pytest
from tests.architecture.tree import modules


def public(tree: ast.Module) -> set[str] | None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            return set(ast.literal_eval(node.value))
    return None


@pytest.mark.parametrize("name", sorted(modules()))
def test_the_module_and_its_public_names_are_documented(name):
    tree = modules()[name]
    assert ast.get_docstring(tree), f"{name} has no docstring"
    defined = {
        node.name: node for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    }
    listed = public(tree)
    visible = {n for n in defined if not n.startswith("_")}
    if listed is None:
        assert not visible, f"{name} defines {sorted(visible)} but has no __all__"
        return
    assert visible <= listed, f"{name}: {sorted(visible - listed)} are public but not in __all__"
    for public_name in listed & set(defined):
        assert ast.get_docstring(defined[public_name]), f"{name}.{public_name} has no docstring"


def test_no_file_is_named_for_nothing():
    for name in modules():
        assert name.rsplit(".", 1)[-1] not in {"utils", "helpers", "common", "manager", "misc"}, name
