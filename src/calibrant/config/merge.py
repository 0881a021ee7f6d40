"""One document out of one file or many, remembering which file each value stands in."""

from __future__ import annotations

import glob
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path as FilePath
from typing import Any, cast

from calibrant.base.errors import ConfigError
from calibrant.config.problem import Path, Problem, dotted

__all__ = ["Origins", "find_files", "merge", "read_toml"]

Tree = dict[str, Any]


class Origins:
    """The file of every value of a merged document."""

    __slots__ = ("_files", "_root", "_whole")

    def __init__(self, whole: str, root: FilePath | None = None) -> None:
        """Start with nothing known.

        Args:
            whole: What to name where no file holds the value or anything around it.
            root: The folder for relative paths in such a value; the current one where it is null.
        """
        self._whole = whole
        self._root = root
        self._files: dict[Path, str] = {}

    def note(self, path: Path, file: str) -> None:
        """Remember where a value was first seen."""
        self._files.setdefault(path, file)

    def file(self, path: Path) -> str:
        """Return the file of the value, or of the nearest table around it."""
        return self._known(path) or self._whole

    def folder(self, path: Path) -> FilePath:
        """Return the folder against which a relative path in this value resolves."""
        known = self._known(path)
        if known is None:
            return (self._root or FilePath()).absolute()
        return FilePath(known).absolute().parent

    def _known(self, path: Path) -> str | None:
        for length in range(len(path), -1, -1):
            found = self._files.get(path[:length])
            if found is not None:
                return found
        return None


def find_files(pattern: str) -> list[str]:
    """Return the files that a path or a glob (with `**` for any folders) names, sorted.

    Raises:
        ConfigError: there is none.
    """
    if FilePath(pattern).is_file():
        return [pattern]
    # `Path.glob` wants a pattern below a folder; this takes one as a person types it.
    paths = glob.glob(pattern, recursive=True)  # noqa: PTH207
    found = sorted(path for path in paths if FilePath(path).is_file())
    if not found:
        raise ConfigError(
            f"{pattern}: no such configuration file; give the path of a TOML file, or a glob that matches one"
        )
    return found


def read_toml(file: str) -> tuple[Tree, Problem | None]:
    """Return what the file holds, or why it cannot be read."""
    try:
        return tomllib.loads(FilePath(file).read_bytes().decode()), None
    except OSError as error:
        return {}, Problem(file, "", f"cannot be read ({error.strerror})", "make it readable for this user")
    except UnicodeDecodeError as error:
        return {}, Problem(file, "", f"is not UTF-8 (byte {error.start})", "save it as UTF-8")
    except tomllib.TOMLDecodeError as error:
        return {}, Problem(file, "", f"is not TOML: {error}", "mend it there")
    except RecursionError:
        return {}, Problem(file, "", "is nested too deeply", "use fewer levels")


def merge(documents: Mapping[str, Tree]) -> tuple[Tree, Origins, list[Problem]]:
    """Return the documents as one.

    Tables merge; anything else may be defined once only.

    Args:
        documents: What each file holds, by file.
    """
    origins = Origins(next(iter(documents), "configuration"))
    problems: list[Problem] = []
    merged: Tree = {}
    for file, document in documents.items():
        _into(merged, document, (), file, origins, problems)
    return merged, origins, problems


def _into(target: Tree, source: Tree, path: Path, file: str, origins: Origins, problems: list[Problem]) -> None:
    for key, value in source.items():
        here = (*path, key)
        if key not in target:
            target[key] = _copied(value, here, file, origins)
        elif isinstance(target[key], dict) and isinstance(value, dict):
            _into(target[key], cast("Tree", value), here, file, origins, problems)
        else:
            first = origins.file(here)
            problems.append(
                Problem(file, dotted(here), f"is defined twice, here and in {first}", "keep one of the two")
            )


def _copied(value: Any, path: Path, file: str, origins: Origins) -> Any:
    origins.note(path, file)
    if isinstance(value, dict):
        items: Iterable[tuple[str, Any]] = cast("Tree", value).items()
        return {key: _copied(item, (*path, key), file, origins) for key, item in items}
    return value
