"""What exists is documented, or the build fails."""

import inspect
from unittest.mock import MagicMock

import typer
from tests.architecture.tree import ROOT

from calibrant.base import errors
from calibrant.cli.main import app
from calibrant.server.api import routes
from calibrant.telemetry.metrics import COUNTERS, OVERHEAD

API = (ROOT / "docs" / "api.md").read_text()
CLI = (ROOT / "docs" / "cli.md").read_text()


def commands(group, path=("calibrant",)):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def test_every_route():
    engine = MagicMock()
    engine.compiler.function_names.return_value = engine.compiler.model_names.return_value = []
    for route in routes(engine, MagicMock()):
        assert f"`{route.method} {route.path}`" in API


def test_every_error_code():
    for _, cls in inspect.getmembers(errors, inspect.isclass):
        if issubclass(cls, errors.CalibrantError):
            assert f"`{cls.code}`" in API, cls


def test_every_metric():
    for name in (*COUNTERS, OVERHEAD):
        assert f"`{name}`" in API


def test_every_command_and_flag():
    found = list(commands(typer.main.get_command(app)))
    assert len(found) >= 9
    for name, command in found:
        assert f"`{name}`" in CLI
        assert command.help, name
        for parameter in command.params:
            for option in parameter.opts:
                if option.startswith("-") and option not in ("--help", "-h"):
                    assert f"`{option}`" in CLI, (name, option)
