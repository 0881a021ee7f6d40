from __future__ import annotations

import msgspec
import pytest
from tests.contract.providers.calls import make

from calibrant.base.errors import BadAnswer, Refused
from calibrant.providers.refusal import MAX_MESSAGE


def refused(status: int, body: bytes = b"{}", *headers: tuple[str, str]) -> Refused:
    error = make("openai").error(status, headers, body)
    assert isinstance(error, Refused)
    assert error.upstream_status == status
    assert error.raw_response == body
    return error


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_these_may_pass(status: int) -> None:
    assert refused(status).retryable


@pytest.mark.parametrize("status", [300, 302, 400, 401, 402, 403, 404, 413, 422])
def test_these_will_not(status: int) -> None:
    assert not refused(status).retryable


def test_a_spent_quota_is_no_rate_limit() -> None:
    body = b'{"error":{"message":"You exceeded your quota","type":"insufficient_quota","code":"insufficient_quota"}}'
    assert not refused(429, body).retryable


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error":{"message":"No such model","type":"x","param":null,"code":null}}', "No such model"),
        (b'{"error":"No such model","error_type":"validation"}', "No such model"),
        (b'{"object":"error","message":"No such model","type":"x","code":404}', "No such model"),
        (b'{"message":{"detail":[{"type":"extra_forbidden"}]}}', '{"detail":[{"type":"extra_forbidden"}]}'),
        (b'{"detail":"Not Found"}', "Not Found"),
        (b'{"detail":[{"loc":["body"],"msg":"bad"}]}', '[{"loc":["body"],"msg":"bad"}]'),
        (b"<html>Bad Gateway</html>", "<html>Bad Gateway</html>"),
        (b"", "no message"),
        (b"  \n", "no message"),
        (b'{"error":{}}', '{"error":{}}'),
        (b'{"error":[1]}', '{"error":[1]}'),
        (b"\xff\xfe", "��"),
        (b"[" * 20_000, "[[["),
    ],
)
def test_the_message_is_what_the_provider_said(body: bytes, message: str) -> None:
    error = refused(503, body)
    assert error.message.startswith("provider 'my_openai' answered 503: ")
    assert message in error.message


def test_the_message_is_bounded() -> None:
    error = refused(500, b'{"error":{"message":"' + b"x" * 5000 + b'"}}')
    assert len(error.message) < MAX_MESSAGE + 100
    assert len(refused(500, b"y" * 100_000).message) < MAX_MESSAGE + 100


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ([("retry-after", "2")], 2.0),
        ([("retry-after", "0.5")], 0.5),
        ([("retry-after-ms", "250"), ("retry-after", "1")], 0.25),
        ([("retry-after-ms", "soon"), ("retry-after", "1")], 1.0),
        ([("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT")], None),
        ([("retry-after", "-1")], None),
        ([("retry-after", "nan")], None),
        ([("retry-after", "inf")], None),
        ([("retry-after", "1e300")], 86_400.0),
        ([], None),
    ],
)
def test_retry_after(headers: list[tuple[str, str]], wait: float | None) -> None:
    assert refused(429, b"{}", *headers).retry_after == wait


@pytest.mark.parametrize(
    ("body", "retryable"),
    [
        (b'{"error":{"message":"overloaded","type":"server_error"}}', True),
        (b'{"error":{"message":"slow down","code":429}}', True),
        (b'{"error":{"message":"no credit","code":402}}', False),
        (b'{"error":{"message":"bad","type":"invalid_request_error"}}', False),
        (b'{"error":"overloaded"}', True),
        (b'{"object":"error","message":"overloaded","code":503}', True),
        (b'{"object":"error","message":"too long","code":400}', False),
        (b'{"id":"x","choices":[],"error":{"message":"gone","code":502}}', True),
        (b'{"choices":[{"message":{"content":"half"}}],"error":{"message":"gone","code":502}}', True),
    ],
)
def test_an_error_with_a_good_status_is_an_error(body: bytes, retryable: bool) -> None:
    with pytest.raises(Refused, match="sent an error") as caught:
        make("openrouter").decode(200, (), body)
    assert caught.value.upstream_status == 200
    assert caught.value.retryable is retryable


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<!doctype html><p>Sign in</p>",
        b"{}",
        b"[]",
        b"null",
        b'{"choices":[]}',
        b'{"choices":null}',
        b'{"choices":{}}',
        b'{"choices":[{}]}',
        b'{"choices":[{"message":null}]}',
        b'{"choices":[{"message":{"content":5}}]}',
        b'{"choices":[{"message":{"content":["x"]}}]}',
        b'{"choices":[{"message":{"tool_calls":[{"function":{"name":1}}]}}]}',
        b'{"choices":[{"message":{"content":"half',
        b'{"choices":[{"message":{"content":"\xff"}}]}',
        b'{"choices":[{"message":{"content":"x"}}],"error":5}',
        b'{"usage":' + b"[" * 20_000,
        b"data: {}\n\n",
    ],
)
def test_anything_else_is_a_bad_answer(body: bytes) -> None:
    with pytest.raises(BadAnswer, match="my_openai") as caught:
        make("openai").decode(200, (), body)
    assert caught.value.raw_response == body
    assert caught.value.upstream_status == 200


def test_a_bad_status_is_an_error_whoever_asks() -> None:
    with pytest.raises(Refused, match="answered 500"):
        make("openai").decode(500, (), b"{}")


def test_an_error_in_a_list_of_its_own() -> None:
    error = refused(503, b' [{"error":{"message":"busy","details":[{"retryDelay":"2s"}]}}]')
    assert (error.message, error.retry_after) == ("provider 'my_openai' answered 503: busy", 2)


def test_a_list_of_more_is_no_error_of_its_own() -> None:
    assert "[{" in refused(503, b'[{"error":"a"},{"error":"b"}]').message


@pytest.mark.parametrize(
    ("when", "now", "wait"),
    [
        ("Sat, 28 Nov 2026 12:00:30 GMT", "Sat, 28 Nov 2026 12:00:00 GMT", 30.0),
        ("Sat, 28 Nov 2026 11:00:00 GMT", "Sat, 28 Nov 2026 12:00:00 GMT", 0.0),
        ("Sat, 28 Nov 2026 12:00:30 GMT", None, None),
        ("Sat, 28 Nov 2026 12:00:30 GMT", "yesterday", None),
        ("soon", "Sat, 28 Nov 2026 12:00:00 GMT", None),
        ("Sat, 28 Nov 2036 12:00:00 GMT", "Sat, 28 Nov 2026 12:00:00 GMT", 86_400.0),
    ],
)
def test_a_retry_after_that_is_a_date_counts_from_the_answer_s_own(when, now, wait):
    headers = (("retry-after", when), *(() if now is None else (("date", now),)))
    assert refused(429, b"{}", *headers).retry_after == wait


@pytest.mark.parametrize("when", ["Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "(" * 2000, "Mon, 01 Jan"])
def test_a_date_that_is_none_says_nothing(when: str) -> None:
    now = ("date", "Wed, 21 Oct 2026 07:28:00 GMT")
    assert refused(429, b"{}", ("retry-after", when), now).retry_after is None
    assert refused(429, b"{}", ("retry-after", now[1]), ("date", when)).retry_after is None


@pytest.mark.parametrize(
    ("error", "retryable"), [({"code": 502, "message": "gone"}, True), ({"code": 400, "message": "gone"}, False)]
)
def test_an_error_inside_the_choice_is_an_error(error: dict[str, object], retryable: bool) -> None:
    choice = {"message": {"content": "half"}, "finish_reason": "error", "error": error}
    body = msgspec.json.encode({"id": "x", "choices": [choice]})
    with pytest.raises(Refused, match="gone") as caught:
        make("openrouter").decode(200, (), body)
    assert (caught.value.retryable, caught.value.raw_response) == (retryable, body)
