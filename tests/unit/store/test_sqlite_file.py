"""A small database that several processes have open: none takes the log away from under another."""

import subprocess
import sys
import textwrap
from contextlib import closing

from calibrant.store.sqlite_file import SqliteFile

STEPS = (("CREATE TABLE t (n INTEGER NOT NULL) STRICT",),)
OTHER = """
import sys
from pathlib import Path
from calibrant.store.sqlite_file import SqliteFile
file = SqliteFile(Path(sys.argv[1]), "test", (("CREATE TABLE t (n INTEGER NOT NULL) STRICT",),))
with file.lent("BEGIN IMMEDIATE") as connection:
    connection.execute("INSERT INTO t VALUES (2)")
file.scrub()
file.close()
"""


def numbers(file):
    with file.lent("BEGIN") as connection:
        return [row[0] for row in connection.execute("SELECT n FROM t ORDER BY n")]


def test_another_process_that_ends_leaves_the_log_to_those_who_have_the_file_open(tmp_path):
    path = tmp_path / "t.db"
    with closing(SqliteFile(path, "test", STEPS)) as file:
        with file.lent("BEGIN IMMEDIATE") as connection:
            connection.execute("INSERT INTO t VALUES (1)")
            # A second connection, opened while the first one has the file.
            assert numbers(file) == []
        log = path.with_name("t.db-wal").stat().st_ino
        subprocess.run([sys.executable, "-c", textwrap.dedent(OTHER), str(path)], check=True, timeout=30)
        assert path.with_name("t.db-wal").stat().st_ino == log
        assert numbers(file) == [1, 2]
        with file.lent("BEGIN IMMEDIATE") as connection:
            connection.execute("INSERT INTO t VALUES (3)")
    with closing(SqliteFile(path, "test", STEPS)) as file:
        assert numbers(file) == [1, 2, 3]
