"""What clients received and what the record holds, compared both ways, once the gateway has stopped."""

import sqlite3
from collections import Counter
from contextlib import closing

import msgspec
from tests.support.load import OPENAI

from calibrant.store.accounting import accounting
from calibrant.store.payload import unpack
from calibrant.store.sqlite_reader import SqliteReader


def nothing_is_left_of_the_spool(running):
    left = {path.name for path in (running.data_dir / "spool").iterdir()}
    assert left == {"recorder.lock", "recorder.json"}


def same_books(running, served):
    """The books balance, for each incarnation and in sum, agree with the rows, and are those that were served."""
    reader = SqliteReader(running.data_dir / "events.db")
    books = accounting(running.data_dir / "spool", reader)
    reader.close()
    for name, account in books.incarnations.items():
        assert account.accepted == account.stored + account.shed, f"{name}: {account}"
        assert (account.missing, account.spooled, account.quarantined) == (0, 0, 0), f"{name}: {account}"
    for name in ("accepted", "stored", "shed", "missing"):
        assert served[name] == getattr(books.total, name), name
    # A stream has two records if it ended, one if not; every worker that got so far began with the configuration.
    (count,) = running.rows(
        "SELECT (SELECT count(*) FROM inferences) + (SELECT count(*) FROM feedback) "
        "+ (SELECT count(*) FROM inferences WHERE stream AND status <> 'interrupted') AS n"
    )
    if not books.total.shed:
        begun = sum(1 for account in books.incarnations.values() if account.accepted)
        assert books.total.stored == count["n"] + begun
    assert running.rows("SELECT * FROM quarantine") == []
    return books.total


def both_ways(running, load, *, all_stored=True):
    """Every answer is in the record as it was given, and the record holds nothing that was not asked for.

    Without `all_stored` an answer may be missing, but what is there must be right all the same.
    """
    asked = {each.marker: each for each in load.asked}
    assert len(asked) == len(load.asked)
    with closing(sqlite3.connect(running.data_dir / "events.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    inferences = _nobody_uninvited(running.rows("SELECT * FROM inferences JOIN inference_data USING (seq)"), asked)
    assert len(inferences) == running.rows("SELECT count(*) AS n FROM inferences")[0]["n"]
    feedback = _nobody_uninvited(running.rows("SELECT * FROM feedback"), asked)
    answered = [each for each in load.asked if each.outcome in ("whole", "partial")]
    lost = [each for each in answered if each.id not in inferences and each.id not in feedback]
    assert not all_stored or not lost, f"{len(lost)} answers are not in the record, such as {lost[:3]}"
    for each in answered:
        if each.id in feedback:
            _is_opinion(feedback[each.id], each)
        elif each.id in inferences:
            _is_inference(inferences[each.id], each, all_stored)
    _calls_are_whole(running, inferences)


def _nobody_uninvited(rows, asked):
    """Every row has been asked for, and no request has two."""
    markers = Counter(msgspec.json.decode(row["tags"])["marker"] for row in rows)
    assert markers.keys() <= asked.keys()
    assert set(markers.values()) <= {1}
    by_id = {row["id"]: row for row in rows}
    assert len(by_id) == len(rows)
    for row in rows:
        each = asked[msgspec.json.decode(row["tags"])["marker"]]
        # What no client has heard of is a request whose answer was lost.
        assert row["id"] == each.id or each.outcome == "lost", (row["id"], each)
    return by_id


def _is_inference(row, asked, all_stored):
    assert (row["id"], row["episode_id"], row["stream"]) == (asked.id, asked.episode, asked.stream)
    assert row["dialect"].startswith("openai") == (asked.path == OPENAI), row["dialect"]
    given = msgspec.json.decode(unpack(row["input"]))["messages"]
    assert [block["text"] for message in given for block in message["content"]] == [asked.text]
    if asked.outcome == "whole" and not all_stored and row["status"] == "interrupted":
        # Its beginning is there, its end was given up.
        assert (asked.stream, asked.said) == (True, asked.text)
    elif asked.outcome == "whole":
        assert (row["status"], asked.said) == ("ok", asked.text)
        (block,) = msgspec.json.decode(unpack(row["output"]))
        assert block["text"] == asked.text
    else:
        assert row["status"] in ("ok", "error", "interrupted")
        assert asked.text.startswith(asked.said)


def _is_opinion(row, asked):
    assert (row["metric_name"], row["target_id"], row["linked"]) == (asked.metric, asked.target, 1)
    if asked.metric in ("good", "stars"):
        assert row["number"] == float(asked.value)
    else:
        said = msgspec.json.decode(row["document"])
        assert said == asked.value if asked.metric == "comment" else said[0]["text"] == asked.value


def _calls_are_whole(running, by_id):
    """Each inference that ended has the one call that it made, and what was sent and received can be read."""
    calls = running.rows("SELECT * FROM model_inferences JOIN model_inference_data USING (seq)")
    assert len(calls) == running.rows("SELECT count(*) AS n FROM model_inferences")[0]["n"]
    ended = {row["id"] for row in by_id.values() if row["status"] != "interrupted"}
    assert sorted(call["inference_id"] for call in calls) == sorted(ended)
    for call in calls:
        marker = msgspec.json.decode(by_id[call["inference_id"]]["tags"])["marker"]
        assert marker in msgspec.json.decode(unpack(call["raw_request"]))["messages"][-1]["content"]
        assert marker in unpack(call["raw_response"]).decode()
