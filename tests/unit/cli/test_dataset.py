"""`calibrant dataset`, as its user types it."""

import random
import string
import sys
from contextlib import closing

import msgspec
import pytest
from msgspec.structs import replace
from tests.support.records import feedback, inferred

from calibrant.cli.flags import DEFAULT_DATA_DIR
from calibrant.client import DatasetInfo, GetDatapointsResponse
from calibrant.datasets import holdout
from calibrant.datasets.editing import Actor
from calibrant.datasets.reader import DatasetReader
from calibrant.replay.samples import of_datapoint
from calibrant.store.base import Batch, Entry
from calibrant.store.frame import encode_frame, scan
from calibrant.store.sqlite import SqliteEvents
from calibrant.store.sqlite_catalogue import SqliteCatalogue
from calibrant.types.datapoint import DatapointQuery
from calibrant.types.split import Shares
from calibrant.wire.datapoint_answer import encode_datapoint, encode_datapoints

CONFIG = """
[models.m]
routing = ["p"]
[models.m.providers.p]
type = "openai"
model_name = "gpt"
api_key_location = "none"

[functions.chat]
type = "chat"
variants.v = { type = "chat_completion", model = "m", templates.greet.path = "greet.minijinja" }
schemas.greet.path = "greet.json"

[functions.extract]
type = "json"
output_schema = "any.json"
variants.small = { type = "chat_completion", model = "m", json_mode = "strict" }
"""
POINT = {
    "type": "chat",
    "function_name": "chat",
    "input": {"system": "Be brief.", "messages": [{"role": "user", "content": "Hello"}]},
    "output": [{"type": "text", "text": "Hi."}],
    "tags": {"user": "ü", "tensorzero::x": "1"},
}
GREET = {"type": "template", "name": "greet", "arguments": {"name": "Ada"}}
TEMPLATED = POINT | {"input": {"messages": [{"role": "user", "content": [GREET]}]}, "name": "n", "output": None}


def lines(*documents):
    return b"".join(msgspec.json.encode(each) + b"\n" for each in documents)


def stored(path, *records):
    buffer = b"".join(encode_frame(number, record) for number, record in enumerate(records, 1))
    entries = tuple(Entry(record, frame) for record, frame in zip(records, scan(buffer).frames, strict=True))
    path.parent.mkdir()
    with closing(SqliteEvents(path)) as events:
        events.append(Batch("w", "w.00000001.seg", 0, len(buffer), len(records), entries))


@pytest.fixture
def home(tmp_path):
    (tmp_path / "calibrant.toml").write_text(CONFIG)
    (tmp_path / "greet.minijinja").write_text("Greet {{ name }}.")
    (tmp_path / "greet.json").write_text('{"type":"object","required":["name"]}')
    (tmp_path / "any.json").write_text('{"type":"object"}')
    (tmp_path / "points.jsonl").write_bytes(lines(POINT, TEMPLATED))
    return tmp_path


def exported(home, run, *flags, name="d", file="out.jsonl"):
    status, _, err = run("dataset", "export", name, "--to", home / file, *flags)
    assert status == 0, err
    return [msgspec.json.decode(line) for line in (home / file).read_bytes().splitlines()], err


def test_a_life_of_a_dataset(home, run):
    assert "There is no dataset yet" in run("dataset", "list")[1]
    assert "grouped by tag::user" in run("dataset", "create", "d", "--group-by", "tag::user")[1]
    assert run("dataset", "import", "d", "points.jsonl", "--json")[1] == '{"num_imported_datapoints":2}\n'
    listed = msgspec.json.decode(run("dataset", "list", "--json")[1])["datasets"]
    assert [(each["dataset_name"], each["datapoint_count"], each["version"]) for each in listed] == [("d", 2, 2)]
    assert run("dataset", "list", "--function", "other")[1].startswith("There is no dataset")
    told = run("dataset", "show", "d")[1]
    assert "d: 2 datapoints, version 2" in told and "import" in told and "cli" in told
    (one, two), _ = exported(home, run)
    assert one["output"] == POINT["output"] and one["tags"] == POINT["tags"] and one["source"] == "import"
    assert one["group_key"] == "tag::user=ü" and two["input"]["messages"][0]["content"] == [GREET]
    assert "1 datapoints are deleted" in run("dataset", "delete", "d", "--datapoint", one["id"])[1]
    assert run("dataset", "delete", "d", "--json")[1] == '{"num_deleted_datapoints":1}\n'
    assert exported(home, run)[0] == [] and "There is no dataset" in run("dataset", "list")[1]
    assert exported(home, run, "--version", "2")[0] == [one, two]


def test_what_was_exported_is_imported_as_it_was(home, run):
    run("dataset", "import", "d", "points.jsonl")
    before, _ = exported(home, run)
    run("dataset", "import", "e", "out.jsonl")
    after, _ = exported(home, run, name="e")
    changes = {"id", "dataset_name", "updated_at", "parent_id", "root_id"}
    kept = [{name: each[name] for name in each if name not in changes} for each in before]
    assert [{name: each[name] for name in each if name not in changes} for each in after] == kept
    assert [each["root_id"] for each in after] == [each["id"] for each in before]


def test_parquet(home, run):
    run("dataset", "import", "d", "points.jsonl")
    before, _ = exported(home, run)
    status, _, err = run("dataset", "export", "d", "--to", "d.parquet")
    assert status == 0 and "2 datapoints written" in err and not list(home.glob("*.part"))
    assert run("dataset", "import", "e", "d.parquet")[0] == 0
    after, _ = exported(home, run, name="e")
    assert [each["content_hash"] for each in after] == [each["content_hash"] for each in before]
    assert [each["tags"] for each in after] == [each["tags"] for each in before]
    (home / "bad.parquet").write_bytes(b"no such file")
    status, _, err = run("dataset", "import", "e", "bad.parquet")
    assert status == 2 and err.startswith("calibrant: Parquet: ")


def test_parquet_without_its_library(home, run, monkeypatch):
    run("dataset", "import", "d", "points.jsonl")
    monkeypatch.delitem(sys.modules, "calibrant.datasets.parquet", raising=False)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    status, _, err = run("dataset", "export", "d", "--to", "d.parquet")
    assert (status, err) == (2, "calibrant: Parquet needs `pip install 'calibrant[parquet]'`\n")


def test_chat_tuning_there_and_back(home, run):
    run("dataset", "import", "d", "points.jsonl")
    status, _, err = run("dataset", "export", "d", "--to", "out.jsonl", "--format", "chat")
    assert status == 2 and "name the `variant`" in err and not (home / "out.jsonl").exists()
    (line,), err = exported(home, run, "--format", "chat", "--variant", "v")
    assert "1 datapoints written; 1 left out" in err
    said = [("system", "Be brief."), ("user", "Hello"), ("assistant", "Hi.")]
    assert [(each["role"], each["content"]) for each in line["messages"]] == said
    assert run("dataset", "import", "e", "out.jsonl", "--format", "chat", "--function", "chat")[0] == 0
    (back,), _ = exported(home, run, name="e")
    assert back["input"]["system"] == "Be brief." and back["output"] == POINT["output"]
    (sample, greeted), _ = exported(home, run, "--format", "inspect", "--variant", "v")
    assert sample["target"] == "Hi." and greeted["input"] == [{"role": "user", "content": "Greet Ada."}]


def test_a_file_with_a_mistake_adds_nothing(home, run):
    bad = POINT | {"input": {"messages": [{"role": "user", "content": [GREET | {"arguments": {}}]}]}}
    (home / "points.jsonl").write_bytes(lines(POINT) + b"\n" + lines(bad))
    status, _, err = run("dataset", "import", "d", "points.jsonl")
    assert status == 2 and "line 3: input.messages[0].content[0].arguments" in err
    assert "There is no dataset yet" in run("dataset", "list")[1]


def test_mistakes(home, run):
    for argv, said in (
        (("show", "none"), "there is no dataset 'none'"),
        (("export", "none"), "there is no dataset 'none'"),
        (("create", "builder"), "is reserved"),
        (("create", "d", "--group-by", "moon"), "group_by"),
        (("import", "d", "missing.jsonl"), "No such file"),
        (("import", "d", "points.jsonl", "--format", "inspect"), "--format: 'inspect' is none of"),
        (("import", "d", "points.jsonl", "--format", "chat"), "name the function"),
        (("export", "d", "--format", "parquet"), "wants a file"),
        (("from-inferences", "d", "--output", "x"), "--output: 'x' is none of"),
        (("from-inferences", "d", "--tag", "x"), "write NAME=VALUE"),
    ):
        status, _, err = run("dataset", *argv)
        assert status == 2 and said in err, (argv, err)


def test_from_inferences(home, run):
    rows = [inferred(tags={"n": str(n)}, output=b'{"raw":"{\\"n\\":%d}","parsed":{"n":%d}}' % (n, n)) for n in range(3)]
    shown = feedback(
        rows[1].inference.id,
        metric_name="demonstration",
        kind="demonstration",
        number=None,
        document=b'{"raw":"{}","parsed":{}}',
    )
    stored(home / "calibrant-data" / "events.db", *rows, shown)
    ids = [each.inference.id for each in rows]
    assert (
        "2 inferences are datapoints"
        in run("dataset", "from-inferences", "d", "--inference", ids[0], "--inference", ids[2])[1]
    )
    assert [each["source_inference_id"] for each in exported(home, run)[0]] == [ids[0], ids[2]]
    run("dataset", "from-inferences", "two", "--function", "extract", "--limit", "2")
    assert {each["source_inference_id"] for each in exported(home, run, name="two")[0]} == set(ids[1:])
    run("dataset", "from-inferences", "tagged", "--tag", "n=1", "--output", "demonstration")
    (one,), _ = exported(home, run, name="tagged")
    assert (one["source"], one["output"]["parsed"]) == ("feedback", {})
    (pair,), _ = exported(home, run, "--format", "preference", name="tagged")
    assert pair["preferred_output"][0]["content"] == "{}" and pair["non_preferred_output"][0]["content"] == '{"n":1}'
    status, _, err = run("dataset", "from-inferences", "d", "--inference", "none")
    assert status == 2 and "there is no inference none" in err


def test_leaks(home, run):
    long = "The parcel that I sent last week has come back without its lid, and now?"
    said = [POINT | {"input": {"messages": [{"role": "user", "content": text}]}} for text in (long, "Another", "Third")]
    (home / "train.jsonl").write_bytes(lines(said[0] | {"tags": {}}))
    (home / "test.jsonl").write_bytes(lines(said[0] | {"tags": {"split": "hard"}}, said[1], said[2]))
    run("dataset", "import", "train", "train.jsonl")
    run("dataset", "import", "test", "test.jsonl")
    status, told, err = run("dataset", "leaks", "test", "--against", "train")
    assert status == 0, err
    assert "33.3%" in told and "contaminated: 33.3% of the 3 items of test (1) were seen before" in told
    assert "exact: " in told and "Prompts that were looked at: chat/v/greet." in told
    found = msgspec.json.decode(run("dataset", "leaks", "test", "--against", "train", "--json")[1])
    assert found["found"]["verdict"] == "contaminated" and len(found["found"]["clean"]) == 2
    assert found["found"]["splits"][0]["counts"]["exact"] == 1 and found["prompts"] == ["chat/v/greet"]
    told = run("dataset", "leaks", "test", "--split-tag", "split", "--judge", "hard", "--function", "chat")[1]
    assert "clean: 0.0% of the 1 items of hard" in told and "2 datapoints are in no split" in told
    (home / "greet.minijinja").write_text(f"Greet {{{{ name }}}}. {long.upper()}")
    told = run("dataset", "leaks", "test", "--variant", "v")[1]
    assert "copied: " in told and "chat/v/greet: the parcel that i sent" in told
    status, _, err = run("dataset", "leaks", "test", "--variant", "x")
    assert (status, err.startswith("calibrant: Unknown variant: 'x'")) == (2, True)
    assert run("dataset", "leaks", "nobody")[0] == 2


def test_leaks_without_a_configuration(run, tmp_path):
    run("dataset", "create", "d")
    told = run("dataset", "leaks", "d")[1]
    assert "Prompts that were looked at: none." in told and "clean: there are no items." in told


def test_what_is_split_is_shown_by_split_and_exported_as_train(run, home):
    words = ["".join(random.Random(n).choices(string.ascii_lowercase, k=60)) for n in range(60)]
    asked = [{"messages": [{"role": "user", "content": each}]} for each in words]
    (home / "in.jsonl").write_bytes(b"\n".join(msgspec.json.encode(POINT | {"input": each}) for each in asked))
    assert run("dataset", "create", "d", "--group-by", "datapoint")[0] == 0
    status, out, _ = run("dataset", "show", "d", "--json")
    assert status == 0 and msgspec.json.decode(out)["splitting"] is None and "splits" not in msgspec.json.decode(out)
    assert run("dataset", "import", "d", home / "in.jsonl")[0] == 0
    with closing(SqliteCatalogue(home / DEFAULT_DATA_DIR / "catalogue.db")) as catalogue:
        holdout.seal(catalogue, "d", Shares(train=40, val=30, sealed=30), 30, Actor("t", 1_900_000_000_000))
    told = msgspec.json.decode(run("dataset", "show", "d", "--json")[1])
    counts = {each["split"]: each["datapoints"] for each in told["splits"]}
    assert sum(counts.values()) == 60 and all(counts[each] for each in ("train", "val"))
    info = msgspec.convert(told, DatasetInfo)
    assert (info.splitting.shares.sealed, info.splitting.newest_days) == (30, 30) and "salt" not in told["splitting"]
    shown = run("dataset", "show", "d")[1]
    assert "used up" in shown and "canary" in shown
    for flags, split, rest in (((), "train", "val"), (("--split", "val"), "val", "train")):
        status, _, err = run("dataset", "export", "d", "--to", home / "out.jsonl", *flags)
        assert status == 0 and f"{counts[split]} datapoints written" in err and f"{counts[rest]} {rest}" in err
        lines = (home / "out.jsonl").read_bytes().splitlines()
        assert {msgspec.json.decode(line)["split"] for line in lines} == {split}
    for named, message in (("sealed", "nobody is given"), ("test", "none of train, val and canary")):
        status, _, err = run("dataset", "export", "d", "--split", named)
        assert status == 2 and message in err


def test_a_sealed_datapoint_is_told_by_what_is_known_of_it_and_is_not_asked_again(run, home):
    (home / "in.jsonl").write_bytes(msgspec.json.encode(POINT))
    assert run("dataset", "import", "d", home / "in.jsonl")[0] == 0
    with closing(SqliteCatalogue(home / DEFAULT_DATA_DIR / "catalogue.db")) as catalogue:
        holdout.seal(catalogue, "d", Shares(train=0, val=0, sealed=100), None, Actor("t", 1_900_000_000_000))
        (row,) = DatasetReader(catalogue).page(DatapointQuery(dataset_name="d"))
    shown = msgspec.json.decode(encode_datapoint(row))
    assert (shown["split"], shown["input"], shown["output"], shown["tags"]) == ("sealed", {"messages": []}, None, {})
    assert (shown["content_hash"], shown["group_key"]) == (None, row.id)
    tagged = msgspec.json.decode(encode_datapoint(replace(row, group_key="tag::user_id=somebody")))
    assert tagged["group_key"] is None
    read = msgspec.json.decode(encode_datapoints([row]), type=GetDatapointsResponse)
    assert read.datapoints[0].split == "sealed" and read.datapoints[0].input.messages == ()
    sample = of_datapoint(row)
    assert sample.content is None and sample.fault.code == "sealed"
    assert "1 sealed datapoints were not looked at" in run("dataset", "leaks", "d")[1]
