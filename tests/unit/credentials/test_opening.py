"""What a worker does about credentials before it is ready."""

import asyncio
import threading

import pytest
from msgspec.structs import replace
from tests.support.canned import Reply, canned
from tests.support.clouds import ManualClock, instance, service_account, token

from calibrant.base.clock import SystemClock
from calibrant.base.errors import ConfigError, MissingCredential
from calibrant.config.load import default_config
from calibrant.config.schema import AwsLocations, Credential, Model, Provider
from calibrant.config.secret import Secret
from calibrant.credentials.opening import open_credentials
from calibrant.telemetry.metrics import Metrics


def config_of(**providers):
    """A configuration of one model for each provider, which has its name."""
    models = {name: Model(name, (replace(provider, name="p"),)) for name, provider in providers.items()}
    return replace(default_config(), models=models)


def provider(credential, type_="gcp_vertex_gemini", **options):
    return Provider("p", type_, "m", credential=credential, options=options)


def opened(config, environ, *, clock=None, try_s=10.0):
    async def go():
        found = await open_credentials(config, environ, metrics=Metrics(), clock=clock or SystemClock(), try_s=try_s)
        await found.refresher.close()
        return found

    return asyncio.run(go())


def test_the_first_token_is_there_before_the_worker_is_ready(nowhere):
    with canned(lambda seen: token()) as server:
        found = opened(config_of(m=provider(Credential("gcp::env::K"))), {"K": service_account(server.base)})
    assert found.secrets.get(Credential("gcp::env::K"), {}) == Secret("token-1")


def test_keys_and_region_of_an_instance(nowhere, monkeypatch):
    with canned(instance()) as server:
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "false")
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.base)
        config = config_of(m=provider(Credential("env::T", "sdk::aws"), "aws_bedrock", region="sdk"))
        found = opened(config, {})
    assert found.secrets.get(Credential("env::T", "sdk::aws"), {}).access_key_id == Secret("AKIDIMDS")
    assert found.config.models["m"].providers[0].options["region"] == "eu-central-1"
    assert found.config.hash == config.hash


def test_everything_that_is_missing_is_told_at_once(nowhere):
    config = config_of(
        a=provider(Credential("env::A"), "openai"),
        b=provider(Credential("gcp::env::B")),
        c=provider(Credential("gcp::env::C")),
        d=provider(Credential("env::D", "sdk::aws"), "aws_bedrock", region="sdk"),
        e=provider(Credential("sdk::gcp")),
        f=provider(Credential("none", aws=AwsLocations("env::F1", "env::F2", "dynamic::f"))),
        g=provider(Credential("none"), "azure", endpoint="env::G"),
        h=provider(Credential("none"), "azure", endpoint="env::H"),
    )
    environ = {"C": "{}", "HOME": str(nowhere), "GCE_METADATA_HOST": "127.0.0.1:1", "H": "canary"}
    with pytest.raises(ConfigError) as caught:
        opened(config, environ)
    lines = dict(line.removeprefix("environment: models.").split(": ", 1) for line in caught.value.message.split("\n"))
    assert list(lines) == [
        "g.providers.p.endpoint",
        "h.providers.p.endpoint",
        "d.providers.p.region",
        "a.providers.p",
        "b.providers.p",
        "c.providers.p",
        "d.providers.p",
        "e.providers.p",
        "f.providers.p",
    ]
    assert "variable A is not set" in lines["a.providers.p"] and "variable B is not set" in lines["b.providers.p"]
    assert "no `type`" in lines["c.providers.p"] and "gcloud" in lines["e.providers.p"]
    assert "variable D is not set and AWS's own settings" in lines["d.providers.p"]
    assert "F1 is not set and" in lines["f.providers.p"] and "F2 is not set" in lines["f.providers.p"]
    assert "name no region" in lines["d.providers.p.region"] and "canary" not in caught.value.message


def test_a_server_that_is_away_is_no_reason_not_to_start(nowhere, caplog):
    config = config_of(m=provider(Credential("gcp::env::K")))
    with caplog.at_level("WARNING", "calibrant"):
        found = opened(config, {"K": service_account("http://127.0.0.1:1")})
    with pytest.raises(MissingCredential, match="TransportError"):
        found.secrets.get(Credential("gcp::env::K"), {})
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_server_that_hangs_holds_a_worker_up_only_so_long(nowhere):
    config = config_of(m=provider(Credential("gcp::env::K")))
    held = []

    def answer(seen):
        held.append(seen)
        release.wait(10)
        return Reply(b"")

    release = threading.Event()
    with canned(answer) as server:
        found = opened(config, {"K": service_account(server.base)}, try_s=0.2)
        release.set()
    with pytest.raises(MissingCredential, match=r"no answer within 0\.2 s"):
        found.secrets.get(Credential("gcp::env::K"), {})


def test_a_region_that_does_not_come_in_time(nowhere, monkeypatch):
    release = threading.Event()

    class Chain:
        def region(self):
            release.wait(10)

    monkeypatch.setattr("calibrant.credentials.opening.chain", Chain)
    with pytest.raises(ConfigError, match=r"gave no region within 0\.05 s; set AWS_REGION"):
        opened(config_of(m=provider(Credential("none"), "aws_bedrock", region="sdk")), {}, try_s=0.05)
    release.set()


def test_a_region_that_is_none(nowhere, monkeypatch):
    (nowhere / "aws-config").write_text("[default]\nregion = evil.example/\n")
    with pytest.raises(ConfigError, match=r"AWS's own settings have is no name of a region"):
        opened(config_of(m=provider(Credential("none"), "aws_bedrock", region="sdk")), {})


def test_the_region_of_the_environment_needs_no_library(nowhere, monkeypatch):
    monkeypatch.setattr("calibrant.credentials.opening.chain", None)
    config = config_of(m=provider(Credential("none"), "aws_bedrock", region="sdk"))
    found = opened(config, {"AWS_REGION": "us-west-2", "AWS_DEFAULT_REGION": "us-east-1"})
    assert found.config.models["m"].providers[0].options["region"] == "us-west-2"


def test_a_fallback_saves_what_cannot_be_fetched(nowhere):
    credential = Credential("sdk::aws", "dynamic::mine")
    found = opened(config_of(m=provider(credential)), {})
    assert found.secrets.get(credential, {"mine": "k"}) == Secret("k")
    with pytest.raises(MissingCredential, match="have no credentials and the request has no 'mine'"):
        found.secrets.get(credential, {})


def test_a_token_expires_by_the_clock(nowhere):
    clock = ManualClock(SystemClock().wall_ms() / 1e3)
    with canned(lambda seen: token()) as server:
        found = opened(
            config_of(m=provider(Credential("gcp::env::K"))), {"K": service_account(server.base)}, clock=clock
        )
    clock.now += 3500
    assert found.secrets.get(Credential("gcp::env::K"), {}) == Secret("token-1")
    clock.now += 101
    with pytest.raises(MissingCredential, match="has expired"):
        found.secrets.get(Credential("gcp::env::K"), {})
