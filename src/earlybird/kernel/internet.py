"""Which IP addresses belong to the public internet."""

from __future__ import annotations

import ipaddress

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def is_private(address: str) -> bool:
    """Say whether an IP address is not one of the public internet, whatever it is wrapped in; names raise ValueError.

    A request sent there would reach the own machine or network (loopback, link-local, cloud metadata).
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if found in NAT64:
            inner = ipaddress.IPv4Address(found.packed[-4:])
        if inner is not None:
            return is_private(str(inner))
    return not found.is_global or found.is_multicast or found.is_reserved
