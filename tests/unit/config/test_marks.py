import pytest

from calibrant.config.marks import parse_address, parse_bytes


@pytest.mark.parametrize(
    ("text", "expected"),
    [(7, 7), ("7", 7), ("512MiB", 512 * 2**20), ("1.5 GB", 1_500_000_000), ("2kB", 2000), ("1TiB", 2**40)],
)
def test_sizes(text, expected):
    assert parse_bytes(text) == expected


@pytest.mark.parametrize("text", ["", "MiB", "-1", "1 lot", "1e3", "0x10"])
def test_no_sizes(text):
    with pytest.raises(ValueError, match="is no size"):
        parse_bytes(text)


@pytest.mark.parametrize(
    ("text", "expected"), [("h:1", ("h", 1)), ("[::]:3000", ("::", 3000)), ("0.0.0.0:0", ("0.0.0.0", 0))]
)
def test_addresses(text, expected):
    assert parse_address(text) == expected


@pytest.mark.parametrize("text", ["", "h", ":1", "h:", "h:x", "h:70000", "::1:1", "[x]:1", "h:１"])
def test_no_addresses(text):
    with pytest.raises(ValueError):
        parse_address(text)
