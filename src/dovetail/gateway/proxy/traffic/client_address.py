"""Who the client is when a proxy of ours stands in front: the ingress named in `--trusted-proxy`. Pure.

Each proxy adds the address it was called from at the end of `X-Forwarded-For`, so the list is believed from its end
for as long as the addresses are those of trusted proxies; the first one that is not is the client. What stands before
it anybody can have written.
"""

import ipaddress
from collections.abc import Iterable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Trusted:
    """The networks of the proxies that are believed."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        """Raises ValueError, with the text, for one that is no address or network."""
        self._networks = [_network(text) for text in networks]

    def __contains__(self, address: str) -> bool:
        if not self._networks:
            return False
        parsed = _address(address)
        return parsed is not None and any(parsed in network for network in self._networks)

    def client(self, peer: str, forwarded_for: bytes) -> str:
        """The address of the client. `peer` is trusted, and `forwarded_for` the header's value, lines joined."""
        found = peer
        for entry in reversed(forwarded_for.decode("latin-1").split(",")):
            parsed = _address(_bare(entry.strip()))
            if parsed is None:
                return found
            found = str(parsed)
            if found not in self:
                return found
        return found


def came_over_tls(forwarded_proto: bytes, *, otherwise: bool) -> bool:
    """Whether the client came over TLS, by the last entry of `X-Forwarded-Proto`."""
    last = forwarded_proto.rpartition(b",")[2].strip().lower()
    return last == b"https" if last in (b"http", b"https") else otherwise


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is no address or network, such as 10.0.0.7 or 10.0.0.0/8") from None


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _bare(entry: str) -> str:
    """An address without the port that some proxies write behind it."""
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    host, _, port = entry.partition(":")
    return host if port.isdigit() and "." in host else entry
