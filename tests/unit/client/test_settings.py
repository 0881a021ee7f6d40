"""What a client is made of, and that no key shows."""

import asyncio
import inspect
import os
import traceback

import httpx2
import pytest

import calibrant
from calibrant import AsyncClient, Client
from calibrant.client import ClientError
from calibrant.config.caller import api_key_of


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    monkeypatch.delenv("CALIBRANT_API_KEY", raising=False)
    monkeypatch.delenv("TENSORZERO_API_KEY", raising=False)


def sent_key(connect, **options):
    seen = []

    def gateway(request):
        seen.append(request.headers.get("authorization"))
        return httpx2.Response(200, json={"status": "ok", "version": "1"})

    connect(gateway, **options).call("status")
    return seen[0]


def test_the_key_is_the_argument_or_the_environments(connect, monkeypatch):
    assert sent_key(connect) is None
    monkeypatch.setenv("TENSORZERO_API_KEY", "theirs")
    assert sent_key(connect) == "Bearer theirs"
    monkeypatch.setenv("CALIBRANT_API_KEY", "ours")
    assert sent_key(connect) == "Bearer ours"
    assert sent_key(connect, api_key="mine") == "Bearer mine"
    assert sent_key(connect, api_key="") is None


def test_an_empty_variable_is_none():
    assert api_key_of({"CALIBRANT_API_KEY": "", "TENSORZERO_API_KEY": "x"}) == "x"
    assert api_key_of({"CALIBRANT_API_KEY": ""}) is None


@pytest.mark.parametrize("key", ["sk-secret\n", "sk secret", "sk-sécret", "sk-secret\x00"])
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_key_that_cannot_be_one_is_refused_and_not_shown(kind, key):
    with pytest.raises(ValueError, match="api_key") as refused:
        kind(api_key=key)
    assert "cret" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["", "localhost:3000", "ftp://x", "http://", "//x", "http://u:pw@x", "http://x?a=b", "http://x#f"]
)
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_an_address_that_is_none_is_refused(kind, url):
    with pytest.raises(ValueError, match="base_url") as refused:
        kind(url)
    assert "pw" not in str(refused.value)


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_timeout_is_positive(timeout):
    with pytest.raises(ValueError, match="timeout"):
        Client(timeout=timeout)


def test_timeouts(connect):
    seen = []

    def gateway(request):
        seen.append(request.extensions["timeout"])
        return httpx2.Response(200, json={"status": "ok", "version": "1"})

    connect(gateway).call("status")
    connect(gateway, timeout=2.5).call("status")
    connect(gateway, timeout=None).call("status")
    assert [(each["read"], each["connect"]) for each in seen] == [(600.0, 10.0), (2.5, 2.5), (None, 10.0)]


def test_a_confirmation_is_waited_for_beyond_the_clients_patience(connect):
    from tests.unit.client.test_requests import ASKED, CONFIRMATION

    seen = []

    def gateway(request):
        seen.append(request.extensions["timeout"])
        return httpx2.Response(200, json=CONFIRMATION)

    client = connect(gateway, timeout=2.5)
    client.call("confirm", **ASKED)
    client.call("confirm", **ASKED, timeout=60)
    client.call("get_confirmation", confirmation_id="c")
    assert [(each["read"], each["connect"]) for each in seen] == [(86_400.0, 10.0), (60, 10.0), (2.5, 2.5)]
    with pytest.raises(ValueError, match="timeout"):
        client.call("confirm", **ASKED, timeout=float("nan"))


def test_nothing_shows_the_key(connect):
    def gateway(request):
        raise httpx2.ReadError("it broke", request=request)

    client = connect(gateway, api_key="sk-t0-secret")
    with pytest.raises(ClientError) as failed:
        client.call("inference", model_name="m", input={})
    shown = "".join(traceback.format_exception(failed.value))
    assert "secret" not in shown + repr(client.client) + repr(client.client._settings) + repr(vars(failed.value))


def test_the_default_address():
    with Client() as client:
        assert repr(client) == "Client('http://127.0.0.1:3000')"


def test_as_tensorzeros_are_made():
    with Client.build_http(gateway_url="http://x/", verbose_errors=True, api_key="k") as client:
        assert repr(client) == "Client('http://x')"
        assert client._settings.timeout.read is None

    async def main():
        async with AsyncClient.build_http(gateway_url="http://y", async_setup=False) as made:
            assert repr(made) == "AsyncClient('http://y')"
        async with await AsyncClient.build_http(gateway_url="http://y", timeout=3) as made:
            assert made._settings.timeout.read == 3

    asyncio.run(main())


def test_a_client_closes_what_it_has_opened_and_nothing_else():
    mine = httpx2.Client()
    Client(http_client=mine).close()
    assert not mine.is_closed
    mine.close()
    with Client() as client:
        inside = client._http
    assert inside.is_closed

    async def main():
        mine = httpx2.AsyncClient()
        await AsyncClient(http_client=mine).close()
        assert not mine.is_closed
        await mine.aclose()
        async with AsyncClient() as client:
            inside = client._http
        assert inside.is_closed

    asyncio.run(main())


def test_the_package_names_the_clients_and_nothing_that_is_not_there():
    assert calibrant.Client is Client
    assert {"Client", "AsyncClient"} <= set(calibrant.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Klient'"):
        calibrant.Klient  # noqa: B018


def test_help_shows_the_parameters():
    shown = inspect.signature(Client.feedback)
    assert list(shown.parameters)[:3] == ["self", "metric_name", "value"]
    assert shown.return_annotation == "FeedbackResponse"
    assert os.environ.get("CALIBRANT_API_KEY") is None
