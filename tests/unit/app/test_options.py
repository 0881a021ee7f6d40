from pathlib import Path

import pytest

from calibrant.app.options import Options
from calibrant.base.errors import ConfigError


def test_options_travel_as_one_line():
    options = Options("/d", "sqlite:////x.db", "a\nb*.toml", listen_fd=3, log_format="json")
    line = options.encode()
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert Options.decode(line) == options


def test_everything_stands_in_the_data_folder():
    options = Options("/d")
    assert (options.spool_dir, options.run_dir) == (Path("/d/spool"), Path("/d/run"))
    assert options.database_path == Path("/d/events.db")


@pytest.mark.parametrize(("address", "path"), [("sqlite:///x.db", "x.db"), ("sqlite:////d/x.db", "/d/x.db")])
def test_a_database_is_named_by_its_address(address, path):
    assert Options("/d", address).database_path == Path(path)


@pytest.mark.parametrize("address", ["mysql://user:s3cret@h/d", "clickhouse://s3cret@h"])
def test_a_database_of_another_kind_is_refused_without_its_password(address):
    with pytest.raises(ConfigError, match="cannot be used here") as caught:
        _ = Options("/d", address).database_path
    assert "s3cret" not in caught.value.message


def test_the_data_folder_is_for_its_owner_alone_and_one_that_is_there_is_left_as_it_is(tmp_path):
    for name, mode in (("new", 0o700), ("old", 0o750)):
        folder = tmp_path / "deep" / name
        if name == "old":
            folder.mkdir(mode=0o750)
        Options(data_dir=str(folder)).make_data_dir()
        assert folder.stat().st_mode & 0o777 == mode
