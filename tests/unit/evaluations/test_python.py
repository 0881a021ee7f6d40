"""Scores by functions of the user."""

import re

import numpy as np
import pytest
from tests.unit.evaluations.outputs import item, json_output, said

from calibrant.base.errors import ConfigError, EvaluatorFailed
from calibrant.evaluations.python import PythonFunction, python_function

FILE = '''
from dataclasses import dataclass

from calibrant.evaluations.base import text_of


@dataclass
class Limit:
    words: int = 3


def short(item, output):
    """Is it short?"""
    return len(text_of(output).split()) <= Limit().words


async def slow(item, output):
    return 1


WORD = "no function"
'''


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "scores.py"
    path.write_text(FILE)
    return path


def test_a_function_of_a_file(file):
    short = python_function(f"{file}:short", kind="boolean")
    assert (short.name, short.kind, short.optimize) == ("short", "boolean", "max")
    assert short.score(item(), said("one two three")) == 1
    assert short.score(item(), said("one two three four")) == 0
    named = python_function(f"{file}:short", name="brief", optimize="min")
    assert (named.name, named.kind, named.optimize) == ("brief", "float", "min")


def test_a_function_of_a_module():
    same = python_function("operator:eq", name="same")
    wanted = item(json_output(1))
    assert same.score(wanted, wanted) == 1


def test_files_of_one_name_are_two_modules(tmp_path):
    for folder, value in (("a", 1), ("b", 2)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "s.py").write_text(f"def f(item, output):\n    return {value}\n")
    one, two = (python_function(f"{tmp_path / folder / 's.py'}:f") for folder in ("a", "b"))
    assert (one.score(item(), ()), two.score(item(), ())) == (1, 2)


@pytest.mark.parametrize(
    ("said", "score"), [(True, 1), (0.25, 0.25), (3, 3), (None, None), (np.float64(0.5), 0.5), (np.bool_(True), 1)]
)
def test_what_a_function_may_return(said, score):
    assert PythonFunction("f", lambda item, output: said).score(item(), ()) == score


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("0.5", "f: the function returned '0.5'; return a number"),
        ([1], "return a number"),
        (float("nan"), "returned nan; return a finite number"),
        (float("-inf"), "finite"),
    ],
)
def test_what_it_may_not(said, message):
    with pytest.raises(EvaluatorFailed, match=re.escape(message)):
        PythonFunction("f", lambda item, output: said).score(item(), ())


def test_a_boolean_score_is_0_or_1():
    with pytest.raises(EvaluatorFailed, match=r"returned 0\.5; a boolean score"):
        PythonFunction("f", lambda item, output: 0.5, "boolean").score(item(), ())


@pytest.mark.parametrize("error", [ValueError("oops"), KeyError("oops"), SystemExit("oops"), RecursionError("oops")])
def test_errors_of_its_code_are_told(error):
    def broken(item, output):
        raise error

    with pytest.raises(EvaluatorFailed, match=f"f: the function raised {type(error).__name__}: .*oops") as caught:
        PythonFunction("f", broken).score(item(), ())
    assert caught.value.__cause__ is error


def test_an_interrupt_is_no_failure_of_an_item():
    def stopped(item, output):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        PythonFunction("f", stopped).score(item(), ())


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("short", "write `package.module:function`"),
        (":short", "write `package.module:function`"),
        ("no.such.module:short", "ModuleNotFoundError"),
        ("{file}:long", "has no attribute 'long'"),
        ("{file}:WORD", "'WORD' is no function"),
        ("{file}:slow", "is asynchronous"),
        ("{file}x.py:short", "there is no file"),
    ],
)
def test_functions_that_are_not_there(file, place, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        python_function(place.format(file=file))


def test_a_file_that_breaks_is_told(tmp_path):
    (tmp_path / "broken.py").write_text("1 / 0\n")
    with pytest.raises(ConfigError, match="cannot be loaded: ZeroDivisionError"):
        python_function(f"{tmp_path / 'broken.py'}:f")
