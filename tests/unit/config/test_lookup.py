import pytest

from calibrant.config.lookup import Absent, look_up


def test_what_is_there(tmp_path):
    (tmp_path / "f").write_text("\n value \n")
    environ = {"A": " kept ", "F": str(tmp_path / "f")}
    assert look_up("env::A", environ) == " kept "
    assert look_up(f"path::{tmp_path / 'f'}", environ) == look_up("path_from_env::F", environ) == "value"


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("env::NONE", "the environment variable NONE is not set"),
        ("env::EMPTY", "the environment variable EMPTY is not set"),
        ("path_from_env::NONE", "the environment variable NONE, which should name a file, is not set"),
        ("path_from_env::AWAY", "the file '/nowhere' cannot be read"),
        ("path::/", "the file '/' cannot be read"),
        ("path::/dev/null", "the file '/dev/null' is empty"),
    ],
)
def test_why_there_is_nothing(location, why):
    assert look_up(location, {"EMPTY": "", "AWAY": "/nowhere"}) == Absent(why)


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "f").write_bytes(b"\xff\xfe")
    assert "cannot be read" in look_up(f"path::{tmp_path / 'f'}", {}).why
