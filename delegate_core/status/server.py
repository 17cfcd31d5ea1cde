"""The status server: a runner's health, metrics and pages over HTTP, and the orders that an operator gives it."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from delegate_core.beside import beside
from delegate_core.development.bounded import Bounds, configured
from delegate_core.development.serving import GuestServer
from delegate_core.errors import SettingsError
from delegate_core.status.application import application
from delegate_core.status.source import Source

__all__ = ["Bind", "StatusServer", "parse_bind"]

_BOUNDS = Bounds()


@dataclass(frozen=True, slots=True)
class Bind:
    """Where to listen. Port 0 is a free one; an empty host is every address of this machine."""

    host: str
    port: int


def parse_bind(text: str) -> Bind:
    """Where ``HOST:PORT``, ``:PORT``, ``PORT`` or ``[IPv6]:PORT`` says.

    Raises:
        SettingsError: it says nothing of the kind.
    """
    host, _, port = text.strip().rpartition(":")
    if not port.isascii() or not port.isdecimal() or len(port) > 5 or int(port) > 65535:
        raise SettingsError(f"{text!r} is no address to serve on: write HOST:PORT, as 127.0.0.1:9210, or :9210 for all")
    local = "127.0.0.1" if ":" not in text else host.strip("[]")
    return Bind(local, int(port))


class StatusServer:
    """Serves the status of one runner.

    Args:
        source: whose.
        bind: where.
        bounds: of what it bears.
    """

    def __init__(self, source: Source, bind: Bind, bounds: Bounds = _BOUNDS) -> None:
        self._source = source
        self._bind = bind
        self._bounds = bounds

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        """Serve while the body runs; yields the address.

        Raises:
            SettingsError: the address cannot be listened on.
        """
        with self._listen() as listener:
            guest = GuestServer(configured(application(self._source), self._bounds))
            async with beside(partial(guest.serve, [listener])):
                try:
                    yield self._address(listener)
                finally:
                    await guest.stop()

    def _listen(self) -> socket.socket:
        bind = self._bind
        family = socket.AF_INET6 if ":" in bind.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((bind.host, bind.port))
            listener.listen(128)
        except OSError as error:
            listener.close()
            where = f"{bind.host or '*'}:{bind.port}"
            raise SettingsError(
                f"cannot serve the status on {where}: {error.strerror or error}; choose another with --status, or off"
            ) from error
        return listener

    def _address(self, listener: socket.socket) -> str:
        host, port = listener.getsockname()[:2]
        shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 - only shown
        return f"http://{shown}:{port}"
