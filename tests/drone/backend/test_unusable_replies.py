"""Replies that no other try makes better: what waited for them ends with the reason, and others go on."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import anyio
import pytest

from delegate_core.testing.bench import Bench
from delegate_core.testing.proxy import Fault as ProxyFault
from delegate_core.testing.proxy import FaultProxy, Mishap
from delegate_drone.plugin import DroneBackend
from delegate_drone.server import EmbeddedDrone, Fault, FaultKind
from tests.drone.containers.bench import bench_at, ended, submit
from tests.reliability.virtualtime import VirtualTimeLoop

STAGE = "kind: pipeline\ntype: exec\nname: e\nclone: {disable: true}\nsteps: [{name: a, commands: [echo done]}]\n"
FOREIGN = "kind: pipeline\ntype: echo\nname: e\n"
"""A handler's: no time may pass for a process while a clock jumps."""

HOUR = 3600.0


async def echo() -> str:
    return "done"


def test_a_stage_whose_details_are_never_any_ends_and_leaves_its_slot_to_others(tmp_path: Path) -> None:
    """It would be asked for them until the runner ends, and Drone itself ends no stage for its age."""

    async def live() -> None:
        async with EmbeddedDrone() as drone, FaultProxy(drone.url) as proxy:
            first, second = submit(drone, FOREIGN), submit(drone, FOREIGN)
            path = f"/rpc/v2/stage/{first}"
            proxy.plan.add(
                ProxyFault(
                    which=lambda call: (call.method, call.path) == ("GET", path), mishap=Mishap.GARBAGE, times=None
                )
            )
            with anyio.fail_after(HOUR):
                async with Bench.opened(
                    tmp_path, lambda: DroneBackend(server=proxy.url, secret=drone.keys.rpc)
                ) as bench:
                    await bench.start({"echo": echo}, capacity=1, transport="httpx")
                    stages = [await drone.wait_finished(each, HOUR) for each in (first, second)]
        assert [stage.status for stage in stages] == ["error", "success"]
        assert "no details" in stages[0].error

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(live())


@pytest.mark.anyio
async def test_a_log_that_is_too_large_for_a_proxy_is_given_up_with_the_reason(
    drone: EmbeddedDrone, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    drone.parts.faults.add(Fault("upload", FaultKind.STATUS, None, status=413))
    async with bench_at(drone, tmp_path) as bench:
        await bench.start({})
        stage = await ended(drone, submit(drone, STAGE))
    assert stage.status == "success"
    assert "stays on this machine" in caplog.text
    assert "client_max_body_size" in caplog.text
