"""What handlers read of a query."""

import pytest

from calibrant.base.errors import InvalidRequest
from calibrant.server.http import HttpRequest
from calibrant.server.query import read_query


def test_known_names_are_read():
    assert read_query(HttpRequest("GET", "/", "a=1&b=x%20y&c="), "a", "b", "c") == {"a": "1", "b": "x y", "c": ""}


@pytest.mark.parametrize("query", ["variant_name=%00", "variant_name=a%00b", "variant_name=a&variant_name=%00"])
def test_a_nul_is_refused_before_a_database_sees_it(query):
    with pytest.raises(InvalidRequest, match="variant_name holds a NUL"):
        read_query(HttpRequest("GET", "/", query), "variant_name")


def test_an_unknown_name_is_refused_with_those_that_are_known():
    with pytest.raises(InvalidRequest, match="'b' is unknown; there are a"):
        read_query(HttpRequest("GET", "/", "b=1"), "a")
