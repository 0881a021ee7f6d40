"""Gateways of two hosts, as processes, with one PostgreSQL that both share."""

import os
import subprocess
import sys
from contextlib import contextmanager

import httpx2 as httpx
import msgspec
import psycopg
import pytest
from tests.support.faults import INPUT, function, model, no_traceback
from tests.support.gateway import Gateway, gateway, until
from tests.support.postgres import fresh_database

from calibrant.base.ids import uuid7
from calibrant.testing.upstream import run_upstream

pytestmark = pytest.mark.slow

CANARY = "Kanarienvogel"
KEYS = "[gateway.auth]\nenabled = true\ncache.ttl_ms = 300\n"
HEAD = """
[spool]
min_free_bytes = 0
[metrics.good]
type = "boolean"
optimize = "max"
level = "inference"
[metrics.stars]
type = "float"
optimize = "max"
level = "episode"
"""


@pytest.fixture(scope="module")
def upstream():
    with run_upstream() as running:
        yield running


@pytest.fixture
def url():
    with fresh_database(CANARY) as made:
        yield made


def configured(upstream, extra=""):
    return extra + HEAD + model("plain", upstream.url) + function("chat", ("only", "plain", ""))


class Host(Gateway):
    """A gateway that knows a key."""

    key = "sk-none"

    def post(self, path, body, **kwargs):
        return super().post(path, body, headers={"Authorization": f"Bearer {self.key}"}, **kwargs)

    def get(self, path):
        return httpx.get(self.url + path, timeout=30, headers={"Authorization": f"Bearer {self.key}"})


def command(*args, url, status=0):
    """What `calibrant` prints, or says of what went wrong; nothing of it is the password."""
    done = subprocess.run(
        [sys.executable, "-m", "calibrant", *map(str, args)],
        env={**os.environ, "CALIBRANT_POSTGRES_URL": url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == status, said
    assert CANARY not in said
    assert "Traceback" not in said
    return said.strip() if status else done.stdout.strip()


@contextmanager
def hosts(folder, url, first, second):
    """Two gateways with a data folder each."""
    command("migrate", "--data-dir", folder, url=url)
    env = {"CALIBRANT_POSTGRES_URL": url}
    with (
        gateway(folder / "a", first, kind=Host, env=env) as one,
        gateway(folder / "b", second, kind=Host, env=env) as other,
    ):
        yield one, other
        for host in (one, other):
            no_traceback(host)
            assert CANARY not in "".join(host.log)
            for path in host.data_dir.rglob("*"):
                assert not path.is_file() or CANARY.encode() not in path.read_bytes(), path


def rows(url, query):
    with psycopg.connect(url, options="-c search_path=calibrant") as connection:
        return connection.execute(query).fetchall()


def test_two_hosts_share_everything(tmp_path, upstream, url):
    second = configured(upstream, "[gateway]\nglobal_outbound_http_timeout_ms = 123456\n" + KEYS)
    with hosts(tmp_path, url, configured(upstream, KEYS), second) as (one, other):
        one.key = command("key", "create", "--role", "admin", "--data-dir", one.data_dir, url=url)
        assert one.infer({"function_name": "chat", "input": INPUT}).status_code == 200
        # A key that one host made is known at the other.
        assert other.infer({"function_name": "chat", "input": INPUT}).status_code == 401
        other.key = one.key
        made = [one.infer({"function_name": "chat", "input": INPUT, "tags": {"n": str(n)}}).json() for n in range(10)]
        there = [other.infer({"function_name": "chat", "input": INPUT}).json() for _ in range(5)]
        # At once, while the inference may still be in the other's spool.
        said = [
            other.post("/feedback", {"metric_name": name, level: each[level], "value": value})
            for each in made
            for name, level, value in (("good", "inference_id", True), ("stars", "episode_id", 4.5))
        ]
        said += [
            one.post("/feedback", {"metric_name": "comment", "inference_id": each["inference_id"], "value": "so so"})
            for each in there
        ]
        assert [answer.status_code for answer in said] == [200] * len(said), [answer.text for answer in said]
        feedback = {answer.json()["feedback_id"] for answer in said}
        ids = {each["inference_id"] for each in made + there}

        def stored():
            linked = rows(url, "SELECT id FROM feedback WHERE linked = 1")
            return {row[0] for row in linked} >= feedback

        until(stored, "all feedback to have its target")
        assert {row[0] for row in rows(url, "SELECT id FROM inferences")} >= ids
        accounts(one, other, url)
        datasets(one, other, sorted(each["inference_id"] for each in made))
        hashes = {row[0] for row in rows(url, "SELECT DISTINCT snapshot_hash FROM inferences")}
        assert len(hashes) == 2
        assert {row[0] for row in rows(url, "SELECT hash FROM config_snapshots")} == hashes
        listed = one.post("/v1/inferences/list_inferences", {"function_name": "chat", "limit": 99}).json()
        assert {each["inference_id"] for each in listed["inferences"]} >= ids
        # What is disabled at one host is refused by both.
        key_id = one.key[6:18]
        command("key", "disable", key_id, "--data-dir", one.data_dir, url=url)
        for host in (one, other):
            until(lambda host=host: host.infer({"function_name": "chat", "input": INPUT}).status_code == 401, "refusal")


def accounts(one, other, url):
    """The books of both hosts add up, and are about the same database."""
    books = [host.settled() for host in (one, other)]
    assert [(each["missing"], each["quarantined"], each["spooled"]) for each in books] == [(0, 0, 0)] * 2
    assert books[0]["accepted"] == books[0]["stored"] == books[1]["stored"]
    (in_ledger,) = rows(url, "SELECT sum(stored) FROM spool_ledger")
    tables = ("inferences", "feedback", "config_snapshots")
    (counted,) = rows(url, f"SELECT {' + '.join(f'(SELECT count(*) FROM {table})' for table in tables)}")
    assert in_ledger == counted == (books[0]["stored"],)
    workers = rows(url, "SELECT worker, count(*) FROM inferences GROUP BY 1")
    assert sum(number for _, number in workers) >= 15
    assert len(workers) >= 2


def datasets(one, other, ids):
    """What one host puts into a dataset, the other sees, and changes."""
    wanted = {"type": "inference_ids", "inference_ids": ids[:4]}
    made = one.post("/v1/datasets/shared/from_inferences", wanted)
    assert made.status_code == 200, made.text
    seen = other.post("/v1/datasets/shared/list_datapoints", {"limit": 20}).json()["datapoints"]
    assert {each["id"] for each in seen} == set(made.json()["ids"])
    assert {each["source_inference_id"] for each in seen} == set(ids[:4])


def test_a_gateway_waits_for_no_schema_but_says_what_to_run(tmp_path, upstream, url):
    config = tmp_path / "calibrant.toml"
    config.write_text(configured(upstream))
    for what in (("gateway", "--port", "0"), ("recorder",)):
        said = command(*what, "--config", config, "--data-dir", tmp_path / "data", url=url, status=2)
        assert "has no schema of this version yet; run `calibrant migrate`" in said
    assert "run `calibrant migrate`" in command("migrate", "--check", "--data-dir", tmp_path, url=url, status=1)
    command("migrate", "--data-dir", tmp_path, url=url)
    command("migrate", "--check", "--data-dir", tmp_path, url=url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE calibrant.alembic_version SET version_num = '9999'")
    for what in (("gateway", "--port", "0"), ("recorder",)):
        said = command(*what, "--config", config, "--data-dir", tmp_path / "data", url=url, status=2)
        assert "is newer than this program" in said
    assert "knows up to" in command("migrate", "--data-dir", tmp_path, url=url, status=2)


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql://postgres:{CANARY}@127.0.0.1:1/there",
        f"postgresql://postgres:{CANARY}@no-such-host.invalid/there",
        f"postgresql://postgres:p@{CANARY}@127.0.0.1:1/there",
        f"postgresql://postgres:p/{CANARY}@127.0.0.1:1/there",
        f"postgresql://postgres:p%zz{CANARY}@127.0.0.1/there",
        f"postgresql://postgres:{CANARY}@127.0.0.1:1/there?no_such_option=1",
        f"postgresql://postgres@127.0.0.1:1/there?password={CANARY}",
    ],
    ids=["away", "no host", "an @ in it", "a / in it", "a bad escape", "an odd option", "as an option"],
)
def test_no_password_is_told_when_something_is_wrong_with_the_address(tmp_path, upstream, address):
    config = tmp_path / "calibrant.toml"
    config.write_text(configured(upstream))
    for what in (
        ("gateway", "--port", "0", "--config", config),
        ("migrate",),
        ("key", "list"),
    ):
        said = command(*what, "--data-dir", tmp_path / "data", url=address, status=2)
        assert "PostgreSQL" in said or "postgresql" in said


def test_a_server_that_is_away_is_told_without_its_password(tmp_path, upstream, url):
    command("migrate", "--data-dir", tmp_path, url=url)
    with gateway(tmp_path, configured(upstream), kind=Host, env={"CALIBRANT_POSTGRES_URL": url}) as running:
        given = running.infer({"function_name": "chat", "input": INPUT})
        assert given.status_code == 200
        running.settled()
        name = url.rpartition("/")[2].partition("?")[0]
        elsewhere = url.replace(f"/{name}?", "/postgres?")
        with psycopg.connect(elsewhere, autocommit=True) as other:
            # As if it were not there: nobody gets in, and who is in is thrown out.
            other.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
            answers = [running.infer({"function_name": "chat", "input": INPUT}) for _ in range(10)]
            assert [answer.status_code for answer in answers] == [200] * 10
            told = running.get("/health").json()["database"]
            assert told.startswith("error: ") and CANARY not in told
            asked = running.post("/v1/inferences/list_inferences", {"function_name": "chat"})
            assert asked.status_code == 503 and CANARY not in asked.text
            unknown = running.post("/feedback", {"metric_name": "good", "inference_id": uuid7(), "value": True})
            assert unknown.status_code == 200
            assert CANARY not in msgspec.json.encode(running.get("/metrics").text).decode()
            other.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        until(lambda: running.get("/health").json()["database"] == "ok", "the database to be well")
        ids = {answer.json()["inference_id"] for answer in [given, *answers]}
        until(lambda: {row[0] for row in rows(url, "SELECT id FROM inferences")} >= ids, "all to be stored")
        assert CANARY not in "".join(running.log)
