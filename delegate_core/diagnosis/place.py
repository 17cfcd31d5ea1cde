"""A host and port, the proxy on the way there, and what an address is."""

from __future__ import annotations

import base64
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, Self
from urllib.parse import SplitResult, unquote, urlsplit

from anyio.abc import ByteStream

__all__ = ["Place", "Proxy", "ProxyRefusal"]

_LARGEST_HEAD: Final = 16 * 1024
_SHOWN: Final = 100


@dataclass(frozen=True, slots=True)
class Place:
    """Where a connection goes."""

    host: str
    port: int

    @classmethod
    def of(cls, parts: SplitResult) -> Self:
        """That of a URL."""
        return cls(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_address(self) -> bool:
        """There is no name to resolve."""
        try:
            ip_address(self.host)
        except ValueError:
            return False
        return True

    @property
    def is_loopback(self) -> bool:
        """It is this machine, by whatever name."""
        if self.is_address:
            return ip_address(self.host).is_loopback
        return self.host == "localhost" or self.host.endswith(".localhost")


class ProxyRefusal(Exception):
    """The proxy does not connect us."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that the environment names.

    Attributes:
        variable: that names it.
        place: where it is.
        secure: it is spoken to over TLS.
        account: user and password, for basic authentication; empty: none.
    """

    variable: str
    place: Place
    secure: bool
    account: str

    @classmethod
    def on_the_way(cls, to: Place, scheme: str, environ: Mapping[str, str]) -> Self | None:
        """The one that HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY mean; their names may be in lower case."""
        named = {name.lower(): value for name, value in environ.items() if name.lower().endswith("_proxy") and value}
        excepted: bool = urllib.request.proxy_bypass_environment(str(to), {"no": named.get("no_proxy", "")})  # type: ignore[attr-defined]  # undocumented; urllib's own
        variable = next((name for name in (f"{scheme}_proxy", "all_proxy") if name in named), None)
        if excepted or variable is None:
            return None
        text = named[variable]
        parts = urlsplit(text if "://" in text else f"http://{text}")
        account = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else ""
        return cls(variable.upper(), Place.of(parts), parts.scheme == "https", account)

    async def connect(self, stream: ByteStream, to: Place) -> None:
        """Have it connect this stream with a place (RFC 9110, 9.3.6).

        Raises:
            ProxyRefusal: it does not.
        """
        told = f"Proxy-Authorization: Basic {base64.b64encode(self.account.encode()).decode()}\r\n"
        await stream.send(f"CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n{told if self.account else ''}\r\n".encode())
        head = b""
        while b"\r\n\r\n" not in head and len(head) < _LARGEST_HEAD:
            head += await stream.receive()
        first = head.split(b"\r\n", 1)[0].decode("latin-1")
        if not (first.startswith("HTTP/1.") and first[9:10] == "2"):
            raise ProxyRefusal(f"the proxy {self.place} does not connect us to {to}: {first[:_SHOWN]!r}")
