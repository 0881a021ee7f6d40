"""The small HTTP client that threads use."""

import pytest
import trustme
from tests.support.canned import Reply, canned

from calibrant.config.environment import Proxies
from calibrant.config.secret import Secret
from calibrant.credentials.transport import NoAnswer, Transport


@pytest.fixture
def server():
    with canned(lambda seen: Reply(seen.body or b"plain", headers=(("X-Odd", "1"),))) as running:
        yield running


def test_a_request_and_its_answer(server):
    answer = Transport(Proxies()).request("POST", f"{server.base}/a?b=c", {"x-mine": "y"}, b"body")
    assert (answer.status, answer.data, answer.headers["x-odd"]) == (200, b"body", "1")
    (seen,) = server.seen
    assert (seen.method, seen.path, seen.headers["x-mine"]) == ("POST", "/a?b=c", "y")


@pytest.mark.parametrize("status", [302, 400, 401, 404, 500])
def test_each_status_is_an_answer(server, status):
    server.answer = lambda seen: Reply(b"no", status=status, headers=(("Location", f"{server.base}/elsewhere"),))
    answer = Transport(Proxies()).request("GET", server.base, {})
    assert (answer.status, answer.data, len(server.seen)) == (status, b"no", 1)


def test_an_answer_without_end_is_cut_off(server):
    server.answer = lambda seen: Reply(b"x" * 2**21)
    assert len(Transport(Proxies()).request("GET", server.base, {}).data) == 2**20


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/", "file:///etc/passwd", "ftp://x/", "data:,x", "nothing", "http://"]
)
def test_no_answer(url):
    with pytest.raises(NoAnswer) as caught:
        Transport(Proxies()).request("GET", url, {}, timeout_s=2)
    assert caught.value.__cause__ is None


def test_proxies_are_used_and_gone_round(server, monkeypatch):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    transport = Transport(
        Proxies(http=Secret(server.base), no_proxy=("127.0.0.0/8", ".Inside.invalid", "host.invalid"))
    )
    for host in ("tokens.invalid", "10.1.2.3", "notinside.invalid"):
        transport.request("GET", f"http://{host}/t", {})
        assert server.seen[-1].path == f"http://{host}/t"
    for host in ("127.0.0.1:1", "inside.invalid", "a.inside.invalid", "HOST.invalid", "a.host.invalid"):
        with pytest.raises(NoAnswer):
            transport.request("GET", f"http://{host}/t", {})
    with pytest.raises(NoAnswer):
        transport.request("GET", "http://tokens.invalid/t", {}, direct=True)
    with pytest.raises(NoAnswer):
        Transport(Proxies(http=Secret(server.base), no_proxy=("*",))).request("GET", "http://tokens.invalid/", {})
    assert len(server.seen) == 3


def test_authorities_of_the_bundle_are_trusted_too(tmp_path):
    with pytest.raises(FileNotFoundError):
        Transport(Proxies(), str(tmp_path / "nowhere"))
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
    Transport(Proxies(), str(tmp_path / "ca.pem"))
