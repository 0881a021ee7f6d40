import subprocess
import sys

WORKER = (
    "frame",
    "segments",
    "spool",
    "status",
    "payload",
    "base",
    "tables",
    "sqlite_reader",
    "accounting",
    "linking",
    "catalogue",
    "sql_catalogue",
    "sqlite_catalogue",
)


def test_a_worker_loads_no_sql_toolkit():
    names = ", ".join(f"calibrant.store.{name}" for name in WORKER)
    code = f"import sys, {names}; print([name for name in ('sqlalchemy', 'alembic') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
