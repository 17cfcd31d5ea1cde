"""The fault proxy passes on what it is told to pass on, however quick or impatient a client is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from delegate_core.testing.proxy import FaultProxy, Hold

pytestmark = pytest.mark.anyio

DEADLINE = 40


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that answers with the first line of the request."""
    line = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0]
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(line), line))
    await writer.drain()
    writer.close()


@asynccontextmanager
async def _called() -> AsyncIterator[tuple[FaultProxy, asyncio.StreamReader, asyncio.StreamWriter]]:
    """A proxy before the server, and a connection to it."""
    async with (
        await asyncio.start_server(_echo, "127.0.0.1", 0) as server,
        FaultProxy(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as proxy,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(proxy.url.rpartition(":")[2]))
        with anyio.fail_after(DEADLINE):
            yield proxy, reader, writer
        writer.close()


async def test_a_request_that_comes_before_the_end_of_the_one_before_it_arrives_whole() -> None:
    """A client that keeps its connection is often quicker than the proxy."""
    async with _called() as (_, reader, writer):
        writer.write(b"GET /first HTTP/1.1\r\n\r\nGET /second HTTP/1.1\r\n\r\n")
        assert b"200 OK" in await reader.readuntil(b"GET /first HTTP/1.1")
        assert b"200 OK" in await reader.readuntil(b"GET /second HTTP/1.1")


async def test_a_client_that_goes_takes_its_call_along() -> None:
    async with _called() as (proxy, _, writer):
        hold = Hold()
        proxy.plan.add(hold)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await hold.reached()
        writer.close()
        await proxy.wait_for(lambda: proxy.exchanges)
