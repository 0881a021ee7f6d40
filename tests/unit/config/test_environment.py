import pytest

from calibrant.base.errors import ConfigError
from calibrant.config.environment import Proxies, settings_from_environ
from calibrant.config.secret import Secret


def test_ours_is_read_first():
    settings = settings_from_environ(
        {
            "CALIBRANT_GATEWAY_BIND_ADDRESS": "127.0.0.1:1",
            "TENSORZERO_GATEWAY_BIND_ADDRESS": "127.0.0.1:2",
            "CALIBRANT_POSTGRES_URL": "",
            "TENSORZERO_POSTGRES_URL": "postgres://u:canary@h/d",
            "SSL_CERT_FILE": "x.pem",
        }
    )
    assert (settings.host, settings.port) == ("127.0.0.1", 1)
    assert settings.postgres_url == Secret("postgres://u:canary@h/d") and "canary" not in repr(settings)
    assert settings.system_ca_bundle == "x.pem"


def test_proxies():
    environ = {"http_proxy": "http://a", "HTTP_PROXY": "http://b", "HTTPS_PROXY": "http://c", "no_proxy": "x, .y.com,"}
    assert settings_from_environ(environ).proxies == Proxies(Secret("http://a"), Secret("http://c"), ("x", ".y.com"))


def test_nothing():
    assert settings_from_environ({}).proxies == Proxies()


def test_all_mistakes_at_once():
    with pytest.raises(ConfigError) as caught:
        settings_from_environ({"CALIBRANT_WORKERS": "many", "TENSORZERO_GATEWAY_BIND_ADDRESS": "here"})
    assert len(caught.value.message.split("\n")) == 2
