"""What the client makes of the replies that a real server (2.28.2) gave."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from delegate_core.http import TlsOptions
from delegate_drone.client import DroneClient
from delegate_drone.faults import (
    AlreadyThere,
    DroneFault,
    LockLost,
    NoStream,
    NoSuchRow,
    NotDrone,
    ServerFault,
    TokenRefused,
)
from delegate_drone.wire import Filter, LogLine, Stage, Step
from tests.drone.rpc.flaky import FlakyServer

pytestmark = pytest.mark.anyio

_HEAD = re.compile(r'\[(.+)\] [A-Z]+ (\S+) -> (\d+) \(.*\) ct="(.*?)" cc="(.*?)" len=(\d+)\n', re.MULTILINE)


def _recorded() -> dict[str, tuple[int, str, str]]:
    """By what was tried: status, content type and body."""
    text = (Path(__file__).parent / "recorded_replies.txt").read_text()
    found: dict[str, tuple[int, str, str]] = {}
    for head in _HEAD.finditer(text):
        length = int(head[6])
        body = text[head.end() + 3 : head.end() + 3 + length] if length else ""
        found.setdefault(head[1], (int(head[3]), head[4], body))
    return found


RECORDED = _recorded()


async def replayed(label: str, call: Callable[[DroneClient], Awaitable[Any]]) -> Any:
    """What a call makes of the recorded reply."""
    status, kind, body = RECORDED[label]
    async with FlakyServer(lambda _heard: (status, body)) as server:
        server.reply_headers = {"Content-Type": kind} if kind else {}
        client = DroneClient.open(server.address, "invented", TlsOptions(), trust_env=False)
        try:
            return await call(client)
        finally:
            await client.aclose()


STAGE = Stage(id=1, build_id=1, version=2, status="running", machine="m1", os="linux", arch="amd64", started=5)
TWO = (Step(number=1, stage_id=1, name="clone"), Step(number=2, stage_id=1, name="test"))
CLONE = Step(id=1, stage_id=1, number=1, name="clone", version=1, started=5)


async def _ping(client: DroneClient) -> None:
    await client.ping()


async def _request(client: DroneClient) -> Any:
    return await client.request(Filter())


async def _accept(client: DroneClient) -> Any:
    return await client.accept(1, "m1")


async def _details(client: DroneClient) -> Any:
    return await client.details(1)


async def _update(client: DroneClient) -> Any:
    return await client.update_stage(STAGE.model_copy(update={"steps": TWO}))


async def _update_step(client: DroneClient) -> Any:
    return await client.update_step(CLONE)


async def _lines(client: DroneClient) -> Any:
    await client.send_lines(1, [LogLine(out="hello\n")])


async def _upload(client: DroneClient) -> Any:
    await client.upload(1, [LogLine(out="hello\n")])


async def _watch(client: DroneClient) -> Any:
    return await client.watch(10)


@pytest.mark.parametrize(
    ("label", "call", "fault"),
    [
        ("no token", _ping, TokenRefused),
        ("bad token", _ping, TokenRefused),
        ("ping GET", _ping, NotDrone),
        ("unknown route", _ping, NotDrone),
        ("bad json request", _request, ServerFault),
        ("empty body request", _request, ServerFault),
        ("accept unknown", _accept, NoSuchRow),
        ("accept twice", _accept, LockLost),
        ("details unknown", _details, NoSuchRow),
        ("details with config failure", _details, ServerFault),
        ("PUT stage stale version", _update, LockLost),
        ("PUT stage unknown build", _update, NoSuchRow),
        ("PUT stage unknown id", _update, LockLost),
        ("PUT stage running again v3 w/steps", _update, AlreadyThere),
        ("PUT stage success, stale step version", _update, LockLost),
        ("PUT step unknown", _update_step, LockLost),
        ("PUT step done again stale", _update_step, LockLost),
        ("batch before step running", _lines, NoStream),
        ("batch after done", _lines, NoStream),
        ("batch bad json", _lines, ServerFault),
        ("upload dup", _upload, AlreadyThere),
    ],
)
async def test_a_recorded_refusal_is_understood(label: str, call: Any, fault: type[DroneFault]) -> None:
    with pytest.raises(DroneFault) as raised:
        await replayed(label, call)
    assert type(raised.value) is fault


@pytest.mark.parametrize("label", ["request", "request again (not accepted yet)"])
async def test_the_recorded_offer_is_read(label: str) -> None:
    stage = await replayed(label, _request)
    assert (stage.id, stage.name, stage.status, stage.machine, stage.version) == (1, "s1", "pending", "", 1)


async def test_the_recorded_acceptance_is_read() -> None:
    stage = await replayed("accept", _accept)
    assert (stage.machine, stage.version, stage.on_success) == ("m1", 2, True)


async def test_the_recorded_start_gives_the_steps_their_ids() -> None:
    stage = await replayed("PUT stage running (BeforeAll)", _update)
    assert [(step.id, step.version) for step in stage.steps] == [(1, 1), (2, 1)]
    assert (stage.version, stage.os) == (3, "linux")  # the echo has blanked it, we have not


async def test_the_recorded_step_updates_give_versions() -> None:
    assert (await replayed("PUT step running (id in body matters)", _update_step)).version == 2
    assert (await replayed("PUT step done", _update_step)).version == 3


async def test_the_recorded_end_is_read() -> None:
    stage = await replayed("PUT stage success", _update)
    assert (stage.version, [step.version for step in stage.steps]) == (5, [4, 2])


@pytest.mark.parametrize("label", ["batch", "batch empty list", "batch2"])
async def test_recorded_lines_are_taken(label: str) -> None:
    await replayed(label, _lines)


async def test_the_recorded_upload_and_ping_are_taken() -> None:
    await replayed("upload", _upload)
    await replayed("ping", _ping)


async def test_the_recorded_long_polls_are_read() -> None:
    assert await replayed("request, nothing matches", _request) is None
    assert await replayed("watch cancelled while waiting", _watch) is True
    assert await replayed("watch after cancel", _watch) is False
