"""The table of commands, and what a person did wrong."""

import pytest

import calibrant

COMMANDS = ["up", "gateway", "recorder", "check", "stats", "version", "spool", "demo", "simlm"]


def test_the_version(run):
    assert run("version") == (0, f"{calibrant.__version__}\n", "")


@pytest.mark.parametrize("argv", [("--help",), ("-h",)])
def test_help_names_every_command(run, argv):
    status, out, _ = run(*argv)
    assert status == 0
    assert all(f" {command} " in out for command in COMMANDS)


def test_without_a_command_there_is_help(run):
    status, out, err = run()
    assert status == 2
    assert "gateway" in out + err


@pytest.mark.parametrize("command", [*([name] for name in COMMANDS), ["spool", "status"], ["spool", "quarantine"]])
def test_every_command_explains_itself(run, command):
    status, out, _ = run(*command, "--help")
    assert status == 0
    assert len(out) > 100


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        (
            "gateway",
            ["--config", "--config-file", "--default-config", "--host", "--port", "--bind-address", "--workers"],
        ),
        ("gateway", ["--database", "--data-dir", "--no-recorder", "--log-format"]),
        ("up", ["--config", "--host", "--port", "--workers", "--database", "--data-dir", "--log-format"]),
        ("recorder", ["--config", "--database", "--data-dir", "--log-format"]),
        ("stats", ["--function", "--config", "--database", "--data-dir", "--json"]),
    ],
)
def test_a_command_lists_its_flags(run, command, flags):
    _, out, _ = run(command, "--help")
    assert [flag for flag in flags if flag not in out] == []


@pytest.mark.parametrize("argv", [("nope",), ("gateway", "--nope"), ("stats",), ("gateway", "--workers", "0")])
def test_what_the_command_line_does_not_know_ends_with_2(run, argv):
    status, out, err = run(*argv)
    assert status == 2
    assert "Usage" in err
    assert out == ""


@pytest.mark.parametrize("command", ["gateway", "up", "recorder"])
def test_an_unknown_log_format_is_refused(run, command):
    argv = [] if command != "up" else ["--config", "none.toml"]
    status, _, err = run(command, *argv, "--log-format", "xml")
    assert (status, err) == (2, "calibrant: --log-format: 'xml' is neither pretty nor json\n")


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--bind-address", "127.0.0.1:1", "--host", "h"], "give it alone"),
        (["--bind-address", "127.0.0.1:1", "--port", "1"], "give it alone"),
        (["--bind-address", "3000"], "'3000' is no address"),
        (["--bind-address", "h:99999"], "'h:99999' is no address"),
        (["--bind-address", "::1:3000"], "wants brackets"),
        (["--database", "mysql://u:s3cret@h/d"], "'mysql' cannot be used here"),
        (
            ["--database", "postgresql://u:s3cret@127.0.0.1:1/d"],
            "postgresql://127.0.0.1:1/d: connection failed",
        ),
        (["--config", "nope.toml"], "nope.toml"),
    ],
)
def test_flags_that_cannot_be_used_are_refused_before_anything_starts(run, tmp_path, flags, says):
    status, _, err = run("gateway", *flags)
    assert status == 2
    assert says in err
    assert "s3cret" not in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
