from pathlib import Path

import pytest

from calibrant.base.errors import ConfigError
from calibrant.config.load import load


@pytest.fixture
def write(tmp_path: Path):
    """Write files, by name, and return the path of the folder."""

    def _write(**files: str) -> Path:
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return _write


@pytest.fixture
def mistakes(tmp_path: Path):
    """Load a text as a configuration that must be refused, and return its lines without the file."""

    def _mistakes(text: str, environ=None) -> list[str]:
        file = tmp_path / "calibrant.toml"
        file.write_text(text)
        with pytest.raises(ConfigError) as caught:
            load(str(file), environ=environ or {})
        lines = caught.value.message.split("\n")
        assert all(line.startswith(f"{file}: ") for line in lines)
        return [line.removeprefix(f"{file}: ") for line in lines]

    return _mistakes


@pytest.fixture
def loads(tmp_path: Path):
    """Load a text as a configuration."""

    def _loads(text: str, environ=None):
        file = tmp_path / "calibrant.toml"
        file.write_text(text)
        return load(str(file), environ=environ or {})

    return _loads
