"""However an address is written or wrapped, it is public exactly where what it leads to is."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from hypothesis import given
from hypothesis import strategies as st

from calibrant.net.public import is_public

# RFC 6890 and the registries after it, and what is no unicast.
CLOSED_4 = [
    IPv4Network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
        *("224.0.0.0/4", "240.0.0.0/4"),
    )
]
CLOSED_6 = [
    IPv6Network(text)
    for text in (
        "::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001:db8::/32",
        "2002::/16",
        "fc00::/7",
        "fe80::/10",
        "ff00::/8",
    )
]


def inside(networks):
    def draw(network):
        low = int(network.network_address)
        return st.integers(low, low + network.num_addresses - 1).map(type(network.network_address))

    return st.sampled_from(networks).flatmap(draw)


closed_4 = inside(CLOSED_4)
any_4 = st.integers(0, 2**32 - 1).map(IPv4Address)


@given(closed_4 | inside(CLOSED_6))
def test_nothing_of_a_closed_network_is_public(address):
    assert not is_public(str(address))
    if isinstance(address, IPv6Address):
        assert not is_public(address.exploded)


@given(any_4)
def test_an_ipv4_address_outside_of_them_is_public(address):
    if not any(address in network for network in CLOSED_4) and address not in IPv4Network("192.0.0.0/24"):
        assert is_public(str(address))


@given(any_4)
def test_wrapping_changes_nothing(address):
    plain = is_public(str(address))
    assert is_public(str(IPv6Address((0xFFFF << 32) | int(address)))) == plain
    assert is_public(str(IPv6Address((0x64FF9B << 96) | int(address)))) == plain
    # Teredo, 6to4 and the old compatible form lead nowhere good.
    assert not is_public(str(IPv6Address(int(address))))
    assert not is_public(str(IPv6Address((0x2002 << 112) | (int(address) << 80))))
    assert not is_public(str(IPv6Address((0x20010000 << 96) | int(address))))


@given(st.integers(0, 2**125 - 1).map(lambda rest: IPv6Address((0b001 << 125) | rest)), st.integers(0, 7))
def test_only_the_unicast_block_of_ipv6_is_public(address, top):
    moved = IPv6Address((top << 125) | (int(address) & (2**125 - 1)))
    if is_public(str(moved)):
        assert top == 1 or moved.ipv4_mapped is not None or moved in IPv6Network("64:ff9b::/96")
