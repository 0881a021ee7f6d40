"""A dataset sealed and candidates confirmed as a user does it, in a world of known truth."""

import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import httpx2 as httpx
import msgspec
import pytest
from tests.support.gateway import gateway

from calibrant.demo.simlm.calibrate import calibrated
from calibrant.demo.simlm.parameters import Model, Parameters, Rule
from calibrant.demo.simlm.server import serve_in_thread
from calibrant.demo.simlm.world import World
from calibrant.store.sqlite_catalogue import SqliteCatalogue

pytestmark = pytest.mark.slow

ITEMS = 160
TOML = """
[models.simlm]
routing = ["p"]
[models.simlm.providers.p]
type = "openai"
model_name = "simlm"
api_base = "URL"
api_key_location = "none"
[models.silent]
routing = ["p"]
[models.silent.providers.p]
type = "openai"
model_name = "silent"
api_base = "http://127.0.0.1:PORT/v1/"
api_key_location = "none"
[functions.sort]
type = "chat"
[functions.sort.variants]
plain = { type = "chat_completion", model = "simlm", temperature = 0, system_template = "plain.minijinja" }
same = { type = "chat_completion", model = "simlm", temperature = 0, system_template = "same.minijinja" }
careful = { type = "chat_completion", model = "simlm", temperature = 0, system_template = "careful.minijinja" }
copied = { type = "chat_completion", model = "simlm", temperature = 0, system_template = "copied.minijinja" }
hung = { type = "chat_completion", model = "silent" }
"""
EVALUATOR = """
def right(item, output):
    return output[0].text.split()[-1] == item.output[0].text
"""


@pytest.fixture(scope="module")
def world():
    # Of these 160 items "same" happens to get some less right than "plain", so that luck alone passes nothing.
    bare = Parameters(seed=10, rules={"steps": Rule(phrase="step by step")}, models={"simlm": Model()}, cluster_size=1)
    return World(calibrated(bare, accuracy=0.5, effects={"steps": 0.45}))


@pytest.fixture(scope="module")
def running(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("confirm")
    prompts = {"plain": "You sort wood.", "same": "You sort wood, always.", "careful": "You sort. Think step by step."}
    prompts["copied"] = f"You sort. Think step by step. Once: {world.text(5003)}"
    for name, text in prompts.items():
        (folder / f"{name}.minijinja").write_text(text)
    (folder / "mine.py").write_text(EVALUATOR)
    # Whoever asks this one waits for as long as the test wants.
    with socket.create_server(("127.0.0.1", 0)) as silent, serve_in_thread(world, 0) as url:
        toml = TOML.replace("URL", str(url)).replace("PORT", str(silent.getsockname()[1]))
        with gateway(folder, toml) as started:
            yield started


def calibrant(running, *args):
    command = [sys.executable, "-m", "calibrant", *args, "--data-dir", str(running.data_dir)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=running.folder, env=running.env)


def points(world, numbers):
    def one(item):
        said = {"messages": [{"role": "user", "content": world.text(item)}]}
        answer = [{"type": "text", "text": world.answer(item)}]
        return {"type": "chat", "function_name": "sort", "input": said, "output": answer}

    return {"datapoints": [one(item) for item in numbers]}


@pytest.fixture(scope="module")
def sealed(world, running):
    assert running.post("/v1/datasets", {"name": "wood", "group_by": "datapoint"}).status_code == 200
    made = running.post("/v1/datasets/wood/datapoints", points(world, range(ITEMS // 2)))
    assert made.status_code == 200, made.text
    done = calibrant(running, "dataset", "seal", "wood", "--train", "0", "--val", "0", "--sealed", "100", "--json")
    assert done.returncode == 0, done.stderr
    later = running.post("/v1/datasets/wood/datapoints", points(world, range(ITEMS // 2, ITEMS)))
    assert later.status_code == 200, later.text
    return running


def holdout(running):
    found = httpx.get(f"{running.url}/v1/datasets/wood/holdout")
    assert found.status_code == 200, found.text
    return found.json()


def counts(running):
    return {each["split"]: each["datapoints"] for each in holdout(running)["splits"]}


def confirm(running, candidate, *args):
    flags = ("--function", "sort", "--incumbent", "plain", "--candidate", candidate, "--config", str(running.config))
    return calibrant(running, "confirm", "wood", *flags, "--python", "mine.py:right", "--boolean", "--json", *args)


def test_a_list_says_that_it_is_there_and_nothing_more(world, sealed):
    listed = sealed.post("/v1/datasets/wood/list_datapoints", {"limit": 200}).json()["datapoints"]
    assert {each["split"] for each in listed} == {"sealed"}
    assert all(each["input"] == {"messages": []} and not each.get("output") for each in listed)
    files = b"".join(path.read_bytes() for path in sealed.data_dir.glob("catalogue.db*"))
    assert world.text(3).splitlines()[2].encode() not in files
    assert (sealed.data_dir / "sealed.db").stat().st_mode & 0o777 == 0o600


def test_one_that_is_no_better_fails_and_one_that_is_passes_on_other_cases(sealed):
    before = counts(sealed)["sealed"]
    same = confirm(sealed, "same", "--claimed-gain", "0.5")
    assert same.returncode == 1, same.stderr
    failed = msgspec.json.decode(same.stdout)
    assert failed["status"] == "failed" and failed["failures"] == [0, 0] and failed["number"] == 1
    careful = confirm(sealed, "careful", "--claimed-gain", "0.5", "--items", "80")
    assert careful.returncode == 0, careful.stderr
    passed = msgspec.json.decode(careful.stdout)
    low, high = passed["interval"]
    assert passed["status"] == "passed" and low <= 0.45 <= high
    assert counts(sealed)["sealed"] == before - failed["items"] - passed["items"]
    status = calibrant(sealed, "holdout", "status", "wood")
    assert status.returncode == 0 and "is whole" in status.stdout and "passed" in status.stdout
    # Nothing of it is in the record.
    record = sealed.post("/v1/inferences/list_inferences", {"function_name": "sort"}).json()
    assert record["inferences"] == []


def test_the_api_refuses_with_what_is_missing_and_says_what_was_confirmed(sealed):
    asked = {
        "dataset_name": "wood",
        "function_name": "sort",
        "incumbent": "same",
        "candidate": "plain",
        "evaluator": "exact_match",
        "claimed_gain": 0.05,
    }
    refused = sealed.post("/v1/confirmations", asked)
    assert refused.status_code == 409, refused.text
    assert "are missing" in refused.json()["error"]
    wrong = sealed.post("/v1/confirmations", asked | {"candidate": "none"})
    assert wrong.status_code == 404, wrong.text
    unknown = sealed.post("/v1/confirmations", asked | {"evaluator": "none"})
    assert unknown.status_code == 404, unknown.text
    assert sealed.post("/v1/confirmations", asked | {"alpha": 0.4}).status_code == 400
    # Words that are not the whole answer match exactly for neither: equal, so it does not pass.
    done = sealed.post("/v1/confirmations", asked | {"claimed_gain": 0.9, "alpha": 0.005})
    assert done.status_code == 200 and done.json()["status"] == "failed", done.text
    listed = httpx.get(f"{sealed.url}/v1/confirmations").json()["confirmations"]
    assert listed[0] == done.json()
    shown = httpx.get(f"{sealed.url}/v1/confirmations/{listed[0]['id']}").json()
    assert shown == done.json()
    assert holdout(sealed)["broken_at"] is None


def test_a_prompt_that_copied_a_case_takes_it_out_of_the_seal(world, sealed):
    more = sealed.post("/v1/datasets/wood/datapoints", points(world, range(5000, 5150)))
    assert more.status_code == 200
    done = confirm(sealed, "copied", "--claimed-gain", "0.6", "--alpha", "0.004")
    assert done.returncode in (0, 1), done.stderr
    found = calibrant(sealed, "holdout", "status", "wood", "--json")
    assert msgspec.json.decode(found.stdout)["broken_at"] is None


def one_that_runs(running, alive):
    """Return the confirmation that runs, as soon as there is one."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and alive():
        listed = httpx.get(f"{running.url}/v1/confirmations").json()["confirmations"]
        found = [each for each in listed if each["status"] == "running"]
        if found:
            return found[0]
        time.sleep(0.02)
    raise AssertionError("it ended before it could be killed")


def shown(running, confirmation_id):
    one = httpx.get(f"{running.url}/v1/confirmations/{confirmation_id}").json()
    listed = httpx.get(f"{running.url}/v1/confirmations").json()["confirmations"]
    assert one in listed
    return one


def test_killed_in_the_middle_it_has_spent_what_it_took_and_counts_as_abandoned(world, sealed):
    more = sealed.post("/v1/datasets/wood/datapoints", points(world, range(9000, 9100)))
    assert more.status_code == 200
    before = holdout(sealed)
    flags = ["confirm", "wood", "--function", "sort", "--incumbent", "same", "--candidate", "hung"]
    flags += ["--config", str(sealed.config), "--claimed-gain", "0.8", "--alpha", "0.001", "--concurrency", "1"]
    flags += ["--python", "mine.py:right", "--boolean", "--data-dir", str(sealed.data_dir)]
    process = subprocess.Popen([sys.executable, "-m", "calibrant", *flags], cwd=sealed.folder, stderr=subprocess.PIPE)
    try:
        running = one_that_runs(sealed, lambda: process.poll() is None)
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.communicate(timeout=20)
    after = holdout(sealed)
    assert after["budgets"][0]["spent"] == pytest.approx(before["budgets"][0]["spent"] + 0.001)
    assert after["budgets"][0]["fresh_items"] == before["budgets"][0]["fresh_items"] - running["items"]
    assert shown(sealed, running["id"])["status"] == "running"
    # Two minutes later, as far as the lease is concerned.
    with closing(SqliteCatalogue(sealed.data_dir / "catalogue.db")) as catalogue, catalogue.transaction() as tx:
        until = tx.confirmation_leases()[running["id"]]
        tx.release_confirmation(running["id"])
        tx.lease_confirmation(running["id"], until - 150_000)
    assert shown(sealed, running["id"]) == running | {"status": "abandoned"}
    status = calibrant(sealed, "holdout", "status", "wood")
    assert status.returncode == 0 and "abandoned" in status.stdout and "running" not in status.stdout
    assert holdout(sealed)["splits"] == after["splits"]


def confirming_processes(running):
    """Return the pids of the processes that confirm something for this gateway's workers."""
    workers = running.children()["worker"]
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if parent in workers and "calibrant.app.confirming" in (path / "cmdline").read_text():
                found.append(int(path.name))
    return found


def test_a_gateway_whose_confirming_process_is_killed_says_so_at_once(sealed):
    before = counts(sealed)
    asked = {
        "dataset_name": "wood",
        "function_name": "sort",
        "incumbent": "plain",
        "candidate": "hung",
        "evaluator": "exact_match",
        "claimed_gain": 0.9,
        "alpha": 0.001,
        "concurrency": 1,
    }
    with ThreadPoolExecutor(1) as threads:
        answered = threads.submit(httpx.post, f"{sealed.url}/v1/confirmations", json=asked, timeout=60)
        running = one_that_runs(sealed, lambda: not answered.done())
        (pid,) = confirming_processes(sealed)
        os.kill(pid, signal.SIGKILL)
        told = answered.result()
    assert told.status_code == 500 and "was killed by signal 9, and it is abandoned" in told.json()["error"]
    assert running["id"] in told.json()["error"]
    ended = shown(sealed, running["id"])
    # The one whose command line was killed above was written when this one began.
    assert ended["status"] == "abandoned" and ended["ended_at"] is not None
    listed = httpx.get(f"{sealed.url}/v1/confirmations").json()["confirmations"]
    assert [each["status"] for each in listed[:2]] == ["abandoned", "abandoned"] and listed[1]["ended_at"] is not None
    # What one of them had read is in `val`, and that of the other too.
    read = listed[0]["items"] + listed[1]["items"]
    assert counts(sealed)["val"] == before["val"] + read
    assert holdout(sealed)["broken_at"] is None


def test_an_admin_reveals_and_what_was_revealed_has_left_the_seal(world, sealed):
    listed = sealed.post("/v1/datasets/wood/list_datapoints", {"limit": 500}).json()["datapoints"]
    one = next(each["id"] for each in listed if each["split"] == "sealed")
    shown = sealed.post("/v1/datasets/wood/reveal", {"ids": [one]}).json()["datapoints"][0]
    assert shown["split"] == "train" and shown["output"] and "Which is right" in str(shown["input"])
    assert sealed.post("/v1/datasets/wood/reveal", {"ids": ["none"]}).status_code == 404
    again = sealed.post("/v1/datasets/wood/get_datapoints", {"ids": [one]}).json()["datapoints"][0]
    assert again["output"] == shown["output"]
