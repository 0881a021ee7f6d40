"""Puts what files hold in the place of their paths, so that the document needs no file any more.

This is the step that reads templates, schemas and what templates include. What comes out, with the includes
beside it, is the content of a snapshot.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path as FilePath
from typing import Any

import msgspec

from calibrant.config.document import DOCUMENT
from calibrant.config.marks import Mark
from calibrant.config.merge import Origins
from calibrant.config.problem import Path, Problem, dotted
from calibrant.config.shape import rewrite

__all__ = ["NOT_KEPT", "Embedded", "embed", "locate"]

Tree = dict[str, Any]

NOT_KEPT = "(not kept)"
"""Stands in a snapshot for a value that could be a credential."""

_EMPTY = {"json": "{}"}
_TAG = re.compile(r"\{%[-+]?\s*(include|import|extends|from)\b(.*?)[-+]?%\}", re.DOTALL)
_STRING = re.compile(r"""'([^']*)'|"([^"]*)\"""")
_LARGEST = 1 << 20


class Embedded(msgspec.Struct, frozen=True):
    """A document that needs no file, and the templates that others may include, by path."""

    tree: Tree
    includes: dict[str, str]


def embed(tree: Tree, origins: Origins) -> tuple[Embedded, list[Problem]]:
    """Return the document with the content of the files that it names, and what could not be read."""
    problems: list[Problem] = []
    templates: list[tuple[Path, str]] = []

    def change(mark: Mark, value: Any, path: Path) -> Any:
        if mark in ("template", "text", "json"):
            text = _text(value, path, origins, problems)
            if text is not None and mark == "json":
                text = _json(text, value, path, origins, problems)
            if mark == "template" and text is not None:
                templates.append((path, text))
            return _EMPTY.get(mark, "") if text is None else text
        if mark == "private":
            return NOT_KEPT
        return "." if mark == "directory" else value

    embedded = rewrite(tree, DOCUMENT, change)
    includes = _Includes(_base(tree, origins), origins, problems)
    for path, text in templates:
        includes.follow(path, text)
    return Embedded(embedded, includes.found), problems


def locate(tree: Tree, folder: Callable[[Path], FilePath]) -> Tree:
    """Return the document with the paths that remain (credentials, certificates) made absolute.

    Args:
        tree: An embedded document.
        folder: Against which folder a path at this place resolves.
    """

    def change(mark: Mark, value: Any, path: Path) -> Any:
        if mark == "path":
            return str(folder(path) / value)
        if mark == "location" and value.startswith("path::"):
            return f"path::{folder(path) / value.removeprefix('path::')}"
        return {} if mark == "private" else value

    return rewrite(tree, DOCUMENT, change)


def _base(tree: Tree, origins: Origins) -> FilePath | None:
    """Return the folder of includes, or null where templates may not include anything."""
    here: Path = ("gateway", "template_filesystem_access")
    access = tree.get("gateway", {}).get("template_filesystem_access", {})
    if access.get("enabled") is False:
        return None
    if "base_path" in access:
        return origins.folder((*here, "base_path")) / access["base_path"]
    return origins.folder((*here, "enabled")) if access.get("enabled") else None


def _text(value: str, path: Path, origins: Origins, problems: list[Problem]) -> str | None:
    file = origins.folder(path) / value
    try:
        return file.read_bytes().decode()
    except (OSError, ValueError) as error:
        why = f"is not UTF-8 (byte {error.start})" if isinstance(error, UnicodeDecodeError) else "cannot be read"
        if isinstance(error, OSError) and error.strerror:
            why = f"cannot be read ({error.strerror})"
        problems.append(
            Problem(
                origins.file(path),
                dotted(path),
                f"names the file {value!r}, which {why}",
                f"relative paths start at {str(origins.folder(path))!r}",
            )
        )
        return None


def _json(text: str, value: str, path: Path, origins: Origins, problems: list[Problem]) -> str | None:
    try:
        decoded = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        problem, remedy = f"names the file {value!r}, which is not JSON: {error}", "mend the file there"
    else:
        if isinstance(decoded, dict):
            return text
        problem, remedy = (
            f"names the file {value!r}, whose JSON is no object",
            "write a JSON Schema, as an object",
        )
    problems.append(Problem(origins.file(path), dotted(path), problem, remedy))
    return None


class _Includes:
    """What templates include, and what that includes in turn."""

    def __init__(self, base: FilePath | None, origins: Origins, problems: list[Problem]) -> None:
        self.found: dict[str, str] = {}
        self._base = base
        self._origins = origins
        self._problems = problems

    def follow(self, path: Path, text: str) -> None:
        """Read what this template includes."""
        for names, optional in _included(text):
            if not names:
                self._everything(path)
            for name in names:
                if name not in self.found:
                    self._read(path, name, optional=optional or len(names) > 1)

    def _read(self, path: Path, name: str, *, optional: bool) -> None:
        if self._base is None:
            self._complain(
                path,
                f"includes {name!r}, but templates may not read files",
                "set `gateway.template_filesystem_access.base_path` to the folder that holds it",
            )
            return
        file = FilePath(os.path.normpath(self._base / name))
        if not file.is_relative_to(os.path.normpath(self._base)):
            self._complain(path, f"includes {name!r}, which is outside the base path", "move the file into it")
            return
        try:
            text = file.read_bytes().decode()
        except (OSError, ValueError):
            if not optional:
                self._complain(
                    path,
                    f"includes {name!r}, which cannot be read as UTF-8",
                    f"put it into {str(self._base)!r}, or write `ignore missing`",
                )
            return
        self.found[name] = text
        self.follow(path, text)

    def _everything(self, path: Path) -> None:
        """Read the whole folder: the name is only known when the template is rendered."""
        if self._base is None:
            self._complain(
                path,
                "includes another template, but templates may not read files",
                "set `gateway.template_filesystem_access.base_path` to the folder that holds it",
            )
            return
        for file in sorted(self._base.rglob("*")):
            name = file.relative_to(self._base).as_posix()
            hidden = any(part.startswith(".") for part in FilePath(name).parts)
            if not hidden and name not in self.found and file.is_file() and file.stat().st_size <= _LARGEST:
                self._read(path, name, optional=True)

    def _complain(self, path: Path, problem: str, remedy: str) -> None:
        self._problems.append(Problem(self._origins.file(path), dotted(path), problem, remedy))


def _included(text: str) -> Iterator[tuple[list[str], bool]]:
    """Yield, for each tag that names templates, the names it has and whether they may be missing."""
    for tag in _TAG.finditer(text):
        word, rest = tag[1], tag[2]
        if word == "from" or word == "import":
            rest = re.split(r"\b(?:import|as)\b", rest, maxsplit=1)[0]
        names = [single or double for single, double in _STRING.findall(rest)]
        yield names, "ignore missing" in rest
