"""Where a request comes from, as far as that can be believed."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from flask import Flask, request
from werkzeug.middleware.proxy_fix import ProxyFix

ONE_CUSTOMER = 64
"""Bits of an IPv6 address that one customer has in common: the rest they choose (RFC 4291)."""


def trust_proxies(app: Flask, number: int) -> None:
    """Believe what this many proxies in front of the app say of the client.

    Each appends the address that it sees to X-Forwarded-For, so the one that the outermost of
    ours has seen is the number-th from the right. What stands left of it came from outside and
    is believed by nobody.
    """
    if number:
        # The protocol is not appended: each proxy says anew what it was told, or hands it on.
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=number, x_proto=1
        )


def source() -> str:
    """The client's network: an IPv4 address, or the /64 of an IPv6 address."""
    return network_of(request.remote_addr or "")


def network_of(address: str) -> str:
    """What is counted as one source.

    Args:
        address: With a port or without, as proxies write it (RFC 7239, 6).
    """
    host = address.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        found: IPv4Address | IPv6Address = ip_address(host.partition("%")[0])
    except ValueError:
        return "unknown"  # a Unix socket's peer, or a proxy's `unknown`: all of them together
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    if isinstance(found, IPv4Address):
        return str(found)
    return str(ip_network((found, ONE_CUSTOMER), strict=False))
