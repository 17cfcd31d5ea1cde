"""The proxy: a port on loopback that passes HTTP calls on to a server, and spoils those that it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from delegate_core.testing.proxy.faults import Fault, Hold, Plan
from delegate_core.testing.proxy.messages import Reply, Request, read_reply, read_request, written

__all__ = ["Exchange", "FaultProxy"]

_GARBAGE = b"\xff\xfe\x00{[not json"
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call that came by.

    Attributes:
        request: as the client sent it.
        reply: the server's; None where it gave none, or was not asked.
        order: what was done to the call; None: it was passed on.
    """

    request: Request
    reply: Reply | None
    order: Fault | Hold | None


class FaultProxy:
    """A proxy in the event loop that enters it, in front of a plain HTTP server.

    ::

        async with FaultProxy(server.url) as proxy:
            proxy.plan.add(Fault(which=lambda request: request.path.endswith("/acquire"), mishap=Mishap.LOSE_REPLY))
            ...  # a client of proxy.url

    Whole messages are passed on, so it is no place for event streams. When a client goes away, so does its call.

    Args:
        upstream: the server's address, ``http://host:port``.
        kept: how many of the latest exchanges are kept.
    """

    def __init__(self, upstream: str, *, kept: int = 10_000) -> None:
        self.plan = Plan()
        self.exchanges: deque[Exchange] = deque(maxlen=kept)
        self.url = ""
        """``http://127.0.0.1:<port>`` once entered."""
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._cut = False
        self._news = asyncio.Event()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Caller(self._accept, loop), "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *exception: object) -> None:
        if self._server is not None:
            self._server.close()
        serving = list(self._serving)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    # ------------------------------------------------------------------ the network as a whole

    @property
    def is_cut(self) -> bool:
        """Whether nobody gets through."""
        return self._cut

    def cut(self) -> None:
        """Break every connection, and each new one at once, until `heal`."""
        self._cut = True
        for writer in list(self._open):
            _reset(writer)

    def heal(self) -> None:
        """End a `cut`."""
        self._cut = False

    async def wait_for(self, condition: Callable[[], object]) -> None:
        """Wait until a condition holds; it is asked again after every call."""
        while not condition():
            self._news.clear()
            await self._news.wait()

    # ------------------------------------------------------------------ a connection

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
        self._open.add(writer)
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, _GoneError):
            _reset(writer)
        except asyncio.CancelledError:
            _reset(writer)  # the proxy ends
        finally:
            self._open.discard(writer)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Call after call, until either side ends the connection or a mishap does."""
        if self._cut:
            raise _GoneError
        while (request := await read_request(reader)) is not None:
            if self._cut:
                raise _GoneError
            order = self.plan.take(request)
            line = _Line(request, order, self._upstream, writer)
            try:
                goes_on = await _while_there(writer, line.carry)
            finally:
                self.exchanges.append(Exchange(request, line.reply, order))
                self._news.set()
            if not goes_on:
                return


class _GoneError(Exception):
    """The client has gone, or is sent away."""


class _Caller(asyncio.StreamReaderProtocol):
    """A client's connection, which also tells when the client has gone.

    Whoever read from it to learn that would take the first byte of a further request, which a quick client sends before
    the end of the call at hand is noticed here.
    """

    def __init__(
        self,
        serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(asyncio.StreamReader(limit=_CHUNK, loop=loop), serve, loop=loop)
        self.gone = asyncio.Event()

    def eof_received(self) -> bool | None:
        self.gone.set()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()
        super().connection_lost(exc)


async def _while_there(writer: asyncio.StreamWriter, work: Callable[[], Awaitable[bool]]) -> bool:
    """Do something for a client as long as it is there.

    Raises:
        _GoneError: it has gone.
    """
    caller = writer.transport.get_protocol()
    assert isinstance(caller, _Caller)  # noqa: S101 - for the type checker: every connection has one
    doing = asyncio.ensure_future(work())
    leaving = asyncio.ensure_future(caller.gone.wait())
    try:
        await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            return doing.result()
        raise _GoneError
    finally:
        for each in (doing, leaving):
            each.cancel()
        await asyncio.gather(doing, leaving, return_exceptions=True)


class _Line:
    """One call under way between a client and the server. ``carry`` says whether the connection goes on."""

    def __init__(
        self, request: Request, order: Fault | Hold | None, upstream: tuple[str, int], writer: asyncio.StreamWriter
    ) -> None:
        self.request = request
        self.reply: Reply | None = None
        self._order = order
        self._upstream = upstream
        self._writer = writer

    async def carry(self) -> bool:
        """See the call through."""
        if self._order is None:
            return await self._pass_on()
        if isinstance(self._order, Hold):
            return await self._held(self._order)
        inflict: Callable[[Fault], Awaitable[bool]] = getattr(self, f"_{self._order.mishap.name.lower()}")
        return await inflict(self._order)

    async def _pass_on(self) -> bool:
        return await self._answer((await self._ask()).raw)

    async def _held(self, hold: Hold) -> bool:
        if hold.answered:
            reply = await self._ask()
            await hold.hang()
            return await self._answer(reply.raw)
        await hold.hang()
        return await self._pass_on()

    # ------------------------------------------------------------------ the mishaps, by their names

    async def _lose_request(self, _fault: Fault) -> bool:
        return False

    async def _lose_reply(self, _fault: Fault) -> bool:
        await self._ask()
        return False

    async def _cut_request(self, _fault: Fault) -> bool:
        raw = self.request.raw
        half = len(self.request.head) + len(self.request.framed) // 2 if self.request.framed else len(raw) // 2
        async with self._connected() as (_, writer):
            writer.write(raw[:half])
            await writer.drain()
            _reset(writer)
        _reset(self._writer)
        return False

    async def _cut_reply(self, _fault: Fault) -> bool:
        reply = await self._ask()
        half = len(reply.head) + len(reply.framed) // 2 if reply.framed else len(reply.head) // 2
        await self._answer(reply.raw[:half])
        _reset(self._writer)
        return False

    async def _delay(self, fault: Fault) -> bool:
        reply = await self._ask()
        await asyncio.sleep(fault.seconds)
        return await self._answer(reply.raw)

    async def _status(self, fault: Fault) -> bool:
        headers = {"content-type": fault.content_type} if fault.body else {}
        return await self._answer(written(fault.status, fault.body, headers))

    async def _garbage(self, _fault: Fault) -> bool:
        reply = await self._ask()
        return await self._answer(written(_with_body(reply), _GARBAGE, {"content-type": "application/json"}))

    async def _truncated(self, _fault: Fault) -> bool:
        reply = await self._ask()
        body = reply.body[: len(reply.body) // 2]
        return await self._answer(written(reply.status, body, {"content-type": "application/json"}))

    async def _duplicate(self, _fault: Fault) -> bool:
        reply = await self._ask()
        await self._ask()
        return await self._answer(reply.raw)

    async def _content_type(self, _fault: Fault) -> bool:
        reply = await self._ask()
        return await self._answer(written(reply.status, reply.body, {"content-type": "text/html"}))

    # ------------------------------------------------------------------ its two ends

    async def _ask(self) -> Reply:
        """What the server says to the call."""
        async with self._connected() as (reader, writer):
            writer.write(self.request.raw)
            await writer.drain()
            reply = await read_reply(reader, self.request)
        self.reply = self.reply or reply
        return reply

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A connection of this call's own: one that was left idle might be closed by the server just then."""
        reader, writer = await asyncio.open_connection(*self._upstream, limit=_CHUNK)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    async def _answer(self, data: bytes) -> bool:
        self._writer.write(data)
        await self._writer.drain()
        return True


def _with_body(reply: Reply) -> int:
    """The reply's status, or one that may have a body."""
    return 200 if reply.status == 204 else reply.status


def _reset(writer: asyncio.StreamWriter) -> None:
    """Break a connection such that the other end sees a reset and no orderly end."""
    sock: socket.socket | None = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
