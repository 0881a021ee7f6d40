import sys

import pytest

from calibrant.cli.main import main


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run a command in an empty folder; return its status, what it printed, and what it said on standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("NO_COLOR", "1")
    for name in ("CONFIG", "DATABASE", "DATA_DIR", "WORKERS", "GATEWAY_BIND_ADDRESS"):
        for prefix in ("CALIBRANT", "TENSORZERO"):
            monkeypatch.delenv(f"{prefix}_{name}", raising=False)

    def _run(*argv):
        monkeypatch.setattr(sys, "argv", ["calibrant", *map(str, argv)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return _run
