"""A container engine that a test holds in its hands: it can be down, and runs each step as the test says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

import anyio

from delegate_core.engines.contribution import EngineDown, EngineSetup, OpenEngine, StepEngine
from delegate_core.engines.engine import Output, Place, Surroundings
from delegate_core.markers import hookimpl
from delegate_core.pipeline.spec import Stage, Step
from delegate_core.pipeline.states import Ending, Exited

RunStep = Callable[[Step, Output], Awaitable[Ending]]


async def succeed(step: Step, output: Output) -> Ending:
    """Say in which image it runs, and succeed."""
    image = step.container.image if step.container else "no container"
    output(f"in {image}\n".encode())
    return Exited(0)


class FakeContainers:
    """The plugin, and its only engine.

    Attributes:
        trouble: why it is down; empty while it is well.
        stages: those that were opened.
        run_step: what it does for a step.
    """

    limiter = None

    def __init__(self, trouble: str = "", run_step: RunStep = succeed) -> None:
        self.trouble = trouble
        self.stages: list[Stage] = []
        self.run_step = run_step
        self.running = anyio.Event()
        self._setup = EngineSetup()

    @hookimpl
    def step_engines(self) -> Iterable[StepEngine]:
        return [StepEngine(name="docker", open=self._opened)]

    @asynccontextmanager
    async def _opened(self, setup: EngineSetup) -> AsyncIterator[OpenEngine]:
        self._setup = setup
        yield self

    def look_again(self) -> None:
        """As after a call that failed."""
        self._setup.doubt()

    async def check(self) -> None:
        if self.trouble:
            raise EngineDown(self.trouble)

    async def sweep(self, _owner: str) -> None:
        """There is nothing."""

    @asynccontextmanager
    async def open(self, stage: Stage, _surroundings: Surroundings) -> AsyncIterator[Place]:
        self.stages.append(stage)
        yield self

    async def run(self, step: Step, output: Output) -> Ending:
        self.running.set()
        return await self.run_step(step, output)

    def failed(self) -> None:
        """Nothing is kept."""
