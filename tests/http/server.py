"""Servers over real sockets that answer, or fail to, byte by byte as a test wants."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Handler = Callable[["Connection"], Awaitable[None]]


@dataclass
class Connection:
    """One accepted connection."""

    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def receive(self) -> str:
        """Read one request, its body too; the whole as text."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        lengths = [line.split(":")[1] for line in head.lower().splitlines() if line.startswith("content-length:")]
        body = await self.reader.readexactly(int(lengths[0])) if lengths else b""
        return head + body.decode("latin-1")

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """Close with a reset instead of an orderly end."""
        connection = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def gone(self) -> None:
        """Wait until the other side has closed."""
        with suppress(ConnectionError):
            while await self.reader.read(4096):
                pass


@dataclass
class Server:
    """A listening server."""

    port: int
    scheme: str
    stop: Callable[[], None]
    connections: list[Connection] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/x"


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Serve each connection with `handler`, then close it."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(len(server.connections) + 1, reader, writer)
        server.connections.append(connection)
        with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.CancelledError):
            await handler(connection)
        writer.close()

    listener = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    server = Server(listener.sockets[0].getsockname()[1], "https" if tls else "http", listener.close)
    try:
        yield server
    finally:
        listener.close()
        for connection in server.connections:
            connection.writer.transport.abort()


def reply(body: bytes = b"{}", status: str = "200 OK", **headers: str) -> bytes:
    """A well-formed reply as bytes."""
    named = {"content_type": "application/json", "content_length": str(len(body))} | headers
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in named.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body


def answering(data: bytes) -> Handler:
    """Answer one request with `data`, then close."""

    async def handler(connection: Connection) -> None:
        await connection.receive()
        await connection.send(data)

    return handler


def always(data: bytes) -> Handler:
    """Answer each request on a kept-alive connection with `data`."""

    async def handler(connection: Connection) -> None:
        while True:
            await connection.receive()
            await connection.send(data)

    return handler


async def silent(connection: Connection) -> None:
    """Take whatever comes and say nothing."""
    await connection.gone()
