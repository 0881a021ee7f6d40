"""Runs the real gateway as its user does: processes, ports, files. Shared by the e2e and fault suites."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2 as httpx
import msgspec

PATIENCE_S = 20.0


class Gateway:
    """A gateway in processes of its own."""

    def __init__(self, folder: Path, config: str, *, args=(), env=None, port: int = 0):
        self.folder = folder
        self.data_dir = folder / "data"
        self.config = folder / "calibrant.toml"
        folder.mkdir(parents=True, exist_ok=True)
        self.config.write_text(config)
        self.args = list(args)
        self.command = ["gateway"]
        self.env = {**os.environ, **(env or {})}
        self.port = port
        self.log: list[str] = []
        self.process: subprocess.Popen[str] | None = None

    def flags(self) -> list[str]:
        flags = ["--port", str(self.port), "--data-dir", str(self.data_dir)]
        return [*flags, "--config", str(self.config)] if self.command == ["gateway"] else flags

    def start(self) -> "Gateway":
        command = [sys.executable, "-m", "calibrant", *self.command, *self.flags(), *self.args]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=self.env, cwd=self.folder)
        ready = threading.Event()
        self.reader = threading.Thread(target=self._read, args=(self.process, ready), daemon=True)
        self.reader.start()
        if not ready.wait(PATIENCE_S) or not self.port or self.process.poll() is not None:
            self.process.kill()
            self._reap(10)
            raise AssertionError("the gateway did not start:\n" + "".join(self.log))
        return self

    def _read(self, process, ready):
        for line in process.stderr:
            self.log.append(line)
            if found := re.search(r"calibrant gateway on http://[^ ]*:(\d+)", line):
                self.port = int(found[1])
                ready.set()
        ready.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def children(self) -> dict[str, list[int]]:
        """Pids of the processes it started, by kind."""
        found: dict[str, list[int]] = {"worker": [], "recorder": []}
        for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            try:
                line = Path(f"/proc/{pid}/cmdline").read_text()
            except OSError:
                continue
            for kind in found:
                if f"calibrant.app.{kind}" in line:
                    found[kind].append(int(pid))
        return found

    def post(self, path: str, body, **kwargs) -> httpx.Response:
        return httpx.post(self.url + path, json=body, timeout=30, **kwargs)

    def infer(self, body, **kwargs) -> httpx.Response:
        return self.post("/inference", body, **kwargs)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, timeout=30)

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self._reap(60)

    def _reap(self, patience: float) -> int:
        status = self.process.wait(patience)
        self.reader.join(patience)
        self.process.stderr.close()
        return status

    def kill(self) -> None:
        """`kill -9` of everything at once."""
        pids = [pid for kind in self.children().values() for pid in kind]
        self.process.kill()
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._reap(10)
        for pid in pids:
            until(lambda pid=pid: not alive(pid), "a killed process to be gone")

    def rows(self, query: str, *values) -> list[dict]:
        """Rows of the embedded database."""
        path = self.data_dir / "events.db"
        if not path.exists():
            return []
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
        db.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in db.execute(query, values)]
        except sqlite3.OperationalError as error:
            # The recorder is making the database right now.
            if "no such table" in str(error) or "unable to open" in str(error):
                return []
            raise
        finally:
            db.close()

    def inference(self, inference_id: str) -> dict:
        """The stored row of an inference, once the recorder has it."""

        def found():
            rows = self.rows("SELECT * FROM inferences WHERE id = ? AND status != 'running'", inference_id)
            return rows[0] if rows else None

        return until(found, f"inference {inference_id} to be stored")

    def model_inferences(self, inference_id: str) -> list[dict]:
        return self.rows("SELECT * FROM model_inferences WHERE inference_id = ? ORDER BY attempt", inference_id)

    def accounting(self) -> dict:
        return msgspec.json.decode(self.get("/internal/accounting").content)

    def settled(self) -> dict:
        """The accounting, once nothing waits in the spool."""

        def done():
            books = self.accounting()
            # Until the recorder has made the database, there is an error in place of the books.
            return books if books.get("spooled") == 0 else None

        return until(done, "the spool to be drained")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(check, what: str, patience: float = PATIENCE_S):
    """Poll until the check is true, and return what it returned."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if found := check():
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited in vain for {what}")


@contextmanager
def gateway(folder: Path, config: str, *, kind: type[Gateway] = Gateway, **kwargs) -> Iterator[Gateway]:
    """A gateway that runs for the block and ends well."""
    running = kind(folder, config, **kwargs).start()
    try:
        yield running
    finally:
        status = running.stop()
    assert status == 0, f"exit status {status}:\n" + "".join(running.log)
