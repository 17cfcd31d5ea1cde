"""What a step costs in a container: against the engine's own create, start, wait and remove; many at once; its log.

Run it with ``python benchmarks/containers.py``, as root with Debian's docker.io, or with DELEGATE_TEST_DOCKER_HOST.
Each figure is the median of several runs; the range stands behind it.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio

sys.path.insert(0, str(Path(__file__).parent.parent))  # the daemon is that of the tests

from benchmarks.pipeline import LOG_BYTES, RUNS, Listener, show
from delegate_core.engines.contribution import EngineSetup
from delegate_core.engines.driver import Driver
from delegate_core.engines.surroundings import LocalSurroundings
from delegate_core.pipeline.container import Container
from delegate_core.pipeline.graph import in_sequence
from delegate_core.pipeline.spec import Stage, Step
from delegate_core.pipeline.states import StageStatus
from delegate_docker.connection import connected
from delegate_docker.engine import DockerEngine
from delegate_docker.settings import DockerSettings
from tests.docker.daemon import BOX, NoEngine, engine

STEPS = 10
STAGES = 20


def main() -> None:
    """Measure and print the table."""
    try:
        with tempfile.TemporaryDirectory() as folder, engine(Path(folder)) as host:
            _measure(DockerSettings(host=host))
    except NoEngine as error:
        print(f"not measured: no container engine: {error}")


def _measure(settings: DockerSettings) -> None:
    print(f"| what | median of {RUNS} | lowest | highest |")
    print("|---|--:|--:|--:|")
    bare = show("create, start, wait, remove, by the engine alone (ms)", lambda: _bare(settings))
    step = show(f"a step, one of {STEPS} in sequence in one stage (ms)", lambda: _chain(settings))
    print(f"| what a step adds (ms) | {step - bare:,.1f} | | |")
    show(f"{STAGES} stages of one step at once, all of them (ms)", lambda: _at_once(settings))
    show("log throughput (MB/s)", lambda: LOG_BYTES / 1e6 / _in_loop(lambda: _stage(settings, [_noisy()])))


def _bare(settings: DockerSettings) -> float:
    """Milliseconds a container."""

    async def run() -> None:
        config: dict[str, Any] = {"Image": BOX, "Cmd": ["sh", "-c", "true"], "HostConfig": {"NetworkMode": "none"}}
        async with connected(settings) as client:
            for _ in range(STEPS):
                container = await client.containers.create(config)
                await container.start()
                await container.wait()
                await container.delete(v=True)

    return _in_loop(run) * 1000 / STEPS


def _chain(settings: DockerSettings) -> float:
    """Milliseconds a step, its share of the stage included."""
    chain = in_sequence([_step(f"step-{n}", "true") for n in range(STEPS)])
    return _in_loop(lambda: _stage(settings, list(chain))) * 1000 / STEPS


def _at_once(settings: DockerSettings) -> float:
    """Milliseconds for all."""

    async def run() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(STAGES):
                group.start_soon(_stage, settings, [_step("one", "true")])

    return _in_loop(run) * 1000


async def _stage(settings: DockerSettings, steps: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with connected(settings) as client:
            opened = DockerEngine(client, EngineSetup(settings=settings, owner=f"bench-{os.getpid()}"))
            stage = Stage(name="bench", steps=tuple(steps))
            listener = Listener(Path(folder))
            verdict = await Driver(stage, opened, LocalSurroundings(Path(folder) / "own"), listener).run()
    if verdict.status is not StageStatus.SUCCESS:
        sys.exit(verdict.error)


def _step(name: str, command: str) -> Step:
    return Step(name=name, commands=(command,), container=Container(image=BOX))


def _noisy() -> Step:
    line = "compiling one more file of a rather large program, as builds do all day long"
    return _step("noisy", f"yes '{line}' | head -c {LOG_BYTES}")


def _in_loop(work: Callable[[], Awaitable[None]]) -> float:
    """Seconds."""
    begun = time.perf_counter()
    anyio.run(work, backend_options={"use_uvloop": True})
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
