"""Where a request comes from, and for whom it was meant: proxies, the headers Host and Origin."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

from hybrid_ml_scheduler.service.guarding_settings import SecuritySettings, host_names, networks, parts

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^:\[\]]+)(:[0-9]{1,5})?")
"""A name and perhaps a port: what else might stand there is none, however it begins."""
_MAPPED = "::ffff:"
_DEFAULT_PORTS = {"http": "80", "https": "443", "ws": "80", "wss": "443"}


class Hosts:
    """Tells requests that were meant for this service from others.

    A browser that was lured to a foreign name which leads here (DNS rebinding) shows that name in ``Host``; a foreign page names itself in
    ``Origin``.

    Parameters
    ----------
    settings : SecuritySettings
    host : str
        Address that the service listens on.
    """

    def __init__(self, settings: SecuritySettings, host: str) -> None:
        self._names = host_names(host, settings.allowed_hosts)
        self._origins = frozenset(origin.lower() for origin in parts(settings.cors_origins))
        # Which address of this machine a client has found cannot be told if it listens on all of them: any address is right then, names are not.
        self._any_address = host in {"0.0.0.0", "::"}  # noqa: S104 - compared, not listened on
        self._proxies = networks(settings.trusted_proxies)
        self._trusts = lru_cache(maxsize=1_024)(self._is_proxy)

    def allows_host(self, host: str) -> bool:
        """Whether a request for this host is meant for us."""
        host = host.lower()
        if host in self._names:
            return True
        found = _HOST.fullmatch(host)
        return found is not None and (found["name"] in self._names or (self._any_address and _is_address(found["name"])))

    def allows_origin(self, origin: str, host: str, scheme: str) -> bool:
        """Whether a page of this origin may change something: our own, or one that is configured."""
        origin = origin.lower()
        if origin in self._origins:
            return True
        kind, separator, authority = origin.partition("://")
        if not separator or kind not in {"http", "https"}:
            return False
        own = {"ws": "http", "wss": "https"}.get(scheme, scheme)
        return kind == own and _with_port(authority, kind) == _with_port(host.lower(), own)

    def _is_proxy(self, address: str) -> bool:
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self._proxies)

    def client(self, peer: str, forwarded_for: str | None) -> str:
        """Return the address of a client: what the connection says, unless that is a proxy which we believe."""
        if not self._proxies or forwarded_for is None or not self._trusts(peer):
            return peer
        # From the right: what stands further left was written by the client itself, and may be anything.
        for part in reversed(forwarded_for.split(",")):
            address = _bare_address(part.strip())
            if address is None:
                return peer
            if not self._trusts(address):
                return address
            peer = address
        return peer

    def scheme(self, scheme: str, peer: str, forwarded_proto: str | None) -> str:
        """Return how a client talks to us, or to the proxy that we believe."""
        if not self._proxies or forwarded_proto is None or not self._trusts(peer):
            return scheme
        secure = forwarded_proto.rpartition(",")[2].strip().lower() in {"https", "wss"}
        if scheme in {"ws", "wss"}:
            return "wss" if secure else "ws"
        return "https" if secure else "http"


def plain_address(address: str) -> str:
    """Return an address as everybody writes it: who listens on ``::`` sees that of an IPv4 client as ``::ffff:192.0.2.1``."""
    if not address.lower().startswith(_MAPPED):
        return address
    try:
        mapped = ipaddress.IPv6Address(address).ipv4_mapped
    except ValueError:
        return address
    return address if mapped is None else str(mapped)


def network_of(address: str, hosts_bits: int = 64) -> str:
    """Return what counts as one client: an address, or the network of an IPv6 address, of which everybody has plenty."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, 128 - hosts_bits), strict=False))
    return str(found)


def _bare_address(text: str) -> str | None:
    for candidate in (text, text.removeprefix("[").partition("]")[0], text.rpartition(":")[0]):
        try:
            return plain_address(str(ipaddress.ip_address(candidate)))
        except ValueError:
            continue
    return None


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


def _with_port(authority: str, scheme: str) -> str:
    name = _without_port(authority)
    port = authority[len(name) :].removeprefix(":")
    return f"{name}:{port or _DEFAULT_PORTS[scheme]}"


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
