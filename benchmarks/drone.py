"""What a Drone stage costs: overhead, pick-up, many at once, and the requests of an idle runner.

Run it with ``python benchmarks/drone.py``. The embedded server is in this process, ``delegate run --backend drone`` in
one of its own, on loopback. Each build is one exec pipeline of one step.
"""

from __future__ import annotations

import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from delegate_drone.server import EmbeddedDrone, Order, Stage

TRUE = "kind: pipeline\ntype: exec\nname: bench\nclone: {disable: true}\nsteps: [{name: step, commands: ['true']}]\n"
ALONE = 30
TRICKLE, EVERY = 60, 0.13
AT_ONCE = 50
IDLE = 65.0


def main() -> None:
    """Measure and print the table."""
    print("| what | median | lowest | highest |")
    print("|---|--:|--:|--:|")
    anyio.run(measure, backend_options={"use_uvloop": True})


async def measure() -> None:
    """All of it."""
    async with running(capacity=AT_ONCE) as drone:
        show("a stage of one step `true`, submit to final update (ms)", [await alone(drone) for _ in range(ALONE)])
        pickups = sorted(await trickle(drone))
        show(f"pick-up, a stage each {EVERY * 1000:.0f} ms (ms)", pickups)
        print(f"| pick-up p99 (ms) | {pickups[int((len(pickups) - 1) * 0.99)]:.1f} | | |", flush=True)
        show(f"{AT_ONCE} stages at once, {AT_ONCE} slots, all of them (s)", [await at_once(drone) for _ in range(3)])
        before = sum(drone.parts.calls.values())
        await anyio.sleep(IDLE)
        print(f"| idle, requests/s | {(sum(drone.parts.calls.values()) - before) / IDLE:.2f} | | |", flush=True)
    async with running(capacity=2) as drone:
        show(f"{AT_ONCE} stages at once, 2 slots, all of them (s)", [await at_once(drone)])


@asynccontextmanager
async def running(*, capacity: int) -> AsyncIterator[EmbeddedDrone]:
    """A server, and a runner that polls it."""
    delegate = shutil.which("delegate", path=str(Path(sys.executable).parent)) or "delegate"
    with tempfile.TemporaryDirectory(prefix="delegate-bench-") as state:
        async with EmbeddedDrone() as drone:
            environment = {
                **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
                "DRONE_RPC_HOST": drone.url.removeprefix("http://"),
                "DRONE_RPC_SECRET": drone.keys.rpc,
                "DRONE_RUNNER_CAPACITY": str(capacity),
            }
            command = [delegate, "run", "--backend", "drone", "--state-dir", state, "--console", "plain"]
            async with await anyio.open_process(command, env=environment, stdout=subprocess.DEVNULL) as runner:
                try:
                    await drone.wait_for(lambda parts: parts.calls["request"] > 0, timeout=30)
                    yield drone
                finally:
                    runner.send_signal(signal.SIGTERM)


async def alone(drone: EmbeddedDrone) -> float:
    """Milliseconds from the build's making to the stage's end."""
    begun = time.perf_counter()
    await finished(drone, submit(drone))
    return (time.perf_counter() - begun) * 1000


async def trickle(drone: EmbeddedDrone) -> list[float]:
    """Milliseconds from each build's making to its accept."""
    pickups: list[float] = []

    async def one() -> None:
        begun = time.perf_counter()
        stage = submit(drone)
        await drone.wait_for(lambda parts: parts.store.stages.find(stage.id).machine, timeout=60)
        pickups.append((time.perf_counter() - begun) * 1000)
        await finished(drone, stage)

    async with anyio.create_task_group() as group:
        for _ in range(TRICKLE):
            group.start_soon(one)
            await anyio.sleep(EVERY)
    return pickups


async def at_once(drone: EmbeddedDrone) -> float:
    """Seconds until all have ended."""
    begun = time.perf_counter()
    for stage in [submit(drone) for _ in range(AT_ONCE)]:
        await finished(drone, stage)
    return time.perf_counter() - begun


def submit(drone: EmbeddedDrone) -> Stage:
    """A build of one stage."""
    return drone.stages_of(drone.create(Order(text=TRUE)).id)[0]


async def finished(drone: EmbeddedDrone, stage: Stage) -> None:
    """Wait for its end, which has to be a success."""
    ended = await drone.wait_finished(stage.id, timeout=120)
    if ended.status != "success":
        sys.exit(f"stage {stage.id}: {ended.status}: {ended.error}")


def show(title: str, values: Sequence[float]) -> None:
    """Print a row."""
    print(f"| {title} | {statistics.median(values):.1f} | {min(values):.1f} | {max(values):.1f} |", flush=True)


if __name__ == "__main__":
    main()
