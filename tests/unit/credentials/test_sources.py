"""Which libraries are loaded, and what is said where one is missing."""

import subprocess
import sys

import pytest
from tests.support.clouds import service_account

from calibrant.config.secret import Secret, Secrets, TokenSource
from calibrant.credentials import sources
from calibrant.credentials.sources import open_sources

AWS = TokenSource("sdk::aws", "aws")
GCP = TokenSource("gcp::env::K", "gcp", Secret(service_account("http://127.0.0.1:1")))


def opened(*wanted, ca_bundle=None):
    secrets = Secrets({}, {}, sources=wanted)
    return secrets, open_sources(secrets, {}, ca_bundle)


def test_one_of_each():
    secrets, found = opened(AWS, GCP)
    assert [(source.location, source.kind) for source in found] == [("sdk::aws", "aws"), ("gcp::env::K", "gcp")]
    assert secrets._missing == {}


@pytest.mark.parametrize(("kind", "library"), [("aws", "botocore"), ("gcp", "google-auth")])
def test_a_library_that_is_missing_is_named_with_the_line_that_installs_it(monkeypatch, kind, library):
    monkeypatch.delitem(sys.modules, f"calibrant.credentials.{kind}", raising=False)
    monkeypatch.setitem(sys.modules, {"aws": "botocore", "gcp": "google"}[kind], None)
    monkeypatch.setitem(sys.modules, {"aws": "botocore.config", "gcp": "google.auth.aws"}[kind], None)
    source = AWS if kind == "aws" else GCP
    secrets, found = opened(source)
    assert found == []
    assert secrets._missing == {source.location: f"{library} is not installed; run: pip install 'calibrant[{kind}]'"}


def test_a_fault_of_ours_is_not_taken_for_a_missing_library(monkeypatch):
    def load(_):
        raise ModuleNotFoundError("No module named 'calibrant.nothing'", name="calibrant.nothing")

    monkeypatch.setattr(sources.importlib, "import_module", load)
    with pytest.raises(ModuleNotFoundError, match="nothing"):
        opened(AWS)


def test_what_is_no_account_is_missing():
    secrets, found = opened(TokenSource("gcp::path::/k.json", "gcp", Secret("{}")))
    assert found == [] and "'path::/k.json' has no `type`" in secrets._missing["gcp::path::/k.json"]


def test_a_bundle_of_authorities_that_cannot_be_read(tmp_path):
    secrets, found = opened(GCP, ca_bundle=str(tmp_path / "nowhere"))
    assert found == [] and "CA bundle" in secrets._missing["gcp::env::K"]


def loaded(code):
    done = subprocess.run(
        [sys.executable, "-c", code + "\nimport sys\nprint(*sys.modules)"], capture_output=True, check=True
    )
    return {name.partition(".")[0] for name in done.stdout.decode().split()}


START = """
import asyncio
from calibrant.base.clock import SystemClock
from calibrant.config.load import load
from calibrant.config.secret import Secrets, TokenSource
from calibrant.credentials.opening import open_credentials
from calibrant.telemetry.metrics import Metrics
import calibrant.app.worker
asyncio.run(open_credentials(load(None, environ={}), {}, metrics=Metrics(), clock=SystemClock()))
"""
AGAIN = "from calibrant.credentials.sources import open_sources\nopen_sources(Secrets({}, {}, sources=%s), {}, None)\n"


def test_a_worker_loads_a_cloud_only_where_a_provider_needs_it():
    clouds = {"botocore", "google", "boto3", "requests", "cryptography"}
    assert not loaded(START) & clouds
    with_aws = loaded(START + AGAIN % "[TokenSource('sdk::aws', 'aws')]")
    assert "botocore" in with_aws and not with_aws & {"google", "boto3", "cryptography"}
    with_gcp = loaded(START + AGAIN % "[TokenSource('sdk::gcp', 'gcp')]")
    assert "google" in with_gcp and not with_gcp & {"botocore", "boto3", "requests"}
