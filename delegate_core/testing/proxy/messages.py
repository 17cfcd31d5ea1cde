"""HTTP/1.1 messages as they are on the wire: read whole, kept byte for byte."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

__all__ = ["Message", "Reply", "Request", "read_reply", "read_request", "written"]

_LIMIT = 64 * 1024 * 1024
"""Bytes that a body may have; a stream without an end is none of this module's business."""


@dataclass(frozen=True)
class Message:
    """A request or a reply.

    Attributes:
        head: first line and headers, with the empty line behind them.
        framed: the body as it was sent, chunk sizes included.
        body: the body.
    """

    head: bytes = field(repr=False)
    framed: bytes = field(repr=False)
    body: bytes = field(repr=False)

    @cached_property
    def first_line(self) -> str:
        """Without its line break."""
        return self.head.partition(b"\r\n")[0].decode("latin-1")

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """By name in lower case; of a repeated one the last."""
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        pairs = (line.partition(":") for line in lines if line)
        return {name.strip().lower(): value.strip() for name, _, value in pairs}

    @property
    def raw(self) -> bytes:
        """All of it."""
        return self.head + self.framed

    def json(self) -> Any:
        """The body as JSON; None where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class Request(Message):
    """A request."""

    @property
    def method(self) -> str:
        """Such as POST."""
        return self.first_line.split(" ")[0]

    @property
    def target(self) -> str:
        """Path and query."""
        return self.first_line.split(" ")[1]

    @property
    def path(self) -> str:
        """Without the query."""
        return self.target.partition("?")[0]


class Reply(Message):
    """A reply."""

    @property
    def status(self) -> int:
        """Such as 200."""
        return int(self.first_line.split(" ")[1])


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request of a connection; None at its end.

    Raises:
        OSError, asyncio.IncompleteReadError: the connection broke within it.
    """
    head = await _head(reader)
    if head is None:
        return None
    bare = Request(head, b"", b"")
    return Request(head, *await _body(reader, bare, until_end=False))


async def read_reply(reader: asyncio.StreamReader, request: Request) -> Reply:
    """The reply to a request.

    Raises:
        OSError, asyncio.IncompleteReadError: the connection broke before its end.
    """
    while True:
        head = await _head(reader)
        if head is None:
            raise ConnectionResetError("the server closed the connection without a reply")
        bare = Reply(head, b"", b"")
        if bare.status >= 200:  # what comes before is no reply yet
            break
    if request.method == "HEAD" or bare.status in {204, 304}:
        return bare
    return Reply(head, *await _body(reader, bare, until_end=True))


async def _head(reader: asyncio.StreamReader) -> bytes | None:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None


async def _body(reader: asyncio.StreamReader, bare: Message, *, until_end: bool) -> tuple[bytes, bytes]:
    """As it was framed, and as it is meant."""
    if "chunked" in bare.headers.get("transfer-encoding", "").lower():
        return await _chunks(reader)
    length = bare.headers.get("content-length")
    if length is not None:
        body = await reader.readexactly(min(int(length), _LIMIT))
        return body, body
    body = await reader.read(_LIMIT) if until_end else b""
    return body, body


async def _chunks(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    framed, body = bytearray(), bytearray()
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.partition(b";")[0], 16)
        chunk = await reader.readexactly(size + 2)  # with the line break; the last one is nothing but that
        framed += line + chunk
        if size == 0:
            return bytes(framed), bytes(body)
        body += chunk[:-2]


def written(status: int, body: bytes, headers: Mapping[str, str]) -> bytes:
    """A reply to send."""
    lines = [f"HTTP/1.1 {status} Said By A Proxy", *(f"{name}: {value}" for name, value in headers.items())]
    lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
