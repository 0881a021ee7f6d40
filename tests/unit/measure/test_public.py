"""`from calibrant import measure` has everything, and loads nothing before it is asked for."""

import subprocess
import sys
from importlib import import_module

import pytest

from calibrant import measure


def test_every_name_is_what_its_file_has():
    assert set(measure.__all__) == set(measure._FILES)
    for name in measure.__all__:
        found = getattr(measure, name)
        assert found is getattr(import_module(f"calibrant.measure.{measure._FILES[name]}"), name)
        assert found.__doc__
    assert set(measure.__all__) <= set(dir(measure))
    with pytest.raises(AttributeError, match="no attribute 'none'"):
        _ = measure.none


@pytest.mark.parametrize(("name", "loads"), [("share_sequence", False), ("mean_interval", True)])
def test_a_name_loads_its_own_file(name, loads):
    code = f"import sys; from calibrant import measure; measure.{name}; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(loads)
