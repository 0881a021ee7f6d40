"""Every block of the README is run: what it shows works, as it stands there."""

import os
import re
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import trustme
from tests.support.gateway import Gateway
from tests.support.tunnel import tunnel_to

from calibrant.testing.faults import Answer, Script
from calibrant.testing.upstream import run_upstream

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def blocks(kind: str, marker: str = "") -> list[str]:
    return [text for language, text in BLOCKS if language == kind and marker in text]


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    """`calibrant up` in an empty folder, with a key for an OpenAI that is ours."""
    folder = tmp_path_factory.mktemp("readme")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("api.openai.com").configure_cert(context)
    with (
        run_upstream(Script(answer=Answer(text="From OpenAI.")), ssl_context=context) as openai,
        tunnel_to(openai.port) as proxy,
    ):
        env = {
            "OPENAI_API_KEY": "sk-test",
            "HTTPS_PROXY": proxy,
            "NO_PROXY": "127.0.0.1",
            "CALIBRANT_CA_BUNDLE": str(folder / "ca.pem"),
        }
        running = Gateway(folder, "", env=env)
        running.command = ["up"]
        running.config.unlink()
        running.start()
        try:
            yield running
        finally:
            assert running.stop() == 0


def run(command: list[str], running: Gateway, text: str) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [*command, text.replace("localhost:3000", f"127.0.0.1:{running.port}")],
        capture_output=True,
        text=True,
        timeout=50,
        cwd=running.folder,
        env={**os.environ, "PATH": path},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_two_commands_are_targets_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    (block,) = blocks("bash", "make run")
    for command in re.findall(r"^make (\w+)", block, re.MULTILINE):
        assert f"\n{command}:" in makefile


def test_the_first_question_gets_a_sensible_answer(up):
    (block,) = blocks("bash", '"assistant"')
    answer = msgspec.json.decode(run(["bash", "-c"], up, block))
    assert "gateway" in answer["content"][0]["text"]


def test_with_a_key_the_same_call_goes_to_openai(up):
    (block,) = blocks("bash", "openai::gpt-4o-mini")
    answer = msgspec.json.decode(run(["bash", "-c"], up, block))
    assert answer["content"][0]["text"] == "From OpenAI."
    assert up.inference(answer["inference_id"])["status"] == "ok"


@pytest.mark.parametrize("block", blocks("python"), ids=["openai", "anthropic", "feedback", "tensorzero"])
def test_the_python_blocks(up, block):
    assert run([sys.executable, "-c"], up, block).strip()


def test_the_configuration_is_one(tmp_path):
    (block,) = blocks("toml")
    models = "\n".join(
        f'[models.{name}]\nrouting = ["p"]\n[models.{name}.providers.p]\ntype = "openai"\nmodel_name = "m"\n'
        'api_base = "http://127.0.0.1:9/v1"\napi_key_location = "none"'
        for name in ("gazetteer", "perceptron")
    )
    (tmp_path / "calibrant.toml").write_text(f"{models}\n{block}")
    (tmp_path / "entities.json").write_text('{"type": "object"}')
    done = subprocess.run(
        [sys.executable, "-m", "calibrant", "check", "--config", "calibrant.toml"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "1 functions, 2 models, 1 metrics" in done.stdout


def test_the_demonstration_shows_both_variants_with_intervals(up, tmp_path):
    assert blocks("bash", "calibrant demo ner") == ["calibrant demo ner\n"]
    done = subprocess.run(
        [sys.executable, "-m", "calibrant", "demo", "ner"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=50,
        env={**os.environ, "COLUMNS": "160"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line for line in done.stdout.splitlines() if re.search(r"│ (gazetteer|perceptron) ", line)]
    assert len(rows) == 6  # the figures, exact_match and entity_f1, of two variants each
    assert re.search(r"0\.\d{3} to 0\.\d{3}", done.stdout)
    assert "100% of" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_moving_over_is_starting_in_the_folder_of_the_configuration(tmp_path):
    assert blocks("bash", "config/tensorzero.toml") == ["calibrant gateway --config config/tensorzero.toml\n"]
    shutil.copytree(ROOT / "examples" / "ner", tmp_path / "config")
    (tmp_path / "config" / "calibrant.toml").rename(tmp_path / "config" / "tensorzero.toml")
    running = Gateway(tmp_path, "")
    running.config.unlink()
    running.config = Path("config/tensorzero.toml")
    running.start()
    assert running.get("/status").json()["status"] == "ok"
    assert running.stop() == 0


def test_every_page_that_the_readme_names_is_there():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if "://" not in target:
            assert (ROOT / target).exists(), target
