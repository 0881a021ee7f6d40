"""A backup of a gateway at work, restored, is the record of everything that was answered before it began."""

import subprocess
import sys
import threading

import msgspec
import pytest
from tests.support.faults import INPUT, function, model
from tests.support.gateway import gateway, until

from calibrant.base.ids import id_millis
from calibrant.testing.upstream import run_upstream

pytestmark = pytest.mark.slow


def cli(*argv, status=0):
    """Run a command of its own process; `status` null takes any."""
    done = subprocess.run(
        [sys.executable, "-m", "calibrant", *map(str, argv)], capture_output=True, text=True, timeout=60, check=False
    )
    assert status in (None, done.returncode), done.stdout + done.stderr
    return done


def test_backup_under_load_and_restore(tmp_path):
    config = "[spool]\nmin_free_bytes = 0\n"
    with run_upstream() as upstream:
        text = config + model("good", upstream.url) + function("chat", ("only", "good", ""))
        with gateway(tmp_path / "one", text) as running:
            answered, stop = [], threading.Event()

            def load():
                while not stop.is_set():
                    reply = running.infer({"function_name": "chat", "input": INPUT})
                    answered.append(reply.json()["inference_id"])

            threads = [threading.Thread(target=load) for _ in range(4)]
            for thread in threads:
                thread.start()
            try:
                until(lambda: len(answered) > 100, "a hundred answers")
                before = list(answered)
                made = msgspec.json.decode(
                    cli("backup", tmp_path / "backup", "--data-dir", running.data_dir, "--json").stdout
                )
            finally:
                stop.set()
                for thread in threads:
                    thread.join()
            assert len(answered) > len(before)
            argv = ("--data-dir", running.data_dir, "--config", running.config, "--port", running.port, "--json")
            found = {each["check"]: each for each in msgspec.json.decode(cli("doctor", *argv).stdout)}
            assert found["recorder"]["state"] == "fine", found
            assert "a gateway of version" in found["port"]["found"]
            original = {row["id"]: row for row in running.rows("SELECT * FROM inferences")}
        watermark = made["manifest"]["watermark_ms"]
        cli("restore", tmp_path / "backup", "--data-dir", tmp_path / "two" / "data")
        assert cli("restore", tmp_path / "backup", "--data-dir", running.data_dir, status=2).stderr.count("not empty")
        with gateway(tmp_path / "two", text) as again:
            until(
                lambda: {*before} <= {row["id"] for row in again.rows("SELECT id FROM inferences")},
                "what had been answered to be stored",
            )
            restored = {row["id"]: row for row in again.rows("SELECT * FROM inferences")}
            cli("spool", "status", "--data-dir", again.data_dir)
            # The order of arrival of what was in the spool is given anew.
            same = [id_ for id_ in before if id_millis(id_) < watermark and id_ in original]
            assert len(same) > 100
            for id_ in same:
                assert {**restored[id_], "seq": 0} == {**original[id_], "seq": 0}
            asked = again.post("/v1/inferences/get_inferences", {"ids": same[:5], "output_source": "inference"}).json()
            assert [row["inference_id"] for row in asked["inferences"]] == same[:5]
            assert again.infer({"function_name": "chat", "input": INPUT}).status_code == 200
