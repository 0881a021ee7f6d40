"""`calibrant import tensorzero` as a process: killed in the middle, and run again."""

import signal
import sqlite3
import subprocess
import sys
import time

import clickhouse_connect
import msgspec
import pytest
from tests.support.clickhouse import clickhouse_server
from tests.support.tensorzero import ClickHouseTensorZero, a_call, a_chat, fill, postgres_tensorzero

ROWS = 3_000


@pytest.fixture
def folder(tmp_path):
    """A data folder, beside a configuration that keeps payloads for ever."""
    (tmp_path / "keep.toml").write_text("[retention]\npayload_days = 0\n")
    return tmp_path / "data"


def command(folder, *arguments, config="keep.toml"):
    place = ["--data-dir", str(folder), "--config", str(folder.parent / config)]
    return [sys.executable, "-m", "calibrant", "import", "tensorzero", *place, *arguments]


def stored(folder):
    try:
        with sqlite3.connect(f"{(folder / 'events.db').as_uri()}?mode=ro", uri=True) as file:
            return file.execute("SELECT count(*) FROM inferences").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


@pytest.mark.slow
def test_what_was_killed_goes_on(folder):
    with postgres_tensorzero() as source:
        fill(source, chats=0)
        rows = [a_chat(number) for number in range(ROWS)]
        source.add("chat_inferences", *rows)
        source.add("model_inferences", *(a_call(row) for row in rows[:1000]))
        process = subprocess.Popen(
            command(folder, "--postgres", source.url), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while not stored(folder) and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait(30) == -signal.SIGKILL
        before = stored(folder)
        assert 0 < before < ROWS
        done = subprocess.run(
            command(folder, "--postgres", source.url, "--json"), capture_output=True, text=True, timeout=120, check=True
        )
        report = msgspec.json.decode(done.stdout)
        counts = {each["table"]: each for each in report["tables"]}
        assert (counts["chat_inferences"]["here"], counts["chat_inferences"]["source"]) == (ROWS, ROWS)
        assert counts["chat_inferences"]["added"] == ROWS - before
        assert (counts["model_inferences"]["here"], counts["model_inferences"]["source"]) == (1002, 1002)
        assert stored(folder) == ROWS + 2
        with sqlite3.connect(folder / "events.db") as file:
            assert file.execute("SELECT count(*) FROM model_inferences").fetchone()[0] == 1002


@pytest.mark.slow
def test_clickhouse_over_http_and_a_table_for_people(folder):
    with clickhouse_server() as address:
        source = ClickHouseTensorZero(lambda: clickhouse_connect.get_client(dsn=f"{address}/default"))
        fill(source)
        done = subprocess.run(
            command(folder, "--clickhouse", f"{address}/default"),
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
    assert "chat_inferences" in done.stdout
    assert "dicl_examples" in done.stdout and "workflow_evaluation_runs" in done.stdout
    assert stored(folder) == 8


@pytest.mark.slow
def test_what_retention_would_drop_is_not_imported_unasked(folder):
    (folder.parent / "short.toml").write_text("[retention]\npayload_days = 30\n")
    with postgres_tensorzero() as source:
        fill(source)
        asked = command(folder, "--postgres", source.url, config="short.toml")
        done = subprocess.run(asked, capture_output=True, text=True, timeout=60)
        assert done.returncode == 2
        assert "retention.payload_days = 30" in done.stderr
        assert stored(folder) == 0
        subprocess.run([*asked, "--past-retention"], capture_output=True, timeout=60, check=True)
        assert stored(folder) == 8


def test_one_source_has_to_be_named(folder):
    done = subprocess.run(command(folder), capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--postgres URL" in done.stderr
