"""What a server of ours bears of clients that attack it, over real sockets; the bounds are small here, to be met."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import SocketStream
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from delegate_core.development.bounded import Bounds, configured
from delegate_core.development.serving import GuestServer, listen

_PATIENCE = 20.0
_SHORT = 0.3
_LONG = 3600.0
"""Of the times that a test is not about: whatever ends within its patience is ended by the one that it is about."""

pytestmark = pytest.mark.anyio


class App:
    """Echoes what it gets, or streams without end, and remembers whether a stream was left."""

    def __init__(self) -> None:
        self.left = anyio.Event()
        self.app = Starlette(routes=[Route("/", self.echo, methods=["GET", "POST"]), Route("/endless", self.endless)])

    async def echo(self, request: Request) -> Response:
        return PlainTextResponse(await request.body())

    async def endless(self, _request: Request) -> Response:
        async def lines() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"x" * 65536
                    await anyio.lowlevel.checkpoint()
            finally:
                self.left.set()

        return StreamingResponse(lines())


@asynccontextmanager
async def served(app: App | None = None, **bounds: float) -> AsyncIterator[int]:
    times = dict.fromkeys(("head_time", "body_time", "unread_time", "idle_time"), _LONG)
    config = configured((app or App()).app, Bounds(**{**times, **bounds}))  # type: ignore[arg-type]  # sizes are whole
    with listen(0) as listener:
        guest = GuestServer(config)
        async with anyio.create_task_group() as group:
            group.start_soon(guest.serve, [listener])
            try:
                with anyio.fail_after(_PATIENCE):
                    yield listener.getsockname()[1]
            finally:
                await guest.stop()


async def connected(port: int) -> SocketStream:
    return await anyio.connect_tcp("127.0.0.1", port)


async def rest(stream: SocketStream) -> bytes:
    """All that comes until the server closes or breaks the connection."""
    received = b""
    try:
        while True:
            received += await stream.receive()
    except (anyio.EndOfStream, anyio.BrokenResourceError):
        return received


async def answered(port: int, body: bytes = b"hello") -> bytes:
    """What an honest client gets."""
    async with await connected(port) as stream:
        await stream.send(
            b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )
        return await rest(stream)


async def dripped(stream: SocketStream, data: bytes) -> None:
    """Send a byte now and then, as long as the server lets us."""
    try:
        for byte in data:
            await stream.send(bytes([byte]))
            await anyio.sleep(0.02)
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
        pass


async def test_an_honest_client_is_answered_again_and_again() -> None:
    async with served() as port, await connected(port) as stream:
        for number in range(3):
            await stream.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n%d" % number)
            received = b""
            while not received.endswith(b"\r\n\r\n%d" % number):
                received += await stream.receive()


async def test_who_never_asks_is_left() -> None:
    async with served(head_time=_SHORT) as port, await connected(port) as stream:
        assert await rest(stream) == b""


@pytest.mark.parametrize("before", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"])
async def test_who_asks_by_a_byte_at_a_time_is_left_in_a_further_request_too(before: bytes) -> None:
    async with served(head_time=_SHORT, idle_time=_SHORT) as port, await connected(port) as stream:
        await stream.send(before)
        async with anyio.create_task_group() as group:
            group.start_soon(dripped, stream, b"GET / HTTP/1.1\r\n" + b"X-A: y\r\n" * 10_000)
            await rest(stream)
            group.cancel_scope.cancel()


async def test_who_sends_a_body_by_a_byte_at_a_time_is_told_and_left() -> None:
    async with served(body_time=_SHORT) as port, await connected(port) as stream:
        await stream.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n")
        async with anyio.create_task_group() as group:
            group.start_soon(dripped, stream, b"x" * 9999)
            assert (await rest(stream)).startswith(b"HTTP/1.1 408 Request Timeout\r\n")
            group.cancel_scope.cancel()


@pytest.mark.parametrize("framing", [b"Content-Length: 2000", b"Transfer-Encoding: chunked"])
async def test_a_body_beyond_the_bound_is_refused_without_being_read(framing: bytes) -> None:
    async with served(body=1000) as port:
        async with await connected(port) as stream:
            chunked = b"7d0\r\n" + b"x" * 1990 if b"chunked" in framing else b""
            await stream.send(b"POST / HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n%s" % (framing, chunked))
            assert (await rest(stream)).startswith(b"HTTP/1.1 413 ")
        assert (await answered(port, b"x" * 1000)).endswith(b"x" * 1000)


async def test_a_head_without_end_is_refused() -> None:
    async with served(head=4096) as port, await connected(port) as stream:
        await stream.send(b"GET / HTTP/1.1\r\nX-A: " + b"y" * 10_000)
        assert (await rest(stream)).startswith(b"HTTP/1.1 400 ")


async def test_who_never_takes_the_reply_is_left_and_what_makes_it_ends() -> None:
    app = App()
    async with served(app, unread_time=_SHORT) as port, await connected(port) as stream:
        await stream.send(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
        await app.left.wait()


async def test_a_crowd_that_asks_nothing_keeps_nobody_out() -> None:
    async with served(connections=8) as port:
        crowd = [await connected(port) for _ in range(30)]
        assert (await answered(port)).endswith(b"hello")
        assert await rest(crowd[0]) == b""
        for each in crowd:
            await each.aclose()


async def test_beyond_the_bound_of_requests_under_way_the_newcomer_is_left() -> None:
    async with served(connections=2) as port:
        busy = [await connected(port) for _ in range(2)]
        for each in busy:
            await each.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n")
            assert b"100" in await each.receive()  # it is being read
        async with await connected(port) as stream:
            assert await rest(stream) == b""
        for each in busy:
            await each.send(b"y")
            assert b"200 OK" in await each.receive()
            await each.aclose()


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x00\x01\x02" * 100,
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n\x81\x00",
        b"DELETE / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"nonsense\r\n" * 50,
    ],
)
async def test_nonsense_is_an_error_of_the_client_and_writes_no_traceback(
    nonsense: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(head_time=_SHORT, body_time=_SHORT, idle_time=_SHORT) as port:
        async with await connected(port) as stream:
            await stream.send(nonsense)
            await rest(stream)
        assert (await answered(port)).endswith(b"hello")
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
