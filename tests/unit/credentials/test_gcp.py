"""Google's tokens, from accounts with keys made here and servers of ours."""

import time

import google.oauth2.credentials
import msgspec
import pytest
from tests.support.canned import Reply, canned
from tests.support.clouds import private_key, service_account, token

from calibrant.config.environment import Proxies
from calibrant.config.secret import Secret
from calibrant.credentials.gcp import GcpToken
from calibrant.credentials.source import FetchFailed, Lacking
from calibrant.credentials.transport import Transport

LOCATION = "gcp::env::KEY"
DEFAULT = "sdk::gcp"


def source(key=None, environ=None, location=None):
    environ = environ or {}
    key = None if key is None else Secret(key)
    return GcpToken(location or (DEFAULT if key is None else LOCATION), key, environ, Transport(Proxies()))


@pytest.fixture
def server():
    with canned(lambda seen: token()) as running:
        yield running


def refusal(status=400, code="invalid_grant", **more):
    return Reply(msgspec.json.encode({"error": code, **more}), status=status)


def test_the_key_of_a_service_account_is_exchanged_for_a_token(server):
    fetched = source(service_account(f"{server.base}/token")).fetch()
    assert fetched.credential == Secret("token-1")
    assert 3500 < fetched.expires - time.time() <= 3600
    (seen,) = server.seen
    assert (seen.method, seen.path) == ("POST", "/token")
    assert b"jwt-bearer" in seen.body and b"assertion=" in seen.body
    assert private_key().encode() not in seen.body


def test_each_fetch_asks_anew(server):
    asked = source(service_account(f"{server.base}/token"))
    assert asked.fetch().credential == Secret("token-1")
    server.answer = lambda seen: token("token-2")
    assert asked.fetch().credential == Secret("token-2")


def test_a_user_that_gcloud_logged_in(nowhere, server, monkeypatch):
    monkeypatch.setattr(google.oauth2.credentials, "_GOOGLE_OAUTH2_TOKEN_ENDPOINT", f"{server.base}/token")
    user = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}
    folder = nowhere / ".config" / "gcloud"
    folder.mkdir(parents=True)
    (folder / "application_default_credentials.json").write_bytes(msgspec.json.encode(user))
    assert source(environ={"HOME": str(nowhere)}).fetch().credential == Secret("token-1")
    (folder / "application_default_credentials.json").rename(nowhere / "application_default_credentials.json")
    assert source(environ={"CLOUDSDK_CONFIG": str(nowhere)}).fetch().credential == Secret("token-1")


def test_the_file_that_the_environment_names(nowhere, server):
    file = nowhere / "key.json"
    environ = {"GOOGLE_APPLICATION_CREDENTIALS": str(file), "HOME": str(nowhere)}
    asked = source(environ=environ)
    with pytest.raises(Lacking, match="cannot be read"):
        asked.fetch()
    file.write_text("{")
    with pytest.raises(Lacking, match="is no JSON of an account"):
        asked.fetch()
    file.write_text(service_account(f"{server.base}/token"))
    assert asked.fetch().credential == Secret("token-1")


def test_an_external_account_brings_the_token_of_another_cloud(nowhere, server):
    (nowhere / "subject").write_text("subject-token")
    account = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{server.base}/sts",
        "credential_source": {"file": str(nowhere / "subject")},
    }
    assert source(msgspec.json.encode(account).decode()).fetch().credential == Secret("token-1")
    assert b"subject-token" in server.seen[0].body


def test_the_account_of_the_machine(nowhere, server):
    environ = {"HOME": str(nowhere), "GCE_METADATA_HOST": server.base.removeprefix("http://")}
    fetched = source(environ=environ).fetch()
    assert fetched.credential == Secret("token-1") and 3500 < fetched.expires - time.time() <= 3600
    assert server.seen[0].headers["metadata-flavor"] == "Google"
    assert server.seen[0].path == "/computeMetadata/v1/instance/service-accounts/default/token"


@pytest.mark.parametrize(
    ("reply", "error", "match"),
    [
        (Reply(b"", status=404, headers=(("Metadata-Flavor", "Google"),)), Lacking, "no service account"),
        (Reply(b"", status=503, headers=(("Metadata-Flavor", "Google"),)), FetchFailed, "status 503"),
        (Reply(b"{}", headers=(("Metadata-Flavor", "Google"),)), FetchFailed, "no token"),
        (token(""), FetchFailed, "no token"),
        (Reply(b"<html>a router's page</html>"), Lacking, "no metadata server"),
    ],
)
def test_a_machine_without_a_token(nowhere, server, reply, error, match):
    server.answer = lambda seen: reply
    with pytest.raises(error, match=match):
        source(environ={"HOME": str(nowhere), "GCE_METADATA_HOST": server.base.removeprefix("http://")}).fetch()


def test_a_machine_that_is_not_googles(nowhere):
    with pytest.raises(Lacking, match="gcloud auth application-default login"):
        source(environ={"HOME": str(nowhere), "GCE_METADATA_HOST": "127.0.0.1:1"}).fetch()


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("canary", "is no JSON of an account"),
        ('["canary"]', "is no JSON of an account"),
        ('{"type": "canary"}', "no `type` that is one of"),
        ('{"type": "service_account", "private_key": "canary"}', "cannot be used"),
        ('{"type": "external_account", "credential_source": ["canary"]}', "cannot be used"),
        ('{"type": "external_account", "credential_source": 7}', "cannot be used"),
        ('{"type": "authorized_user"}', "cannot be used"),
    ],
)
def test_what_is_no_account_is_told_without_being_quoted(text, match):
    with pytest.raises(Lacking, match=match) as caught:
        source(text)
    assert "canary" not in str(caught.value) and "env::KEY" in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_key_that_is_broken_in_the_middle_is_not_quoted(server):
    broken = service_account(server.base, private_key=private_key()[:300] + "canary" + private_key()[300:])
    with pytest.raises(Lacking, match="cannot be used") as caught:
        source(broken)
    assert "canary" not in str(caught.value)


def test_a_refusal_is_told_by_its_code(server):
    server.answer = lambda seen: refusal(error_description=f"canary {seen.body.decode()}")
    with pytest.raises(FetchFailed, match=r"^Google refused the account's key \(invalid_grant\)$") as caught:
        source(service_account(server.base)).fetch()
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "reply",
    [
        refusal(code="can\nary"),
        Reply(b"canary", status=400),
        Reply(b"canary", content_type="text/plain"),
        Reply(b'{"access_token": 5}'),
        Reply(b'{"access_token": ""}'),
        Reply(b'{"access_token": "t", "expires_in": "canary"}'),
        Reply(b"[]"),
        Reply(b""),
    ],
)
def test_an_answer_that_is_no_token_is_a_failure(server, reply):
    server.answer = lambda seen: reply
    with pytest.raises(FetchFailed) as caught:
        source(service_account(server.base)).fetch()
    assert "canary" not in str(caught.value)


def test_a_server_that_cannot_be_reached_is_a_failure():
    with pytest.raises(FetchFailed, match="TransportError"):
        source(service_account("http://127.0.0.1:1/token")).fetch()
