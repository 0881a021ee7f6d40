"""Which addresses are public: what a caller may have the gateway fetch from. Pure.

The address that a name resolves to is judged, where the connection is made and not before, so that neither another
spelling (`2130706433`, `0x7f.1`) nor a name that resolves to something else the second time gets around it.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

__all__ = ["is_public"]

_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_WRAPPED = (IPv6Network("2001::/32"), IPv6Network("2002::/16"))
"""Teredo and 6to4, which lead to an IPv4 address of the sender's choice."""


def is_public(address: str) -> bool:
    """Return whether an IP address belongs to the public internet; anything else than an address does not."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv6Address):
        inner = ip.ipv4_mapped or (IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None)
        if inner is None:
            return ip in _UNICAST and ip.is_global and not any(ip in network for network in _WRAPPED)
        ip = inner
    return ip.is_global and not ip.is_multicast and not ip.is_reserved
