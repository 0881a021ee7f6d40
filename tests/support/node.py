"""Runs a judge that is written for Node: its packages are those of its lock file, installed once into a cache."""

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

_FOLDER = Path(__file__).parents[1] / "e2e" / "node"


def run_node(judge, *arguments):
    """Return the lines that `node/<judge>/judge.mjs` prints; skip, saying why, where it cannot be run."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip(f"no node or npm on the path: the judge {judge!r} of Node's SDK was not run")
    folder = _installed(npm, _FOLDER / judge)
    done = subprocess.run(
        [node, str(folder / "judge.mjs"), *arguments], capture_output=True, text=True, timeout=120, cwd=folder
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout.splitlines()


def _installed(npm, source):
    parts = {path.name: path.read_bytes() for path in sorted(source.iterdir()) if path.is_file()}
    digest = hashlib.sha256(b"".join(parts[name] for name in ("package.json", "package-lock.json"))).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"calibrant-judges-{source.name}-{digest}"
    folder.mkdir(exist_ok=True)
    for name, content in parts.items():
        (folder / name).write_bytes(content)
    if not (folder / "ready").exists():
        done = subprocess.run(
            [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
            capture_output=True,
            text=True,
            timeout=240,
            cwd=folder,
        )
        if done.returncode:
            pytest.skip(f"npm cannot install the judge {source.name!r}, so it was not run: {done.stderr[-500:]}")
        (folder / "ready").touch()
    return folder
