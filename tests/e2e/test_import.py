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


def command(folder, *arguments):
    return [sys.executable, "-m", "calibrant", "import", "tensorzero", "--data-dir", str(folder), *arguments]


def stored(folder):
    try:
        with sqlite3.connect(f"{(folder / 'events.db').as_uri()}?mode=ro", uri=True) as file:
            return file.execute("SELECT count(*) FROM inferences").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


@pytest.mark.slow
def test_what_was_killed_goes_on(tmp_path):
    with postgres_tensorzero() as source:
        fill(source, chats=0)
        rows = [a_chat(number) for number in range(ROWS)]
        source.add("chat_inferences", *rows)
        source.add("model_inferences", *(a_call(row) for row in rows[:1000]))
        folder = tmp_path / "data"
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
def test_clickhouse_over_http_and_a_table_for_people(tmp_path):
    with clickhouse_server() as address:
        source = ClickHouseTensorZero(lambda: clickhouse_connect.get_client(dsn=f"{address}/default"))
        fill(source)
        done = subprocess.run(
            command(tmp_path, "--clickhouse", f"{address}/default"),
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
    assert "chat_inferences" in done.stdout
    assert "dicl_examples" in done.stdout
    assert stored(tmp_path) == 8


def test_one_source_has_to_be_named(tmp_path):
    done = subprocess.run(command(tmp_path), capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--postgres URL" in done.stderr
