"""Libraries with which our statistics are compared; a test that wants one that is missing is skipped, and says so."""

import warnings
from types import ModuleType

import pytest


def oracle(name: str) -> ModuleType:
    """Import a library whose own warnings are not ours to mend."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(
            name, reason=f"{name} is missing, so nothing is compared with it: `make test-all` installs the oracles"
        )
