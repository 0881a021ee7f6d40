"""The demonstration's models and configuration, for commands that run it."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["local_models"]

_WRITTEN = "http://127.0.0.1:3001/v1"
"""Where the files of the example say that the models are."""


@contextmanager
def local_models(data_dir: Path, data: Path | None = None) -> Generator[str]:
    """Run the local models while the block lasts; yield the configuration that uses them.

    Args:
        data_dir: Gets a copy of the example, with the port that the models have got.
        data: Sentences to learn from; null for the built-in sample.
    """
    import calibrant.demo
    from calibrant.demo.server import Settings, serve_in_thread

    home = Path(calibrant.demo.__file__).parent
    folder = data_dir / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(home / "example", folder)
    shutil.copy(home / "assistant.toml", folder)
    with serve_in_thread(Settings(port=0, data=data)) as url:
        for file in folder.glob("*.toml"):
            file.write_text(file.read_text().replace(_WRITTEN, url))
        yield str(folder / "*.toml")
