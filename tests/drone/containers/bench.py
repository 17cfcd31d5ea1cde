"""Runners at the embedded server, and what a test wants to know of their stages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

from delegate_core.testing.bench import PATIENCE, Bench, Started
from delegate_drone.plugin import DroneBackend
from delegate_drone.server import EmbeddedDrone, Order
from delegate_drone.server.records import Stage
from delegate_drone.server.stagelog import stored_lines

__all__ = ["bench_at", "ended", "log", "submit", "until_ready"]


@asynccontextmanager
async def bench_at(drone: EmbeddedDrone, folder: Path, **fields: Any) -> AsyncIterator[Bench]:
    """A bench whose runners have a backend with these settings."""

    def backend() -> DroneBackend:
        return DroneBackend(server=drone.url, secret=drone.keys.rpc, **fields)

    async with Bench.opened(folder, backend) as bench:
        yield bench


def submit(drone: EmbeddedDrone, text: str, **order: Any) -> int:
    """A build of one stage; the stage's id."""
    (stage,) = drone.stages_of(drone.create(Order(text=text, **order)).id)
    return stage.id


async def ended(drone: EmbeddedDrone, stage_id: int) -> Stage:
    """The stage, once the server knows of its end."""
    return await drone.wait_finished(stage_id, timeout=PATIENCE)


def log(drone: EmbeddedDrone, stage: Stage, step: int | str = 0) -> str:
    """What the server has of a step's output; the step by its place or its name."""
    names = [each.name for each in stage.steps]
    at = step if isinstance(step, int) else names.index(step)
    stored = drone.parts.store.logs.find(stage.steps[at].id)
    return "".join(line.out for line in stored_lines(stored)) if stored is not None else ""


async def until_ready(started: Started, *, ready: bool = True) -> None:
    """Wait until the runner is ready, or is not."""
    with anyio.fail_after(PATIENCE):
        while started.runner.snapshot().ready is not ready:  # noqa: ASYNC110 - a snapshot tells nobody of changes
            await anyio.sleep(0.01)
