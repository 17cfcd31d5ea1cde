"""A way to the engine that a test can break: a socket that passes bytes on, over TLS if wanted."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, ByteStream
from anyio.streams.tls import TLSListener, TLSStream

__all__ = ["Relay"]


class Relay:
    """Passes connections on to an engine's socket, as long as it is up."""

    def __init__(self, engine: str) -> None:
        self._engine = engine.removeprefix("unix://")
        self._scopes: set[anyio.CancelScope] = set()
        self.up = True
        self.stalled = False
        self.host = ""

    def cut(self) -> None:
        """Break all connections and take no more."""
        self.up = False
        for scope in self._scopes:
            scope.cancel()

    def restore(self) -> None:
        self.up = True

    def stall(self) -> None:
        """Pass nothing on any more, on no connection, and close none: as a network that has lost its way."""
        self.stalled = True

    @asynccontextmanager
    async def on_socket(self, path: Path) -> AsyncIterator[Relay]:
        self.host = f"unix://{path}"
        async with await anyio.create_unix_listener(path) as listener, anyio.create_task_group() as group:
            group.start_soon(listener.serve, self._pass_on)
            yield self
            group.cancel_scope.cancel()

    @asynccontextmanager
    async def on_tcp(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[Relay]:
        async with (
            await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
            anyio.create_task_group() as group,
        ):
            self.host = f"tcp://127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}"  # noqa: S610 - no database here
            if tls is None:
                group.start_soon(listener.serve, self._pass_on)
            else:
                group.start_soon(TLSListener(listener, tls, standard_compatible=False).serve, self._pass_on)
            yield self
            group.cancel_scope.cancel()

    async def _pass_on(self, near: ByteStream | TLSStream) -> None:
        async with near:
            if not self.up:
                return
            with anyio.CancelScope() as scope:
                self._scopes.add(scope)
                async with await anyio.connect_unix(self._engine) as far, anyio.create_task_group() as group:
                    group.start_soon(self._copy, near, far)
                    await self._copy(far, near)
                    group.cancel_scope.cancel()
            self._scopes.discard(scope)

    async def _copy(self, source: ByteReceiveStream, target: ByteSendStream) -> None:
        try:
            async for data in source:
                if self.stalled:
                    await anyio.sleep_forever()
                await target.send(data)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            pass
