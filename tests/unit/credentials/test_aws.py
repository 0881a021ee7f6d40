"""AWS's chain, as botocore walks it on files, processes and servers of ours."""

import sys
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from tests.support.canned import Reply, canned
from tests.support.clouds import instance

from calibrant.credentials.aws import AwsChain
from calibrant.credentials.source import FetchFailed, Lacking


def revealed(fetched):
    keys = fetched.credential
    return (
        keys.access_key_id.reveal(),
        keys.secret_access_key.reveal(),
        None if keys.session_token is None else keys.session_token.reveal(),
    )


@pytest.fixture
def on_instance(nowhere, monkeypatch):
    """An instance of AWS's, with its metadata service."""
    with canned(instance()) as server:
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "false")
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.base)
        yield server


def test_keys_of_the_environment_do_not_end(nowhere, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    fetched = AwsChain().fetch()
    assert revealed(fetched) == ("AKID", "secret", None) and fetched.expires is None
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session")
    assert revealed(AwsChain().fetch()) == ("AKID", "secret", "session")


def test_keys_of_a_profile(nowhere, monkeypatch):
    (nowhere / "aws-credentials").write_text("[p]\naws_access_key_id = AKID\naws_secret_access_key = s\n")
    monkeypatch.setenv("AWS_PROFILE", "p")
    assert revealed(AwsChain().fetch()) == ("AKID", "s", None)


def process(folder, monkeypatch, code):
    (folder / "give.py").write_text(code)
    (folder / "aws-config").write_text(f"[profile p]\ncredential_process = {sys.executable} {folder / 'give.py'}\n")
    monkeypatch.setenv("AWS_PROFILE", "p")


def test_keys_of_a_process_end_when_it_says_so(nowhere, monkeypatch):
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    keys = {"Version": 1, "AccessKeyId": "AKID", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": end}
    process(nowhere, monkeypatch, f"print({msgspec.json.encode(keys).decode()!r})")
    fetched = AwsChain().fetch()
    assert revealed(fetched) == ("AKID", "s", "t") and fetched.expires == end.timestamp()


def test_what_a_process_says_when_it_fails_is_not_quoted(nowhere, monkeypatch):
    process(nowhere, monkeypatch, "import sys; sys.exit('canary')")
    with pytest.raises(FetchFailed, match="CredentialRetrievalError") as caught:
        AwsChain().fetch()
    assert "canary" not in str(caught.value) and caught.value.__cause__ is None


def later(chain, **delta):
    chain._credentials._time_fetcher = lambda: datetime.now(UTC) + timedelta(**delta)


def test_keys_of_an_instance_are_renewed(on_instance):
    chain = AwsChain()
    on_instance.answer = instance(key="AKID1")
    fetched = chain.fetch()
    assert revealed(fetched) == ("AKID1", "imds-secret", "imds-session")
    assert 3500 < fetched.expires - datetime.now(UTC).timestamp() <= 3600
    on_instance.answer = instance(key="AKID2", expires_in=7200)
    # Far from their end they are not asked for again.
    later(chain, minutes=30)
    assert revealed(chain.fetch())[0] == "AKID1"
    later(chain, minutes=56)
    assert revealed(chain.fetch())[0] == "AKID2"


def test_an_instance_that_stops_giving_keys_is_a_failure_and_not_a_lack(on_instance):
    chain = AwsChain()
    chain.fetch()
    on_instance.answer = lambda seen: Reply(b"canary", status=500)
    later(chain, minutes=56)
    with pytest.raises(FetchFailed, match=r"^AWS's chain failed \(CredentialRetrievalError\)$"):
        chain.fetch()


def test_no_keys_anywhere(nowhere):
    with pytest.raises(Lacking, match="have no credentials"):
        AwsChain().fetch()


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ("[profile other]\n", "ProfileNotFound"),
        ("[profile p]\nrole_arn = arn:aws:iam::1:role/r\n", "PartialCredentialsError"),
        ("[profile p]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = q\n", "InvalidConfigError"),
        ("nothing\n", "ConfigParseError"),
    ],
)
def test_settings_that_cannot_be_used(nowhere, monkeypatch, config, error):
    (nowhere / "aws-config").write_text(config)
    monkeypatch.setenv("AWS_PROFILE", "p")
    with pytest.raises(Lacking, match=error):
        AwsChain().fetch()


def test_a_role_that_sts_refuses_is_told_by_its_code(nowhere, monkeypatch):
    error = "<Error><Code>AccessDenied</Code><Message>canary</Message></Error>"
    body = f"<ErrorResponse>{error}<RequestId>r</RequestId></ErrorResponse>".encode()
    with canned(lambda seen: Reply(body, "text/xml", 403)) as sts:
        (nowhere / "aws-config").write_text(
            "[profile p]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = q\nregion = us-east-1\n"
            "[profile q]\naws_access_key_id = AKID\naws_secret_access_key = s\n"
        )
        monkeypatch.setenv("AWS_PROFILE", "p")
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.base)
        with pytest.raises(FetchFailed, match="AccessDenied") as caught:
            AwsChain().fetch()
    assert "canary" not in str(caught.value)


def test_the_region(nowhere, monkeypatch):
    with pytest.raises(Lacking, match="name no region"):
        AwsChain().region()
    (nowhere / "aws-config").write_text("[profile p]\nregion = eu-west-3\n")
    monkeypatch.setenv("AWS_PROFILE", "p")
    assert AwsChain().region() == "eu-west-3"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-south-1")
    assert AwsChain().region() == "ap-south-1"
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_PROFILE", "missing")
    with pytest.raises(Lacking, match="ProfileNotFound"):
        AwsChain().region()


def test_the_region_of_an_instance(on_instance):
    assert AwsChain().region() == "eu-central-1"
