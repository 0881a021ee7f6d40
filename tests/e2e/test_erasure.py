"""Erasure through the real gateway: a word that one user said is in no byte of the data folder any more."""

import base64
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import httpx2 as httpx
import msgspec
import pytest
from blake3 import blake3
from tests.support.canned import Reply, canned
from tests.support.gateway import gateway, until
from tests.support.homes import stored
from tests.support.records import inferred

from calibrant.store.payload import unpack
from calibrant.store.sqlite import SqliteEvents
from calibrant.testing.upstream import run_upstream
from calibrant.types.query import Query

WORD, USER, OTHER = "zebrafinch-canary", "user-of-the-canary", "somebody-else"
PNG = b"\x89PNG\r\n\x1a\n"
CONFIG = """
[gateway]
workers = 2
batch = {{ concurrency = 4 }}
[spool]
min_free_bytes = 0
[models.m]
routing = ["p"]
[models.m.providers.p]
type = "openai"
model_name = "m"
api_base = "{url}"
api_key_location = "none"
[embedding_models.e]
routing = ["p"]
[embedding_models.e.providers.p]
type = "openai"
model_name = "e"
api_base = "{vectors}/v1"
api_key_location = "none"
[functions.chat]
type = "chat"
variants.only = {{ type = "chat_completion", model = "m" }}
[functions.chat.variants.shown]
type = "experimental_dynamic_in_context_learning"
model = "m"
embedding_model = "e"
k = 3
weight = 0.0
[metrics.good]
type = "boolean"
optimize = "max"
level = "inference"
[metrics.solved]
type = "float"
optimize = "max"
level = "episode"
"""


def said(*blocks):
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": each} for each in blocks]}]}


def asked(text, user, **fields):
    return {"function_name": "chat", "variant_name": "only", "input": said(text), "tags": {"user_id": user}, **fields}


def file(content):
    return {"type": "file", "file_type": "base64", "mime_type": "image/png", "data": base64.b64encode(content).decode()}


def only_of(word):
    """Words that nobody else says, and that are in what is packed as they are, since they do not repeat."""
    return [blake3(f"{word} {n}".encode()).hexdigest()[:10] for n in range(60)]


def live(gw, user, word):
    """Leave something of a user in every place; return the ids of their inferences, and one episode."""
    rest = " ".join(only_of(word))

    def infer(text, **fields):
        answered = gw.infer(asked(text, user, **fields))
        assert answered.status_code == 200, answered.text
        return answered

    made = infer(f"{word} short").json()
    first = made["inference_id"]
    long = infer(f"{word} long {rest}").json()["inference_id"]
    picture = asked(word, user)
    picture["input"]["messages"][0]["content"] += [file(PNG + word.encode() * 20), file(PNG + b"shared" * 20)]
    assert gw.infer(picture).status_code == 200
    assert "data: [DONE]" in infer(f"{word} stream {rest}", stream=True).text
    for _ in range(2):
        infer(f"{word} cached {rest}", cache_options={"enabled": "on"})
    batch = {"function_name": "chat", "inputs": [said(f"{word} batch {rest}")] * 2}
    answered = gw.post("/batch_inference", batch | {"variant_name": "only", "tags": [{"user_id": user}] * 2})
    assert answered.status_code == 200, answered.text
    started = answered.json()
    until(lambda: gw.get(f"/batch_inference/{started['batch_id']}").json()["status"] == "completed", "the batch")
    gw.settled()

    def judge(metric, value, **target):
        answered = gw.post("/feedback", {"metric_name": metric, "value": value, **target})
        assert answered.status_code == 200, answered.text

    judge("demonstration", f"{word} demonstrated {rest}", inference_id=first)
    judge("comment", f"{word} commented", inference_id=long)
    judge("good", True, inference_id=long)
    judge("solved", 0.5, episode_id=made["episode_id"])
    point = {"type": "from_inferences", "output_source": "inference"}
    answered = gw.post(
        "/v1/datasets/d/from_inferences", point | {"type": "inference_ids", "inference_ids": [first, long]}
    )
    assert answered.status_code == 200, answered.text
    (edited, _) = answered.json()["ids"]
    change = {"id": edited, "type": "chat", "output": [{"type": "text", "text": f"{word} edited {rest}"}]}
    answered = httpx.patch(f"{gw.url}/v1/datasets/d/datapoints", json={"datapoints": [change]}, timeout=30)
    assert answered.status_code == 200, answered.text
    gw.settled()
    return made["episode_id"]


def in_files(folder, needles):
    """The files, by name, in which one of the needles is."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            hits = [needle for needle in needles if needle in content]
            if hits:
                found[str(path.relative_to(folder))] = hits
    return found


def packed_words(gw):
    """How many of a user's own words stand in the databases as they are, packed or not."""
    files = [path.read_bytes() for path in gw.data_dir.glob("*.db*")]
    return sum(any(word.encode() in content for content in files) for word in only_of(WORD))


def rows_of(gw, user):
    """Everything that the record and the catalogue have of a user, as it stands."""
    found = gw.rows("SELECT * FROM inferences WHERE tags LIKE ? ORDER BY id", f"%{user}%")
    marks = ", ".join("?" * len(found))
    ids, seqs = [row["id"] for row in found], [row["seq"] for row in found]
    calls = gw.rows(f"SELECT * FROM model_inferences WHERE inference_id IN ({marks}) ORDER BY id", *ids)
    targets = [*ids, *(row["episode_id"] for row in found)]
    more = ", ".join("?" * len(targets))
    every = ", ".join("?" * len(calls))
    with closing(sqlite3.connect(gw.data_dir / "catalogue.db", timeout=10)) as database:
        points = database.execute(
            "SELECT d.id, d.since, d.tags, d.source, c.content FROM datapoints d "
            "JOIN datapoint_contents c ON c.hash = d.content_hash WHERE d.tags LIKE ? ORDER BY 1, 2",
            (f"%{user}%",),
        ).fetchall()
    return (
        found,
        gw.rows(f"SELECT * FROM inference_data WHERE seq IN ({marks}) ORDER BY seq", *seqs),
        calls,
        gw.rows(
            f"SELECT * FROM model_inference_data WHERE seq IN ({every}) ORDER BY 1", *(row["seq"] for row in calls)
        ),
        gw.rows(f"SELECT * FROM feedback WHERE target_id IN ({more}) ORDER BY id", *targets),
        points,
    )


def searched(gw, text):
    body = {"search_query_experimental": text, "include_failed": True}
    return len(gw.post("/v1/inferences/list_inferences", body).json()["inferences"])


@pytest.fixture(scope="module")
def upstream():
    with run_upstream() as running, canned(embedded) as vectors:
        running.vectors = vectors.base
        yield running


def embedded(seen):
    given = msgspec.json.decode(seen.body)["input"]
    texts = [given] if isinstance(given, str) else given
    rows = [{"index": at, "embedding": [1.0, len(text) / 1e5]} for at, text in enumerate(texts)]
    body = {"object": "list", "model": "e", "data": rows, "usage": {"prompt_tokens": 1, "total_tokens": 1}}
    return Reply(msgspec.json.encode(body))


def test_a_canary_is_in_no_byte_after_erasure_and_others_keep_everything(tmp_path, upstream):
    with gateway(tmp_path, CONFIG.format(url=upstream.url, vectors=upstream.vectors)) as gw:
        live(gw, USER, WORD)
        live(gw, OTHER, "blackbird")
        until(lambda: searched(gw, WORD) == 8, "the index of texts")
        # So that an example of theirs is in the memory of the workers, and its vector kept.
        until(lambda: (gw.data_dir / "vectors.db").exists(), "vectors to be made")
        before = rows_of(gw, OTHER)
        assert len(before[0]) == 8 and all(before) and packed_words(gw) > 20
        needles = {WORD.encode(), USER.encode(), *(word.encode() for word in only_of(WORD))}
        places = in_files(gw.data_dir, needles)
        assert any(name.endswith(".seg") for name in places) and any(name.startswith("blobs/") for name in places)
        assert {name.partition("-wal")[0] for name in places} >= {"events.db", "catalogue.db", "cache.db"}

        tag = {"key": "user_id", "value": USER}
        plan = gw.post("/v1/erasures", {"tag": tag, "plan": True}).json()
        assert in_files(gw.data_dir, {WORD.encode()}) and rows_of(gw, OTHER) == before
        done = gw.post("/v1/erasures", {"tag": tag}).json()
        counted = ("inferences", "model_inferences", "feedback", "datapoints", "batch_elements", "files", "files_kept")
        assert [done[name] for name in counted] == [plan[name] for name in counted] == [8, 8, 4, 3, 2, 1, 1]
        assert done["purged_models"] == ["m"] and done["cached_answers"] == 2 and done["vectors"] == 1
        assert done["spool_bytes"] > 10_000 and done["running"] == 0

        assert in_files(gw.data_dir, needles) == {}
        assert rows_of(gw, OTHER) == before
        assert searched(gw, WORD) == 0 and searched(gw, "blackbird") == 8
        version = gw.post("/v1/datasets/d/list_datapoints", {"version": 1}).json()["datapoints"]
        assert [each["source"] for each in version] == ["erased", "erased"] and not any(
            each["input"]["messages"] for each in version
        )
        assert len(gw.post("/v1/datasets/d/list_datapoints", {}).json()["datapoints"]) == 2
        books = gw.settled()
        assert books["missing"] == 0

        # What comes afterwards is answered, recorded and found as ever, and no worker remembers the example.
        shown = asked("blackbird zebra finch", OTHER, variant_name="shown")

        def no_longer_shown():
            raw = gw.model_inferences(gw.inference(gw.infer(shown).json()["inference_id"])["id"])
            seqs = [each["seq"] for each in raw]
            kept = gw.rows("SELECT raw_request FROM model_inference_data WHERE seq = ?", seqs[-1])
            request = unpack(kept[0]["raw_request"])
            return request if b"blackbird demonstrated" in request and WORD.encode() not in request else None

        until(no_longer_shown, "the workers to forget")
        gw.infer(asked("again", USER))
        gw.settled()
        again = gw.post("/v1/erasures", {"tag": tag}).json()
        assert (again["inferences"], again["datapoints"], again["batch_elements"]) == (1, 0, 0)
        assert gw.settled()["missing"] == 0
    # Of the word, what a worker showed to others before it forgot is theirs now.
    assert in_files(tmp_path / "data", {USER.encode()}) == {}


@pytest.mark.slow
def test_an_erasure_waits_for_what_is_in_the_spool(tmp_path, upstream):
    with gateway(tmp_path, CONFIG.format(url=upstream.url, vectors=upstream.vectors)) as gw:
        gw.settled()
        (recorder,) = gw.children()["recorder"]
        os.kill(recorder, signal.SIGSTOP)
        try:
            made = [gw.infer(asked(f"{WORD} {n}", user)).json() for n, user in enumerate((USER, OTHER, USER))]
            command = [sys.executable, "-m", "calibrant", "erase", "--tag", f"user_id={USER}", "--yes", "--json"]
            erasing = subprocess.Popen([*command, "--data-dir", str(gw.data_dir)], stdout=subprocess.PIPE)
            with pytest.raises(subprocess.TimeoutExpired):
                erasing.wait(2)
            assert gw.rows("SELECT * FROM inferences") == []
        finally:
            os.kill(recorder, signal.SIGCONT)
        said, _ = erasing.communicate(timeout=60)
        assert msgspec.json.decode(said)["inferences"] == 2
        gw.settled()
        assert [row["id"] for row in gw.rows("SELECT id FROM inferences")] == [made[1]["inference_id"]]
        assert in_files(gw.data_dir, {USER.encode(), f"{WORD} 0".encode(), f"{WORD} 2".encode()}) == {}
        assert "events.db" in str(in_files(gw.data_dir, {f"{WORD} 1".encode()}))
        refused = gw.post(
            "/v1/erasures", {"tag": {"key": "user_id", "value": USER}, "episode_id": made[1]["episode_id"]}
        )
        assert refused.status_code == 400 and "name one of the two" in refused.text
        done = gw.post("/v1/erasures", {"episode_id": made[1]["episode_id"]}).json()
        assert done["inferences"] == 1 and gw.rows("SELECT * FROM inferences") == []


@pytest.mark.slow
def test_an_erasure_that_is_killed_again_and_again_comes_to_an_end(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    with closing(SqliteEvents(data / "events.db")) as events:
        for number in range(12):
            some = [
                inferred(
                    tags={"user_id": USER if n % 2 else OTHER},
                    input=f"{WORD if n % 2 else 'blackbird'} {n}".encode(),
                    output=f'{{"raw":"{" ".join(only_of(str(n)))}"}}'.encode(),
                )
                for n in range(number * 500, number * 500 + 500)
            ]
            stored(events, some, segment=f"w.{number:08}.seg", first=number * 500 + 1)
    command = [sys.executable, "-m", "calibrant", "erase", "--tag", f"user_id={USER}", "--yes", "--json"]
    reader = sqlite3.connect(data / "events.db", timeout=10)

    def left():
        return reader.execute("SELECT count(*) FROM inferences").fetchone()[0]

    seen = [left()]
    for _ in range(2):
        erasing = subprocess.Popen([*command, "--data-dir", str(data)], stdout=subprocess.DEVNULL)
        until(lambda: left() <= seen[-1] - 500 or erasing.poll() is not None, "some to be erased")
        erasing.kill()
        erasing.wait()
        seen.append(left())
    assert 6000 == seen[0] > seen[1] > seen[2] > 3000
    said_last = subprocess.run([*command, "--data-dir", str(data)], stdout=subprocess.PIPE, check=True).stdout
    reader.close()
    assert msgspec.json.decode(said_last)["inferences"] == seen[2] - 3000
    assert in_files(data, {USER.encode(), WORD.encode(), *(word.encode() for word in only_of("1"))}) == {}
    with closing(SqliteEvents(data / "events.db")) as events:
        assert len(events.find(Query(text="blackbird 4", limit=5000))) > 100 and not events.find(Query(text=WORD))
