"""`calibrant inferences` as its user types it."""

import msgspec
import pyarrow
import pyarrow.parquet
import pytest
from tests.support.records import feedback, inference, model_inference
from tests.support.stores import drained, spooled

from calibrant.base.ids import id_millis
from calibrant.types.rows import Inferred

CONFIG = '[metrics.correct]\ntype = "boolean"\noptimize = "max"\nlevel = "inference"\n'


@pytest.fixture
def rows(tmp_path):
    rows = [
        inference(tags={"user": "1"}, cost="0.25", input=b'"where is the needle"'),
        inference(function_name="draft", variant_name="large", tags={"user": "2"}),
        inference(status="error", error_code="timeout", error_message="too late", output=None),
    ]
    records = [Inferred(row, (model_inference(row.id),)) for row in rows]
    judged = [
        feedback(rows[0].id),
        feedback(rows[0].episode_id, metric_name="comment", kind="comment", level="episode", document=b'"fine"'),
    ]
    spooled(tmp_path / "data" / "spool", *records, *judged)
    drained(tmp_path / "data" / "spool", tmp_path / "data" / "events.db")
    (tmp_path / "calibrant.toml").write_text(CONFIG)
    return rows


@pytest.fixture
def listed(run, rows):
    def ids(*argv):
        status, out, err = run("inferences", "list", "--data-dir", "data", "--json", *argv)
        assert (status, err) == (0, "")
        return [one["inference_id"] for one in msgspec.json.decode(out)["inferences"]]

    return ids


def test_lists(listed, rows):
    first, second, failed = (row.id for row in rows)
    assert listed() == [second, first]
    assert listed("--include-failed", "--limit", "2") == [failed, second]
    assert listed("--function", "extract") == [first]
    assert listed("--variant", "large") == [second]
    assert listed("--episode", rows[0].episode_id) == [first]
    assert listed("--tag", "user=1") == [first]
    assert listed("--since", "2020-01-01", "--until", "2021-01-01T00:00:00Z") == []
    assert listed("--since", "2020-01-01") == [second, first]
    assert listed("--before", second) == [first]
    assert listed("--after", first) == [second]
    judged = '{"type":"boolean_metric","metric_name":"correct","value":true}'
    assert listed("--filters", judged) == [first]
    assert listed("--filters", judged, "--tag", "user=2") == []


def test_a_table(run, rows):
    _, out, _ = run("inferences", "list", "--data-dir", "data", "--include-failed")
    assert rows[0].id in out
    assert "timeout" in out
    assert "0.25" in out
    _, out, _ = run("inferences", "list", "--data-dir", "data", "--function", "nobody")
    assert out == "No such inference is in the record.\n"


def test_a_search_says_what_it_may_have_overlooked(run, rows):
    _, out, err = run("inferences", "list", "--data-dir", "data", "--search", "Needle", "--json")
    assert [one["inference_id"] for one in msgspec.json.decode(out)["inferences"]] == [rows[0].id]
    assert err == "The index of texts is behind by up to 3 inferences; it may have overlooked them.\n"


def test_one_whole(run, rows):
    _, out, _ = run("inferences", "show", rows[0].id, "--data-dir", "data")
    assert "where is the needle" in out
    assert "correct = 1.0" in out
    assert 'comment = "fine"' in out
    _, out, _ = run("inferences", "show", rows[0].id, "--data-dir", "data", "--json")
    shown = msgspec.json.decode(out)
    assert shown["inference"]["inference_id"] == rows[0].id
    assert [call["model_name"] for call in shown["model_inferences"]] == ["m"]
    assert [each["metric_name"] for each in shown["feedback"]] == ["correct", "comment"]
    _, out, _ = run("inferences", "show", rows[2].id, "--data-dir", "data")
    assert "error: timeout: too late" in out
    assert "output: (not kept)" in out


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["list", "--tag", "user"], "KEY=VALUE"),
        (["list", "--filters", "{"], "--filters: it is no JSON"),
        (["list", "--since", "soon"], "--since: 'soon' is no date"),
        (["list", "--filters", '{"type":"boolean_metric","metric_name":"x","value":true}'], "no metric 'x'"),
        (["show", "019c8f00-0000-7000-8000-000000000000"], "the record has no inference"),
    ],
)
def test_mistakes_end_with_a_sentence(run, rows, argv, said):
    status, out, err = run("inferences", *argv, "--data-dir", "data")
    assert (status, out) == (2, "")
    assert said in err


@pytest.fixture
def exported(run, rows, tmp_path):
    def lines(*argv, to="out.jsonl"):
        status, out, err = run("inferences", "export", "--data-dir", "data", "--to", to, *argv)
        assert (status, out) == (0, "")
        assert not list(tmp_path.glob("*.part"))
        return [msgspec.json.decode(line) for line in (tmp_path / to).read_bytes().splitlines()], err

    return lines


def test_an_export(exported, rows):
    (first, second), err = exported()
    assert [first["inference_id"], second["inference_id"]] == [rows[0].id, rows[1].id]
    assert [each["type"] for each in first["feedback"]] == ["boolean", "comment"]
    assert "2 inferences written.\n" in err
    (only,), _ = exported("--function", "draft", "--variant", "large", "--tag", "user=2", "--calls")
    assert only["model_inferences"][0]["model_name"] == "m"
    assert len(exported("--include-failed")[0]) == 3
    judged = '{"type":"boolean_metric","metric_name":"correct","value":true}'
    assert [each["inference_id"] for each in exported("--filters", judged, "--since", "2020-01-01")[0]] == [rows[0].id]
    assert "output" not in exported("--output", "none", "--episode", rows[0].episode_id)[0][0]
    behind = err.split()[-1]
    assert exported("--arrived-after", behind)[0] == []


def test_an_export_to_parquet_is_read_by_its_library(run, rows, tmp_path):
    status, _, err = run(
        "inferences", "export", "--data-dir", "data", "--to", "d.parquet", "--include-failed", "--calls"
    )
    assert status == 0, err
    table = pyarrow.parquet.read_table(tmp_path / "d.parquet")
    assert table.schema.field("timestamp").type == pyarrow.timestamp("ms", tz="UTC")
    assert table.schema.field("input_tokens").type == pyarrow.int64()
    first, second, failed = table.to_pylist()
    assert [each["inference_id"] for each in (first, second, failed)] == [row.id for row in rows]
    assert first["timestamp"].timestamp() == id_millis(rows[0].id) / 1000
    assert (first["cost"], second["cost"], first["input_tokens"], first["function_name"]) == (
        "0.25",
        None,
        7,
        "extract",
    )
    assert (failed["status"], failed["error_code"], failed["output"], first["status"]) == (
        "error",
        "timeout",
        None,
        None,
    )
    assert msgspec.json.decode(first["tags"]) == {"user": "1"}
    assert msgspec.json.decode(first["output"])["raw"] == "x" * 1000
    assert [each["value"] for each in msgspec.json.decode(first["feedback"])] == [True, "fine"]
    assert msgspec.json.decode(first["model_inferences"])[0]["raw_request"] == '{"model":"m"}'


def test_an_export_for_tuning(exported, tmp_path):
    (tmp_path / "any.json").write_text('{"type":"object"}')
    (tmp_path / "calibrant.toml").write_text(
        CONFIG + '[models.m]\nrouting = ["p"]\n[models.m.providers.p]\ntype = "openai"\nmodel_name = "gpt"\n'
        'api_key_location = "none"\n[functions.draft]\ntype = "json"\noutput_schema = "any.json"\n'
        'variants.large = { type = "chat_completion", model = "m", system_template = "s.minijinja", '
        'json_mode = "on" }\n'
    )
    (tmp_path / "s.minijinja").write_text("You draft.")
    (line,), err = exported("--format", "chat")
    assert [each["role"] for each in line["messages"]] == ["system", "assistant"]
    assert line["messages"][0]["content"] == "You draft."
    assert "1 inferences written; 1 left out, the first since inference " in err
    assert exported("--format", "preference")[0] == []


def test_exports_that_are_refused(run, rows):
    for argv, said in (
        (("--format", "parquet"), "wants a file: name it"),
        (("--format", "csv"), "--format: 'csv' is none of inferences, parquet, chat, preference"),
        (("--output", "best"), "output_source"),
        (("--tag", "x"), "write KEY=VALUE"),
        (("--to", "no/where.jsonl"), "No such file"),
        (("--format", "chat", "--function", "f", "--render-with", "v"), "Unknown function: 'f'"),
    ):
        status, out, err = run("inferences", "export", "--data-dir", "data", *argv)
        assert (status, out) == (2, "") and said in err, (argv, err)
    status, out, _ = run("inferences", "export", "--data-dir", "data")
    assert status == 0 and len(out.splitlines()) == 2
