"""URLs as HTTP needs them."""

from __future__ import annotations

import pytest

from calibrant.base.errors import Unreachable
from calibrant.net.address import parse_url


@pytest.mark.parametrize(
    ("url", "host", "port", "target", "host_header", "label"),
    [
        ("http://A.example", "a.example", 80, "/", "a.example", "http://a.example/"),
        ("https://a.example/v1", "a.example", 443, "/v1", "a.example", "https://a.example/v1"),
        (
            "https://a.example:8443?q=1#f",
            "a.example",
            8443,
            "/?q=1",
            "a.example:8443",
            "https://a.example:8443/",
        ),
        ("http://a:443/x?y", "a", 443, "/x?y", "a:443", "http://a:443/x"),
        ("http://[::1]/", "::1", 80, "/", "[::1]", "http://[::1]/"),
        ("https://[FD00::1]:9/", "fd00::1", 9, "/", "[fd00::1]:9", "https://[fd00::1]:9/"),
    ],
)
def test_parts(url: str, host: str, port: int, target: str, host_header: str, label: str) -> None:
    address = parse_url(url)
    assert (address.origin.host, address.origin.port, address.target) == (host, port, target)
    assert (address.origin.host_header, address.label) == (host_header, label)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.example",
        "file:///x",
        "http://",
        "http://[::1",
        "http://a:b/",
        "http://é/",
        "http://a\n/",
        "http://a@b/",
    ],
)
def test_refusals(url: str) -> None:
    with pytest.raises(Unreachable, match="cannot be used") as caught:
        parse_url(url)
    assert not caught.value.retryable
