"""`calibrant demo ner --gateway`: a gateway that does not answer, or not to this key, is found out first."""

import pytest
from tests.support.canned import Reply, canned


@pytest.mark.parametrize(
    ("status", "said"),
    [(401, "--api-key"), (403, "--role read"), (404, "answers 404")],
)
def test_one_that_does_not_tell(run, monkeypatch, tmp_path, status, said):
    monkeypatch.setenv("CALIBRANT_API_KEY", "sk-secret")
    with canned(lambda seen: Reply(b"{}", status=status)) as server:
        code, _, err = run("demo", "ner", "--gateway", server.base, "--data-dir", tmp_path)
    assert code == 2 and said in err and "sk-secret" not in err
    (seen,) = server.seen
    assert (seen.path, seen.headers["authorization"]) == ("/internal/accounting", "Bearer sk-secret")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "no-url"])
def test_none_at_all(run, tmp_path, url):
    code, _, err = run("demo", "ner", "--gateway", url, "--api-key", "k", "--data-dir", tmp_path)
    assert code == 2 and f"no gateway answers at {url}" in err
