"""`calibrant simlm`: the flags make the world, which is printed before anything is served."""

import os
import signal
import subprocess
import sys
import urllib.request

import msgspec
import pytest

PRESENT = "purpose"


def described(run, *argv) -> dict:
    status, out, err = run("simlm", "--describe", *argv)
    assert (status, err) == (0, "")
    return msgspec.json.decode(out)


def test_the_built_in_world(run):
    found = described(run)
    assert "never evidence" in found[PRESENT]
    assert found["truth"] == {
        "accuracy": 0.7,
        "icc": 0.1,
        "effects": {"steps": 0.08, "units": 0.04, "expert": 0.0, "hurry": -0.05},
    }


def test_flags_stand_in_the_place_of_the_file(run, tmp_path):
    (tmp_path / "w.toml").write_text('seed = 4\nrules.r.phrase = "please"\n[target]\naccuracy = 0.6\nicc = 0.2\n')
    argv = ["--config", "w.toml", "--seed", 7, "--accuracy", 0.8, "--effect", "r=0.05", "--icc", 0.05, "--drift", -0.5]
    argv += ["--change-at", 50, "--change-shift", -1, "--change-shown", "model", "--latency-ms", 20]
    found = described(run, *argv)
    assert found["truth"] == {"accuracy": 0.8, "icc": 0.05, "effects": {"r": 0.05}}
    world = found["parameters"]
    assert (world["seed"], world["drift"]["slope"], world["latency"]["first_ms"]) == (7, -0.5, 20)
    assert world["changes"] == [{"at": 50.0, "shift": -1.0, "factor": 1.0, "shown": "model"}]


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--effect", "steps"], "--effect: 'steps' is not RULE=POINTS"),
        (["--effect", "none=0.1"], "the built-in world: effects: no rule 'none'"),
        (["--config", "none.toml"], "none.toml: No such file"),
        (["--accuracy", "2"], "accuracy: must be between 0 and 1"),
        (["--drift", "nan"], "slope: must be a number"),
        (["--change-at", "1", "--change-shown", "everywhere"], "Invalid enum value 'everywhere'"),
    ],
)
def test_a_mistake_is_said(run, argv, says):
    status, out, err = run("simlm", *argv)
    assert (status, out) == (2, "") and err.startswith("calibrant: ") and says in err


def test_it_serves_until_it_is_told_to_stop():
    command = [sys.executable, "-m", "calibrant", "simlm", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        base = process.stderr.readline().split()[-1]
        world = process.stderr.readline().strip()
        with urllib.request.urlopen(base.removesuffix("v1") + "simlm", timeout=10) as answer:
            assert answer.read().decode() == world
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(timeout=20) == 0
        rest = process.stderr.read()
    assert f'api_base = "{base}"' in rest and "Traceback" not in rest
