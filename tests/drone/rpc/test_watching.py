"""Watching for cancellations: what is a gap, and what is only the end of an idle watch."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import anyio
import pytest

from delegate_core.http import TlsOptions
from delegate_core.model import Gap, TaskCancelled
from delegate_drone.client import DroneClient
from delegate_drone.server import Cancels, EmbeddedDrone, Fault, FaultKind, Order, Rules
from delegate_drone.watching import Watches
from tests.drone.rpc.flaky import FlakyServer
from tests.reliability.virtualtime import VirtualTimeLoop

pytestmark = pytest.mark.anyio

TEXT = "kind: pipeline\ntype: exec\nname: a\nclone: {disable: true}\nsteps: [{name: test, commands: [make]}]\n"


@pytest.mark.parametrize(("held", "has_gaps"), [(0.1, False), (60.0, True)])
async def test_a_500_at_the_end_of_an_idle_watch_is_no_gap(*, held: float, has_gaps: bool) -> None:
    """A server on Redis ends every idle watch so; a touch of the stage each time could undo its cancellation."""
    heard: list[Gap | TaskCancelled] = []
    cancelled = anyio.Event()
    async with (
        EmbeddedDrone(rules=Rules(long_poll=0.2, cancels=Cancels.REDIS)) as drone,
        aclosing(DroneClient.open(drone.url, drone.keys.rpc, TlsOptions(), trust_env=False)) as client,
        anyio.create_task_group() as group,
    ):
        watches = Watches(stagger=0.05, settling=0.01, held=held)
        build = drone.create(Order(text=TEXT))

        async def listen() -> None:
            while not heard or isinstance(heard[-1], Gap):
                heard.append(await watches.wait(build.id, "1"))
            cancelled.set()

        group.start_soon(watches.serve, client)
        group.start_soon(listen)
        await drone.wait_for(lambda parts: parts.calls["watch"] >= 6)
        assert bool(heard) is has_gaps
        drone.cancel(build.id)
        with anyio.fail_after(40):
            await cancelled.wait()
        group.cancel_scope.cancel()


async def test_where_no_watch_ever_gets_through_the_stage_is_looked_at_again_and_again() -> None:
    """A proxy that answers each watch itself would keep every cancellation from us."""
    async with (
        EmbeddedDrone() as drone,
        aclosing(DroneClient.open(drone.url, drone.keys.rpc, TlsOptions(), trust_env=False)) as client,
        anyio.create_task_group() as group,
    ):
        drone.parts.faults.add(Fault("watch", FaultKind.STATUS, None, status=502))
        watches = Watches(stagger=0.05, settling=0.4, most=0.05)
        build = drone.create(Order(text=TEXT))
        group.start_soon(watches.serve, client)
        with anyio.fail_after(40):
            assert [await watches.wait(build.id, "1") for _ in range(2)] == [Gap()] * 2
        group.cancel_scope.cancel()


async def test_where_nobody_watched_for_a_while_the_stage_is_looked_at() -> None:
    """A session that ends takes the watches along, even those that were about to tell of a gap."""
    async with (
        EmbeddedDrone() as drone,
        aclosing(DroneClient.open(drone.url, drone.keys.rpc, TlsOptions(), trust_env=False)) as client,
        anyio.create_task_group() as group,
    ):
        drone.parts.faults.add(Fault("watch", FaultKind.STATUS, 1, status=502))
        watches = Watches(stagger=0.05, settling=0.5, most=0.05)
        build = drone.create(Order(text=TEXT))
        heard: list[Gap | TaskCancelled] = []
        told = anyio.Event()

        async def listen() -> None:
            heard.append(await watches.wait(build.id, "1"))
            told.set()

        group.start_soon(listen)
        async with anyio.create_task_group() as session:
            session.start_soon(watches.serve, client)
            await drone.wait_for(lambda parts: parts.calls["watch"] >= 3)
            session.cancel_scope.cancel()
        group.start_soon(watches.serve, client)
        with anyio.fail_after(40):
            await told.wait()
        group.cancel_scope.cancel()
    assert heard == [Gap()]


def test_a_server_that_is_busy_for_a_day_does_not_keep_us_from_watching_so_long() -> None:
    """Its word is kept for a minute: whoever cancels the build meanwhile is not heard."""

    async def live() -> None:
        async with (
            FlakyServer(lambda _: (200, "") if len(server.heard) > 2 else (503, "busy")) as server,
            aclosing(DroneClient.open(server.address, "token", TlsOptions(), kind="httpx", trust_env=False)) as client,
            anyio.create_task_group() as group,
        ):
            server.reply_headers["Retry-After"] = "86400"
            watches = Watches()
            group.start_soon(watches.serve, client)
            with anyio.fail_after(300):
                while isinstance(await watches.wait(1, "1"), Gap):
                    pass
            group.cancel_scope.cancel()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(live())
