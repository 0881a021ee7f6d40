"""The price table of a host: made once, by one process, and by nobody who serves."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from calibrant.app import prices
from calibrant.app.prices import read_prices


@pytest.fixture
def made(monkeypatch):
    """Count how often it is made."""
    runs = []
    run = subprocess.run

    def counted(*args, **options):
        runs.append(args)
        return run(*args, **options)

    monkeypatch.setattr(prices.subprocess, "run", counted)
    return runs


def files(folder):
    return sorted(path.name for path in folder.glob("prices-*.json"))


def test_it_is_made_once_and_old_ones_go(tmp_path, made):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "prices-0.0.1-1.json").write_text("{}")
    first = read_prices(folder)
    assert first.version.startswith("genai-prices/")
    assert first.find("openai", "gpt-4o")[0].id == "gpt-4o"
    assert read_prices(folder).version == first.version
    assert len(made) == len(files(folder)) == 1


def test_many_who_miss_it_have_it_made_once(tmp_path, made):
    with ThreadPoolExecutor(4) as pool:
        tables = list(pool.map(read_prices, [tmp_path] * 4))
    assert len({table.version for table in tables}) == len(made) == 1


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"version":', b"\xff"])
def test_a_damaged_one_is_made_again(tmp_path, made, damage, caplog):
    read_prices(tmp_path)
    (name,) = files(tmp_path)
    (tmp_path / name).write_bytes(damage)
    assert read_prices(tmp_path) is not None
    assert len(made) == 2 and "unreadable" in caplog.text


def test_without_room_for_the_file_it_is_there_all_the_same(tmp_path, monkeypatch):
    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(prices, "_keep", full)
    assert read_prices(tmp_path) is not None


@pytest.mark.parametrize(
    "fault",
    [
        OSError("no process"),
        subprocess.TimeoutExpired("x", 1),
        subprocess.CalledProcessError(1, "x", stderr=b"ImportError"),
        subprocess.CompletedProcess("x", 0, b"nonsense"),
    ],
)
def test_where_it_cannot_be_made_there_is_none_and_the_log_says_so(tmp_path, monkeypatch, caplog, fault):
    def run(*_args, **_options):
        if isinstance(fault, Exception):
            raise fault
        return fault

    monkeypatch.setattr(prices.subprocess, "run", run)
    assert read_prices(tmp_path) is None
    assert "costs without a rule are unknown" in caplog.text


def test_whoever_reads_it_loads_nothing_heavy(tmp_path):
    code = (
        f"import sys, pathlib\nfrom calibrant.app.prices import read_prices\n"
        f"assert read_prices(pathlib.Path({str(tmp_path)!r})).find('anthropic', 'claude-sonnet-4-5')\n"
        "print(sorted({'pydantic', 'httpx2', 'genai_prices', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
