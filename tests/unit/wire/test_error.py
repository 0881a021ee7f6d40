"""Error bodies in both dialects."""

import msgspec
import pytest

from calibrant.base.errors import AllVariantsFailed, InvalidRequest
from calibrant.wire.error import encode_error


def decoded(error, **how):
    return msgspec.json.decode(encode_error(error, **how))


def test_both_shapes():
    error = InvalidRequest('no "such" thing')
    assert decoded(error, openai=False) == {"error": 'no "such" thing'}
    assert decoded(error, openai=True) == {"error": {"message": 'no "such" thing'}}


def test_the_error_as_a_value():
    error = AllVariantsFailed("all gone")
    details = {"AllVariantsFailed": {"message": "all gone", "code": "all_variants_failed", "retryable": False}}
    assert decoded(error, openai=False, error_json=True) == {"error": "all gone", "error_json": details}
    assert decoded(error, openai=True, error_json=True) == {
        "error": {"message": "all gone", "error_json": details, "tensorzero_error_json": details}
    }


@pytest.mark.parametrize("openai", [False, True])
def test_what_cannot_be_written_is_replaced(openai):
    assert b"half ?" in encode_error(InvalidRequest("half \ud800"), openai=openai)
