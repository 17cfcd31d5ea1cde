"""How an address is reached: its name resolved, a connection made, TLS agreed on; a check each."""

from __future__ import annotations

import os
import socket
import ssl
import time
from functools import partial
from typing import Final
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
from anyio.abc import ByteStream, SocketStream
from anyio.streams.tls import TLSAttribute, TLSStream

from delegate_core.diagnosis.certificates import distrusted, trusted
from delegate_core.diagnosis.check import Check
from delegate_core.diagnosis.finding import Finding
from delegate_core.diagnosis.place import Place, Proxy, ProxyRefusal
from delegate_core.diagnosis.subject import Diagnosis
from delegate_core.http import TlsOptions

__all__ = ["Reaching"]

_ADDRESSES: Final = 3

_UNREACHABLE: Final = 5
"""The exit code of a runner that cannot register."""

_LOST = (OSError, anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError)


class Reaching:
    """One address, and the checks on the way to it; what the address itself is good for is for others to check.

    Args:
        url: http or https, with a host.
        diagnosis: whose it is: whom it trusts, its environment, which names the proxies, and how long a look may take.
        tls: whom to trust instead.
        name: what the address is of, for the names of the checks: ``server``.
        carries: what a connection without TLS lets everybody read; empty: nothing worth a word.
    """

    def __init__(
        self, url: str, diagnosis: Diagnosis, *, name: str = "server", carries: str = "", tls: TlsOptions | None = None
    ) -> None:
        parts = urlsplit(url)
        self._secure = parts.scheme == "https"
        self._place = Place.of(parts)
        self._tls = tls or diagnosis.tls
        self._patience = diagnosis.patience
        self._name = name
        self._carries = carries
        self._proxy = Proxy.on_the_way(self._place, parts.scheme, diagnosis.environ)
        self._nearest = self._proxy.place if self._proxy else self._place

    @property
    def last(self) -> str:
        """The name of the last of the checks: what comes after it has a connection that can be trusted."""
        return f"{self._name} TLS"

    def checks(self) -> list[Check]:
        """Name, connection and TLS, in this order."""
        name, most = self._name, self._patience + 1
        return [
            Check(name=f"{name} name", run=self._resolve, timeout=self._patience),
            Check(name=f"{name} connection", run=self._connect, after=(f"{name} name",), timeout=most),
            Check(name=f"{name} TLS", run=self._agree, after=(f"{name} connection",), timeout=most),
        ]

    @property
    def _of_proxy(self) -> str:
        return f" (the proxy of {self._proxy.variable})" if self._proxy else ""

    def _cures(self, cure: str) -> str:
        """What to do, and what else where there is a proxy."""
        if self._proxy is None:
            return cure
        return f"{cure}; or correct {self._proxy.variable}, or name {self._place.host} in NO_PROXY"

    async def _resolve(self) -> Finding:
        place = self._nearest
        if place.is_address:
            return Finding.ok(f"{place.host} is an address itself{self._of_proxy}")
        try:
            # Not the event loop's own, whose threads are waited for at its end however long a name server is silent.
            look = partial(socket.getaddrinfo, place.host, place.port, type=socket.SOCK_STREAM)
            found = await anyio.to_thread.run_sync(look, abandon_on_cancel=True)
        except (OSError, UnicodeError) as error:
            return Finding.problem(
                f"{place.host} is not resolved{self._of_proxy}: {_reason(error)}",
                self._cures("correct the name, or see to DNS on this machine"),
                code=_UNREACHABLE,
            )
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        more = f" and {len(addresses) - _ADDRESSES} more" if len(addresses) > _ADDRESSES else ""
        return Finding.ok(f"{place.host} is {', '.join(addresses[:_ADDRESSES])}{more}{self._of_proxy}")

    async def _connect(self) -> Finding:
        began = time.monotonic()
        try:
            async with await self._opened():
                took = (time.monotonic() - began) * 1000
        except TimeoutError:
            why = f"within {self._patience:g}s"
        except OSError as error:
            why = f"({_reason(error)})"
        else:
            return Finding.ok(f"{self._nearest} answers in {took:.0f} ms{self._of_proxy}")
        return Finding.problem(
            f"no connection to {self._nearest}{self._of_proxy} {why}",
            self._cures("see that the server runs and listens there, and that no firewall is between"),
            code=_UNREACHABLE,
        )

    async def _opened(self) -> SocketStream:
        with anyio.fail_after(self._patience):
            return await anyio.connect_tcp(self._nearest.host, self._nearest.port)

    # ------------------------------------------------------------------ TLS

    async def _agree(self) -> Finding:
        if not self._secure:
            return self._in_the_clear()
        from delegate_core.http.httpx_transport import ssl_context  # noqa: PLC0415 - httpx costs ten megabytes

        context = ssl_context(self._tls)
        try:
            with anyio.fail_after(self._patience):
                async with await self._opened() as stream, await self._secured(stream, context) as secured:
                    return self._agreed(secured)
        except ssl.SSLCertVerificationError as error:
            return distrusted(self._place, error)
        except (ProxyRefusal, TimeoutError, ssl.SSLError, *_LOST) as error:
            return self._not_agreed(error)

    def _in_the_clear(self) -> Finding:
        if self._carries and not self._place.is_loopback:
            return Finding.warning(f"none: everybody on the way can read {self._carries}", "use https where you can")
        return Finding.ok("none is asked for: the address is http")

    async def _secured(self, stream: SocketStream, context: ssl.SSLContext) -> TLSStream:
        carrier: ByteStream = stream
        if self._proxy is not None:
            if self._proxy.secure:
                carrier = await TLSStream.wrap(stream, hostname=self._proxy.place.host, standard_compatible=False)
            await self._proxy.connect(carrier, self._place)
        return await TLSStream.wrap(carrier, hostname=self._place.host, ssl_context=context, standard_compatible=False)

    def _agreed(self, stream: TLSStream) -> Finding:
        version = stream.extra(TLSAttribute.tls_version)  # noqa: S610 - no Django in here
        if self._tls.insecure:
            cure = "give the server's CA with --ca-file instead of --insecure"
            return Finding.warning(f"{version}, and any certificate is trusted", cure)
        return trusted(version, stream.extra(TLSAttribute.peer_certificate))  # type: ignore[arg-type]  # noqa: S610 - as above

    def _not_agreed(self, error: Exception) -> Finding:
        place = self._place
        match error:
            case ProxyRefusal():
                seen, cure = str(error), self._cures("have the proxy let this pass")
            case TimeoutError():
                seen, cure = (
                    f"{place} says nothing within {self._patience:g}s",
                    "see whether that port speaks TLS at all",
                )
            case ssl.SSLError():
                words = (error.reason or str(error)).lower().replace("_", " ")
                seen = f"{place} does not speak TLS as we do: {words}"
                cure = "write http instead of https, or the port that speaks TLS"
            case _:
                seen = f"{place} closes the connection when TLS is begun"
                cure = "see whether that port speaks TLS at all, and what is between"
        return Finding.problem(seen, cure, code=_UNREACHABLE)


def _reason(error: BaseException) -> str:
    """The words of the first cause: anyio says no more than that all attempts have failed."""
    while (cause := error.exceptions[0] if isinstance(error, ExceptionGroup) else error.__cause__) is not None:
        error = cause
    if isinstance(error, socket.gaierror):
        return error.strerror or str(error)
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
