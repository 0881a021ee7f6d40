"""`calibrant cost` as its user types it."""

import msgspec
import pytest
from tests.support.records import inference, model_inference
from tests.support.stores import drained, spooled

from calibrant.types.rows import Inferred

CONFIG = (
    '[models.m]\nrouting = ["p"]\n[models.m.providers.p]\ntype = "openai"\nmodel_name = "gpt-4o"\n'
    'api_base = "http://127.0.0.1:9/v1"\napi_key_location = "none"\n'
    'cost = [{ pointer = "/usage/prompt_tokens", cost_per_million = 2.5 }]\n'
)


@pytest.fixture
def data(tmp_path):
    row = inference()
    call = model_inference(row.id, input_tokens=7, raw_response=b'{"usage":{"prompt_tokens":7}}')
    spooled(tmp_path / "data" / "spool", Inferred(row, (call,)))
    drained(tmp_path / "data" / "spool", tmp_path / "data" / "events.db")
    (tmp_path / "calibrant.toml").write_text(CONFIG)
    return tmp_path / "data"


def test_a_dry_run_then_the_real_one(run, data):
    status, out, err = run("cost", "recompute", "--dry-run", "--data-dir", data)
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        "1 calls: 1 would change, 0 are right, 0 keep a cost that cannot be worked out now, 0 are of unknown cost",
        "1 inferences would change; known costs: 0 before, 0.0000175 after",
    ]
    assert "1 changed" in run("cost", "recompute", "--data-dir", data)[1]
    _, out, _ = run("cost", "recompute", "--data-dir", data, "--json")
    assert msgspec.json.decode(out) == {
        "calls": 1,
        "changed": 0,
        "unchanged": 1,
        "kept": 0,
        "unknown": 0,
        "inferences": 0,
        "before": "0.0000175",
        "after": "0.0000175",
    }


def test_sums(run, data):
    run("cost", "recompute", "--data-dir", data)
    _, out, _ = run("cost", "show", "--data-dir", data)
    assert "0.0000175" in out and " m " in out
    _, out, _ = run("cost", "show", "--data-dir", data, "--json", "--until", "2020-01-01")
    assert msgspec.json.decode(out) == []
    _, out, _ = run("cost", "show", "--data-dir", data, "--since", "2020-01-01T00:00:00+02:00")
    assert "0.0000175" in out


def test_what_is_no_date_is_a_sentence(run, data):
    status, _, err = run("cost", "show", "--data-dir", data, "--since", "yesterday")
    assert status == 2 and "--since: 'yesterday' is no date" in err


def test_without_a_database_it_says_so(run, tmp_path):
    status, _, err = run("cost", "show", "--data-dir", tmp_path / "none")
    assert status == 2 and "events.db" in err
