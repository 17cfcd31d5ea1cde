"""uvicorn as a guest in somebody else's event loop: no signal handlers, no polling, a prompt end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import anyio
import uvicorn

from delegate_core.errors import DelegateError

__all__ = ["GuestServer", "listen"]


def listen(port: int) -> socket.socket:
    """A listening socket on 127.0.0.1.

    Raises:
        DelegateError: the port is taken.
    """
    # The protocol is named because asyncio sets TCP_NODELAY only then; without it small replies may wait 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise DelegateError(f"cannot listen on 127.0.0.1:{port}: {error.strerror}; choose another port") from error
    return listener


class GuestServer(uvicorn.Server):
    """A server that is told to stop and then breaks what is still open."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stop = anyio.Event()
        self._stopped = anyio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the program around."""
        yield

    async def main_loop(self) -> None:
        """Serve until told to stop."""
        await self._stop.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 - the base's
        """Break every connection and end every call under way."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        for task in list(self.server_state.tasks):
            task.cancel()
        await asyncio.gather(*self.server_state.tasks, return_exceptions=True)
        self._stopped.set()

    async def stop(self) -> None:
        """End ``serve``; wait for it, shielded, but not for long."""
        self._stop.set()
        with anyio.move_on_after(5, shield=True):
            await self._stopped.wait()
