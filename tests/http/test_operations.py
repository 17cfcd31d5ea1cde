"""Calls by name: how each ends, over real sockets."""

from __future__ import annotations

from contextlib import suppress

import anyio
import pytest

from delegate_core.http import Reply, Transport, TransportError, observing, operation
from tests.http.server import Connection, Handler, serving

pytestmark = pytest.mark.anyio

Seen = list[tuple[str, str]]


class Client:
    """A plugin's client: refuses what is no success, reads JSON."""

    def __init__(self, transport: Transport, url: str) -> None:
        self.transport = transport
        self.url = url

    @operation("fetch")
    async def fetch(self) -> object:
        """Answer what is there."""
        reply: Reply = await self.transport.request("POST", self.url, headers={}, timeout=2.0)
        if reply.status >= 300:
            raise LookupError(f"refused: {reply.status}")
        return reply.json()


def answering(status: int, body: bytes) -> Handler:
    async def handle(connection: Connection) -> None:
        await connection.receive()
        await connection.send(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))

    return handle


async def hanging_up(connection: Connection) -> None:
    await connection.receive()
    connection.reset()


async def silent(connection: Connection) -> None:
    await connection.receive()
    await connection.gone()


async def outcome_at(transport: Transport, url: str) -> str:
    seen: Seen = []
    told = observing(lambda name, outcome, seconds, _: seen.append((name, outcome)) if seconds >= 0 else None)
    with told, suppress(TransportError, LookupError):
        await Client(transport, url).fetch()
    ((name, outcome),) = seen
    assert name == "fetch"
    return outcome


@pytest.mark.parametrize(
    ("handler", "outcome"),
    [
        (answering(200, b"{}"), "ok"),
        (answering(302, b""), "3xx"),
        (answering(404, b""), "4xx"),
        (answering(503, b""), "5xx"),
        (answering(200, b"<html>"), "malformed"),
        (hanging_up, "interrupted"),
        (silent, "timeout"),
    ],
    ids=["ok", "3xx", "4xx", "5xx", "malformed", "interrupted", "timeout"],
)
async def test_a_call_is_told_with_how_it_ended(transport: Transport, handler: Handler, outcome: str) -> None:
    async with serving(handler) as server:
        assert await outcome_at(transport, server.url) == outcome


async def test_no_connection_and_no_trust_are_told_apart(transport: Transport) -> None:
    async def rude(connection: Connection) -> None:
        await connection.send(b"this is no TLS\r\n\r\n")

    async with serving(rude) as server:
        nobody, plain = server.url, server.url.replace("http", "https")
        assert await outcome_at(transport, plain) == "tls"
    assert await outcome_at(transport, nobody) == "connect"


async def test_a_call_that_is_cancelled_is_not_told_and_one_without_an_observer_is_made(transport: Transport) -> None:
    seen: Seen = []
    asked = anyio.Event()

    async def waiting(connection: Connection) -> None:
        await connection.receive()
        asked.set()
        await connection.gone()

    async with serving(waiting) as server, anyio.create_task_group() as group:
        with observing(lambda name, outcome, *_: seen.append((name, outcome))):
            group.start_soon(Client(transport, server.url).fetch)
        await asked.wait()
        group.cancel_scope.cancel()
    async with serving(answering(200, b"[1]")) as server:
        assert await Client(transport, server.url).fetch() == [1]
    assert seen == []
