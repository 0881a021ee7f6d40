import pytest

from calibrant.app.supervisor import Supervisor
from calibrant.cli.serve import announce, url_of


@pytest.mark.parametrize(("host", "url"), [("127.0.0.1", "http://127.0.0.1:3000"), ("::1", "http://[::1]:3000")])
def test_an_address_as_a_url(host, url):
    assert url_of(host, 3000) == url


def test_where_the_gateway_listens_is_said_on_standard_error(capsys):
    announce("::", 80)
    assert capsys.readouterr() == ("", "calibrant gateway on http://[::]:80\n")


@pytest.mark.parametrize(("host", "times"), [("127.0.0.1", 0), ("0.0.0.0", 1)])
def test_a_gateway_that_others_reach_without_a_key_warns_once(run, monkeypatch, tmp_path, host, times):
    async def nothing(_):
        return 0

    monkeypatch.setattr(Supervisor, "run", nothing)
    status, out, err = run("gateway", "--host", host, "--workers", "3", "--data-dir", tmp_path / "data")
    assert (status, out) == (0, "")
    assert err.count("warning: no API key is asked for") == err.count("warning") == times
