"""Error bodies in each dialect."""

import msgspec
import pytest

from calibrant.base.errors import AllVariantsFailed, InvalidRequest
from calibrant.wire.error import encode_error


def decoded(error, shape, **how):
    return msgspec.json.decode(encode_error(error, shape, **how))


def test_every_shape():
    error = InvalidRequest('no "such" thing')
    assert decoded(error, "native") == {"error": 'no "such" thing'}
    assert decoded(error, "openai") == {"error": {"message": 'no "such" thing'}}
    told = {"type": "invalid_request_error", "message": 'no "such" thing'}
    assert decoded(error, "anthropic") == {"type": "error", "error": told}


def test_the_error_as_a_value():
    error = AllVariantsFailed("all gone")
    details = {"AllVariantsFailed": {"message": "all gone", "code": "all_variants_failed", "retryable": False}}
    assert decoded(error, "native", error_json=True) == {"error": "all gone", "error_json": details}
    assert decoded(error, "openai", error_json=True) == {
        "error": {"message": "all gone", "error_json": details, "tensorzero_error_json": details}
    }


@pytest.mark.parametrize("shape", ["native", "openai", "anthropic"])
def test_what_cannot_be_written_is_replaced(shape):
    assert b"half ?" in encode_error(InvalidRequest("half \ud800"), shape)
