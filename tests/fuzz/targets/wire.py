"""What servers answer the runner: the clients of both backends over a transport that answers with the input."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from contextlib import AsyncExitStack, suppress
from typing import Final

from delegate_core.errors import Interrupt, Retry
from delegate_core.http import Reply, TransportError
from delegate_core.model import Offer, Registration
from delegate_core.testing.virtual import VirtualLoop
from delegate_drone.claiming import accept
from delegate_drone.client import DroneClient
from delegate_drone.faults import DroneFault
from delegate_drone.limits import Limits
from delegate_drone.session import DroneSession
from delegate_drone.watching import Watches
from delegate_drone.wire import CardInput, Filter, LogLine, Stage, Step
from delegate_harness.aborts import Aborts
from delegate_harness.auth import MadeTokens
from delegate_harness.claiming import claim
from delegate_harness.client import ManagerClient, ManagerFault
from delegate_harness.session import HarnessSession, Identity
from tests.fuzz.registry import fields, target, text_of
from tests.fuzz.words import JSON

_LOOP: Final = VirtualLoop()
_PATIENCE: Final = 20.0
"""Seconds, of virtual time, after which what is tried again and again is given up."""
_TOKENS: Final = MadeTokens("account", "0123456789abcdef" * 2)
_SECRET: Final = "the-secret-of-all-runners"
_YEARS: Final = 100 * 366 * 24 * 3600.0


class Echo:
    """A transport whose every reply is the same."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self._answer = status, headers, body

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        timeout: float,  # noqa: ASYNC109 - the protocol's
    ) -> Reply:
        return Reply(*self._answer, method, url)

    async def aclose(self) -> None:
        pass


def _run(call: Awaitable[object]) -> None:
    async def bounded() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await call

    _LOOP.run_until_complete(bounded())


def _echo(data: bytes) -> Echo:
    """Status, headers (a line each), body."""
    head, body = fields(data, 2)
    first, *lines = text_of(head).split("\n")
    status = int(first) if first.isascii() and first.isdecimal() and len(first) == 3 else 200
    pairs = (line.partition(": ") for line in lines)
    return Echo(status, {name.lower(): value for name, _, value in pairs}, body)


_WORDS: Final = (
    *(*JSON, "-1", "1" * 40, '""', "\n200", "\n401"),
    *("\nretry-after: 5", "\nlocation: http://x/", "\ncontent-type: text/html", "<html", "<!doctype"),
    "\nx-harness-error: EXPIRED_TOKEN",
)


@target(
    "harness-wire",
    words=(
        *_WORDS,
        "resource",
        "delegateId",
        "delegateTaskEvents",
        "eventType",
        "id",
        "timeout",
        "data",
        "secrets",
        "logging",
        "responseMessages",
        "code",
    ),
    calls=4000,
)
def harness(data: bytes) -> None:
    """Whatever a manager answers, each call ends in one of the errors that it documents, and none shows our token."""
    client = ManagerClient(_echo(data), "http://manager", "account", _TOKENS)
    session = HarnessSession(client, "d", Identity("n", "h", "127.0.0.1", "i"), {}, 10.0)

    async def claimed() -> None:
        task = await claim(session, Offer("t", "fib", {}), Aborts(), again=False)
        timeout = getattr(task, "timeout", None)
        assert timeout is None or 0 < timeout < _YEARS, timeout

    for call in (
        lambda: client.register({}),
        lambda: client.heartbeat({}),
        lambda: client.task_events("d"),
        lambda: client.respond("d", "t", {}),
        client.logging_token,
        claimed,
    ):
        try:
            _run(call())
        except (Interrupt, Retry, ManagerFault, TransportError) as error:
            assert _TOKENS.header().partition(" ")[2] not in str(error)
            assert str(error).isprintable(), str(error)
            after = getattr(error, "after", None)
            assert after is None or 0 <= after < _YEARS


@target(
    "drone-wire",
    words=(
        *_WORDS,
        "id",
        "version",
        "stage",
        "build",
        "repository",
        "timeout",
        "config",
        "Data",
        "steps",
        "number",
        "secrets",
        "netrc",
        "type",
    ),
    calls=4000,
)
def drone(data: bytes) -> None:
    """Whatever a server answers, each call ends in a fault of ours, and none shows the secret of the runners."""
    echo = _echo(data)
    client = DroneClient("http://drone", _SECRET, calls=echo, polls=echo)
    registration = Registration(name="machine", instance="0123456789", task_types=(), tags=(), capacity=1)
    session = DroneSession(client, "http://drone", registration, AsyncExitStack(), watches=Watches())
    stage, step = Stage(id=1, steps=(Step(number=1),)), Step(id=1)

    async def accepted() -> None:
        task = await accept(session, Offer("1", "docker", {}), Limits(), again=False)
        timeout = getattr(task, "timeout", None)
        assert timeout is None or 0 < timeout < _YEARS, timeout

    for call in (
        client.ping,
        lambda: client.request(Filter()),
        lambda: client.watch(1),
        lambda: client.accept(1, "machine"),
        lambda: client.details(1),
        lambda: client.update_stage(stage),
        lambda: client.update_step(step),
        lambda: client.upload(1, [LogLine(out="x")]),
        lambda: client.send_card(1, CardInput()),
        accepted,
    ):
        try:
            _run(call())
        except DroneFault as fault:
            assert _SECRET not in str(fault)
            assert str(fault).isprintable(), str(fault)
            assert fault.after is None or 0 <= fault.after < _YEARS


@target("reply", words=("{", "[", "]", "<html", "token=", '"password": "', "Bearer ", "\x1b[2J"), calls=2000)
def reply(data: bytes) -> None:
    """A reply is JSON, or it is said in one harmless line what it is instead."""
    with suppress(TransportError):
        try:
            Reply(200, {"content-type": text_of(data[:20])}, data, "GET", "http://user:pass@host/x?token=1").json()
        except TransportError as error:
            assert str(error).isprintable(), str(error)
            assert "user:pass" not in str(error) or b"user:pass" in data
            raise
