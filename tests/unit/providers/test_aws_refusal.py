from __future__ import annotations

import pytest

from calibrant.providers.aws_refusal import aws_refusal_in, aws_refused, refused_in_stream


def test_the_kind_is_found_in_the_header_or_the_body() -> None:
    body = b'{"__type":"com.amazon.coral.availability#ThrottlingException","message":"Slow."}'
    assert "ThrottlingException: Slow." in aws_refused("p", 400, (), body).message
    headers = (("x-amzn-errortype", "ValidationException:http://internal.amazon.com/coral/x/"),)
    error = aws_refused("p", 400, headers, body)
    assert "ValidationException: Slow." in error.message
    assert not error.retryable


@pytest.mark.parametrize(("wait", "seconds"), [("1500", 1.5), ("x", None), ("-1", None)])
def test_how_long_to_wait(wait: str, seconds: float | None) -> None:
    assert aws_refused("p", 429, (("x-amz-retry-after", wait),), b"{}").retry_after == seconds


def test_the_status_decides_where_nobody_knows_the_kind() -> None:
    headers = (("x-amzn-errortype", "NewException"),)
    assert aws_refused("p", 503, headers, b"{}").retryable
    assert not aws_refused("p", 400, headers, b"{}").retryable


def test_an_operation_that_aws_does_not_know_is_answered_with_200() -> None:
    error = aws_refusal_in(
        "p", b'{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1"}'
    )
    assert error is not None and "UnknownOperationException" in error.message and not error.retryable


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"message":null}', b'{"Output":null}', b"\xff", b'"x"'])
def test_no_error(body: bytes) -> None:
    assert aws_refusal_in("p", body) is None


def test_a_message_is_bounded() -> None:
    body = b'{"message":"%b"}' % (b"x" * 5000)
    for error in (aws_refused("p", 500, (), body), aws_refusal_in("p", body), refused_in_stream("p", "a", body)):
        assert error is not None and len(error.message) < 1200


def test_an_error_without_a_name_or_a_word() -> None:
    error = refused_in_stream("p", "", b"")
    assert "no message" in error.message and error.retryable
