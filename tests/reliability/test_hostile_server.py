"""A server that attacks: whatever it answers over real sockets, each call of both clients ends in a plain fault."""

from __future__ import annotations

import gzip
import json
from collections.abc import Awaitable, Callable

import anyio
import pytest

from delegate_core.errors import Interrupt, Retry
from delegate_core.http import TlsOptions, TransportError, open_transport
from delegate_drone.client import DroneClient
from delegate_drone.faults import DroneFault
from delegate_drone.wire import Filter
from delegate_harness.auth import MadeTokens
from delegate_harness.client import ManagerClient, ManagerFault
from tests.http.server import Connection, Handler, always, answering, reply, serving

pytestmark = pytest.mark.anyio

_PATIENCE = 40.0
_MEBIBYTE = 1024 * 1024
_SECRET = "0123456789abcdef" * 2
_ESCAPES = "\x1b]52;c;x\x07 \x9b2J \u202e"


def _deep(levels: int) -> bytes:
    return b'{"id": 1, "resource": ' + b'{"a": [' * levels + b"]}" * levels + b"}"


async def _endless_body(connection: Connection) -> None:
    await connection.receive()
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await connection.send(b"100000\r\n" + b"[" * _MEBIBYTE + b"\r\n")


async def _endless_head(connection: Connection) -> None:
    await connection.receive()
    await connection.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await connection.send(b"X-A: " + b"y" * 4096 + b"\r\n")


_ATTACKS: dict[str, Handler] = {
    "a body without end": _endless_body,
    "a head without end": _endless_head,
    "a bomb": answering(reply(gzip.compress(b" " * (65 * _MEBIBYTE)), Content_Encoding="gzip")),
    "what is not compressed as it says": answering(reply(b"{}", Content_Encoding="gzip")),
    "a length that is none": answering(reply(b"{}", content_length="-2")),
    "a length beyond all": answering(reply(b"{}", content_length=str(10**30))),
    "nesting that pydantic refuses": always(reply(_deep(150))),
    "nesting that Python refuses": always(reply(_deep(5000))),
    "a number of too many digits": always(reply(b'{"id": %s, "resource": %s}' % (b"9" * 5000, b"9" * 5000))),
    "numbers that are none": always(reply(b'{"id": NaN, "version": 1e999, "resource": Infinity}')),
    "half a surrogate pair": always(reply(b'{"id": 1, "name": "\\ud800", "resource": {"delegateId": "\\udfff"}}')),
    "a list": always(reply(b"[[], {}, null]")),
    "another type everywhere": always(reply(b'{"id": "x", "name": [], "resource": "x", "steps": 7, "labels": 1}')),
    "a text without end": always(reply(b'{"id": 1, "name": "%s", "resource": 7}' % (b"\\u001b" * 100_000))),
    "an error that acts on the terminal": always(
        reply(json.dumps({"responseMessages": [{"code": "X", "message": _ESCAPES}]}).encode(), "500 No")
    ),
    "an error that echoes the secret": always(
        reply(f"refused {_SECRET}".encode(), "500 No", content_type="text/plain")
    ),
    "a pause without end": always(reply(b"", "503 No", Retry_After="9" * 400)),
}


async def _ask_manager(url: str) -> None:
    client = ManagerClient(open_transport(TlsOptions()), url, "account", MadeTokens("account", _SECRET))
    try:
        await client.register({})
        await client.task_events("d")
        await client.acquire("d", "t", "i")
    finally:
        await client.aclose()


async def _ask_drone(url: str) -> None:
    client = DroneClient.open(url, _SECRET, TlsOptions())
    try:
        await client.request(Filter())
        await client.accept(1, "machine")
        await client.details(1)
    finally:
        await client.aclose()


_CLIENTS = {"harness": _ask_manager, "drone": _ask_drone}
Ask = Callable[[str], Awaitable[None]]


async def _fault(ask: Ask, url: str) -> str:
    """What a call says went wrong; nothing where the answer is as good as an empty one."""
    with anyio.fail_after(_PATIENCE):
        try:
            await ask(url.removesuffix("/x"))
        except (DroneFault, Interrupt, Retry, ManagerFault, TransportError) as error:
            return str(error)
    return ""


@pytest.mark.parametrize("ask", _CLIENTS.values(), ids=_CLIENTS)
async def test_each_call_ends_soon_in_a_plain_fault(ask: Ask) -> None:
    for name, attack in _ATTACKS.items():
        async with serving(attack) as server:
            fault = await _fault(ask, server.url)
        assert len(fault) < 2000, name
        assert _SECRET not in fault, name
        assert fault.isprintable(), (name, fault)


@pytest.mark.parametrize("ask", _CLIENTS.values(), ids=_CLIENTS)
async def test_no_redirect_takes_the_token_elsewhere_or_round_and_round(ask: Ask) -> None:
    async with serving(always(reply())) as elsewhere:
        for target in (elsewhere.url, "/rpc/v2/stage", "//user:word@elsewhere.example/"):
            async with serving(always(reply(b"", "307 Temporary Redirect", Location=target))) as server:
                fault = await _fault(ask, server.url)
                assert "leads" in fault, target
                assert "word" not in fault
                assert len(server.connections) == 1
        assert elsewhere.connections == []
