"""Our signature is botocore's, whatever is signed."""

from __future__ import annotations

import datetime
from unittest.mock import patch
from urllib.parse import quote

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrant.config.secret import AwsKeys, Secret
from calibrant.providers.sigv4 import signed
from calibrant.types.call import Headers, HttpCall

NOW = 1_794_000_000.0
visible = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=20)
segments = st.text(max_size=12).map(lambda text: quote(text, safe="-_.~:@!$&'()*+,;="))
paths = st.lists(segments | st.sampled_from((".", "..", "")), max_size=5).map(lambda parts: "/" + "/".join(parts))
words = st.text("abc XYZ019-_.~", max_size=6).map(quote)
queries = st.lists(st.tuples(words, words), max_size=4).map(lambda pairs: "&".join(f"{k}={v}" for k, v in pairs))
values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20)
names = st.sampled_from(
    ("content-type", "x-amz-meta", "accept", "user-agent", "expect", "x-custom", "traceparent", "x-amzn-trace-id")
)
hosts = st.sampled_from(
    (
        "https://bedrock-runtime.us-east-1.amazonaws.com",
        "http://127.0.0.1:8080",
        "https://a.test:443",
        "http://A.test:80",
        "https://[::1]:9000",
    )
)


def theirs(auth: type, http: HttpCall, keys: AwsKeys, region: str, service: str) -> dict[str, str]:
    token = keys.session_token.reveal() if keys.session_token is not None else None
    credentials = Credentials(keys.access_key_id.reveal(), keys.secret_access_key.reveal(), token)
    request = AWSRequest(method=http.method, url=http.url, data=http.body, headers=dict(http.headers))
    moment = datetime.datetime.fromtimestamp(NOW, datetime.UTC)
    with patch("botocore.auth.get_current_datetime", return_value=moment.replace(tzinfo=None)):
        auth(credentials, service, region).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


calls = st.builds(
    lambda method, host, path, query, headers, body: HttpCall(
        method, host + path + (f"?{query}" if query else ""), tuple(headers.items()), body
    ),
    st.sampled_from(("GET", "POST", "PUT", "DELETE")),
    hosts,
    paths,
    queries,
    st.dictionaries(names, values, max_size=5),
    st.binary(max_size=60),
)
keys_of = st.builds(
    lambda i, k, t: AwsKeys(Secret(i), Secret(k), None if t is None else Secret(t)),
    visible,
    visible,
    st.none() | visible,
)


@given(http=calls, keys=keys_of, region=st.sampled_from(("us-east-1", "eu-central-1")))
@settings(max_examples=300, deadline=None)
def test_a_signature(http: HttpCall, keys: AwsKeys, region: str) -> None:
    ours = dict(signed(http, keys, region=region, service="bedrock", now=NOW).headers)
    assert ours == theirs(SigV4Auth, http, keys, region, "bedrock")


@given(http=calls, keys=keys_of)
@settings(max_examples=100, deadline=None)
def test_a_signature_of_s3(http: HttpCall, keys: AwsKeys) -> None:
    ours = dict(signed(http, keys, region="us-east-1", service="s3", now=NOW).headers)
    assert ours == theirs(S3SigV4Auth, http, keys, "us-east-1", "s3")


@given(http=calls, keys=keys_of)
@settings(max_examples=50, deadline=None)
def test_signing_again_replaces_the_signature(http: HttpCall, keys: AwsKeys) -> None:
    once = signed(http, keys, region="us-east-1", service="bedrock", now=NOW - 500)
    again = signed(once, keys, region="us-east-1", service="bedrock", now=NOW)
    assert again == signed(http, keys, region="us-east-1", service="bedrock", now=NOW)


@given(now=st.integers(0, 253_402_300_799))
@settings(max_examples=300, deadline=None)
def test_the_instant(now: int) -> None:
    keys = AwsKeys(Secret("i"), Secret("k"))
    call = signed(HttpCall("GET", "https://a.test/", (), b""), keys, region="r", service="s", now=now + 0.75)
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=now)
    assert dict(call.headers)["x-amz-date"] == f"{moment.year:04}" + moment.strftime("%m%dT%H%M%SZ")


def test_the_example_of_a_header_that_comes_twice() -> None:
    headers: Headers = (("x-amz-meta", " a  b "), ("x-amz-meta", "c"))
    http = HttpCall("GET", "https://a.test/", headers, b"")
    value = dict(signed(http, AwsKeys(Secret("i"), Secret("k")), region="r", service="s", now=NOW).headers)
    assert "SignedHeaders=host;x-amz-date;x-amz-meta, " in value["authorization"]
