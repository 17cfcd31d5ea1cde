"""A real HTTP server on loopback that answers as it is told, and whose replies get lost where a test wants it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple, Self

Handler = Callable[["Heard"], tuple[int, str]]


class Mishap(Enum):
    REPLY_LOST = auto()
    """Done, and the connection closed without a reply."""
    REQUEST_LOST = auto()
    """Not done, and the connection closed."""
    GATEWAY = auto()
    """Done, and a proxy says 502."""
    BUSY = auto()
    """Not done, and a proxy says 503."""
    PAGE = auto()
    """Not done, and a proxy answers 200 with a page."""
    SILENT = auto()
    """Done, and nothing comes."""


class Heard(NamedTuple):
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    def __str__(self) -> str:
        return f"{self.method} {self.target.removeprefix('/rpc/v2')}"


@dataclass
class FlakyServer:
    handler: Handler
    heard: list[Heard] = field(default_factory=list)
    mishaps: list[tuple[str, Mishap | None]] = field(default_factory=list)
    reply_headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "text/plain; charset=utf-8"})
    address: str = ""
    silence: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a silent mishap has happened."""
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a client has closed its connection."""

    async def __aenter__(self) -> Self:
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        self.address = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def lose(self, call: str, *mishaps: Mishap | None) -> None:
        """Let these happen to the next calls whose method and target begin like this; None: all goes well."""
        self.mishaps += [(call, mishap) for mishap in mishaps]

    @property
    def calls(self) -> list[str]:
        return [str(heard) for heard in self.heard]

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.gone.set()
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        heard = Heard(method, target, headers, body)
        self.heard.append(heard)
        mishap = self._next(heard)
        if mishap is None:
            return await self._reply(writer, *self.handler(heard))
        return await self._go_wrong(mishap, heard, reader, writer)

    def _next(self, heard: Heard) -> Mishap | None:
        for index, (call, mishap) in enumerate(self.mishaps):
            if str(heard).startswith(call):
                del self.mishaps[index]
                return mishap
        return None

    async def _go_wrong(
        self, mishap: Mishap, heard: Heard, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        if mishap in {Mishap.REPLY_LOST, Mishap.GATEWAY, Mishap.SILENT}:
            self.handler(heard)
        match mishap:
            case Mishap.REPLY_LOST | Mishap.REQUEST_LOST:
                return False
            case Mishap.SILENT:
                self.silence.set()
                await reader.read()
                return False
            case Mishap.PAGE:
                return await self._reply(writer, 200, "<html>sign in</html>")
        return await self._reply(writer, 502 if mishap is Mishap.GATEWAY else 503, "no upstream")

    async def _reply(self, writer: asyncio.StreamWriter, status: int, body: str) -> bool:
        content = body.encode("utf-8", "surrogateescape")
        headers = {**self.reply_headers, **({} if status == 204 else {"Content-Length": str(len(content))})}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"HTTP/1.1 {status} Any\r\n{head}\r\n".encode() + content)
        await writer.drain()
        return True
