"""Networks in CIDR form: which of them are so wide that they are the whole world."""

from __future__ import annotations

import ipaddress

_WIDEST = {4: 8, 6: 32}
"""Bits of a network's prefix at least, by version of IP: two halves of the world are the world, too."""


def is_the_world(network: str) -> bool:
    """Say whether a network is wider than any that somebody has.

    Args:
        network: Such as 203.0.113.0/24; bits behind the prefix do not count.

    Raises:
        ValueError: It is none.
    """
    found = ipaddress.ip_network(network, strict=False)
    return found.prefixlen < _WIDEST[found.version]
