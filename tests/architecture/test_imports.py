"""What is loaded when, who may know what, and that nothing goes in circles."""

import ast
import subprocess
import sys

import pytest
from tests.architecture.tree import imports, modules

PURE = ("providers", "wire", "render", "routing", "measure")
IMPURE = {"asyncio", "socket", "os", "time", "random", "ssl", "threading", "subprocess", "pathlib", "secrets", "uvloop"}
TOOLKITS = {"numpy", "scipy", "sqlalchemy", "alembic", "pydantic", "genai_prices"}
HEAVY = TOOLKITS | {"rich", "typer", "click", "nicegui", "openai", "httpx", "httpx2"}


def loaded_by(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(' '.join(sorted(m.partition('.')[0] for m in sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("name", [n for n in sorted(modules()) if n.split(".")[1:2] and n.split(".")[1] in PURE])
def test_codecs_and_decisions_are_pure(name):
    tops = {module.partition(".")[0] for module in imports(modules()[name], everywhere=True)}
    assert not tops & IMPURE, f"{name} imports {sorted(tops & IMPURE)}"


def test_importing_the_package_loads_nothing_else():
    before, after = loaded_by(""), loaded_by("import calibrant")
    assert after - before == {"calibrant"}


def test_the_clients_are_loaded_when_they_are_asked_for_and_bring_nothing_of_the_gateway():
    assert "httpx2" not in loaded_by("import calibrant")
    loaded = loaded_by("from calibrant import AsyncClient, Client")
    assert "httpx2" in loaded
    inside = {"uvloop", "httptools", "minijinja", "jsonschema_rs", "prometheus_client", "rich", "typer"}
    assert not loaded & (TOOLKITS | inside)


def test_help_loads_nothing_of_the_gateway():
    code = (
        "from typer.testing import CliRunner\nfrom calibrant.cli.main import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0"
    )
    heavy = {
        "numpy",
        "scipy",
        "sqlalchemy",
        "alembic",
        "uvloop",
        "httptools",
        "minijinja",
        "jsonschema_rs",
        "prometheus_client",
    }
    assert not loaded_by(code) & heavy


def test_a_worker_loads_nothing_heavy():
    assert not loaded_by("import calibrant.app.worker") & HEAVY


def test_no_cycles():
    graph = {name: {i for i in imports(tree) if i in modules() and i != name} for name, tree in modules().items()}
    done: set[str] = set()

    def walk(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path[path.index(name) :], name))
        if name not in done:
            for other in sorted(graph[name]):
                walk(other, (*path, name))
            done.add(name)

    for name in graph:
        walk(name, ())


def test_functions_import_only_in_the_command_line():
    for name, tree in modules().items():
        if not name.startswith("calibrant.cli"):
            late = imports(tree, everywhere=True) - imports(tree)
            assert not late, f"{name} imports {sorted(late)} inside a function"


OPENS_THE_VAULT = ("calibrant.store.", "calibrant.datasets.entering", "calibrant.datasets.holdout")
# The last one says of which version it is.
OPENS_THE_VAULT += ("calibrant.evaluations.", "calibrant.app.", "calibrant.cli.migrate")


def attributes(tree, name):
    return [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == name]


def test_few_touch_the_vault():
    touching = {name for name, tree in modules().items() if attributes(tree, "vault")}
    assert "calibrant.datasets.holdout" in touching
    assert not [name for name in sorted(touching) if not name.startswith(OPENS_THE_VAULT)]


def test_payloads_of_datapoints_have_one_reader():
    calling = {
        name
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "datapoints"
    }
    assert {name for name in calling if not name.startswith("calibrant.store.")} == {"calibrant.datasets.reader"}
