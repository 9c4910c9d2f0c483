"""Where webhooks may go: no request may be turned against the server's own network."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from records.errors import InvalidError
from records.settings import Settings

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NOT_PUBLIC = [
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT, and some clouds' metadata
        "127.0.0.0/8",
        "168.63.129.16/32",  # public by its number, and a virtual machine's own host in Azure
        "169.254.0.0/16",  # link-local, and most clouds' metadata
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "2001::/23",  # Teredo, benchmarks, ORCHID
        "2001:db8::/32",
        "2002::/16",  # 6to4 leads to any IPv4 address
        "3fff::/20",
    )
]
_IPV6 = IPv6Network("2000::/3")
"""All that is global; mapped, compatible, unique local, link-local, site-local and multicast addresses lie outside."""
_NAT64 = IPv6Network("64:ff9b::/96")
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.IGNORECASE)
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*", re.IGNORECASE)


class NotPublicError(Exception):
    """The address is not public."""


@dataclass(frozen=True)
class Target:
    """Where a request goes."""

    secure: bool
    """Whether by TLS."""
    host: str
    port: int
    path: str
    """With the query."""

    @property
    def authority(self) -> str:
        """As the `Host` header has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


@dataclass(frozen=True)
class Receivers:
    """The rules of a server.

    Args:
        http: whether `http://` is allowed.
        networks: those that are allowed although they are not public.
    """

    http: bool = False
    networks: Sequence[Network] = ()

    @classmethod
    def by(cls, settings: Settings) -> "Receivers":
        """The rules that the settings make."""
        return cls(settings.webhook_http, tuple(settings.private_networks))

    def target(self, url: str) -> Target:
        """Take an address apart.

        Raises:
            InvalidError: it is none that requests may go to. What a name resolves to is looked at when something is sent.
        """
        if not re.fullmatch(r"[!-\[\]-~]+", url):
            raise _wrong("has characters that an address cannot have; write other than ASCII in punycode or percent-encoded")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            raise _wrong(f"is no address: {error}") from None
        if parts.scheme not in ({"https", "http"} if self.http else {"https"}):
            raise _wrong("must begin with https://" + ("" if self.http else "; PRETEXT_WEBHOOK_HTTP allows http://, too"))
        if "@" in parts.netloc:
            raise _wrong("must not hold a user name or password; receivers know by the signature who calls")
        if parts.fragment or url.endswith("#"):
            raise _wrong("must not hold a fragment (`#…`), which would not be sent")
        if port == 0:
            raise _wrong("must not have the port 0")
        self._check_host(host)
        secure = parts.scheme == "https"
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return Target(secure, host, port or (443 if secure else 80), path)

    def _check_host(self, host: str) -> None:
        """Refuse early what would be refused when something is sent."""
        try:
            literal = ip_address(host)
        except ValueError:
            labels = host.removesuffix(".").split(".")
            if len(host) > 253 or not all(_NAME.fullmatch(label) for label in labels):
                raise _wrong("has no valid host name") from None
            if _NUMERIC.fullmatch(labels[-1]):
                raise _wrong("has a host that is neither a name nor a whole IPv4 address, such as 192.0.2.1") from None
            return
        try:
            self.check(literal)
        except NotPublicError as error:
            raise _wrong(str(error)) from None

    def check(self, address: Address) -> None:
        """See whether a request may be sent to an address.

        Raises:
            NotPublicError: it may not.
        """
        meant = _meant(address)
        if any(meant.version == network.version and meant in network for network in self.networks):
            return
        if getattr(meant, "scope_id", None) or not _is_public(meant):
            raise NotPublicError(
                "leads to an address that is not public; the server's administrator can allow networks by "
                "PRETEXT_WEBHOOK_PRIVATE_NETWORKS"
            )


def _meant(address: Address) -> Address:
    """Where packets to an address end up."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _IPV6:
        return False
    return address.is_global and not any(address.version == network.version and address in network for network in _NOT_PUBLIC)


def _wrong(what: str) -> InvalidError:
    return InvalidError(f"the address {what}", param="url")
