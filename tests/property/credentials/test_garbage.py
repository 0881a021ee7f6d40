"""Whatever a server of tokens says, or a key file holds: a failure that quotes nothing, and never another error."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrant.config.environment import Proxies
from calibrant.config.secret import Secret
from calibrant.credentials.gcp import GcpToken
from calibrant.credentials.metadata import metadata_token
from calibrant.credentials.source import FetchFailed, Lacking
from calibrant.credentials.transport import Answer, Transport

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)
FIELDS = ("type", "private_key", "token_uri", "client_email", "credential_source", "audience", "subject_token_type")
KINDS = ("service_account", "authorized_user", "external_account", "impersonated_service_account", "odd")
ACCOUNTS = st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=7).flatmap(
    lambda fields: st.sampled_from(KINDS).map(lambda kind: {**fields, "type": kind})
)
STATUS = st.sampled_from([200, 204, 301, 400, 401, 404, 500, 503])


def encoded(value):
    return msgspec.json.encode(value)


class Told(Transport):
    """Answers as it is told to."""

    def __init__(self, answer):
        self.answer = answer

    def request(self, *_, **__):
        return self.answer


@given(st.one_of(st.text(), JSON.map(encoded).map(bytes.decode), ACCOUNTS.map(encoded).map(bytes.decode)))
@settings(max_examples=60, deadline=None)
def test_any_text_in_the_place_of_an_account(text):
    try:
        GcpToken("gcp::env::K", Secret(text), {}, Transport(Proxies()))
    except Lacking as error:
        assert "env::K" in str(error)


@given(STATUS, st.booleans(), st.one_of(st.binary(), JSON.map(encoded)))
@settings(max_examples=200, deadline=None)
def test_any_answer_of_the_metadata_server(status, google, data):
    headers = {"metadata-flavor": "Google"} if google else {}
    try:
        fetched = metadata_token(Told(Answer(status, headers, data)), {})
    except (FetchFailed, Lacking) as error:
        assert len(str(error)) < 200
    else:
        assert status == 200 and isinstance(fetched.credential, Secret)
