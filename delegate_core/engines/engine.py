"""What every engine offers: a place for one stage, and steps that run in it.

    async with engine.open(stage, surroundings) as place:
        ending = await place.run(step, output)

The `delegate_core.engines.driver` decides which step runs when; an engine only executes what it is given. Every engine
has to pass `delegate_core.testing.engine_contract`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

import anyio

from delegate_core.errors import DelegateError
from delegate_core.pipeline.spec import Stage, Step
from delegate_core.pipeline.states import Ending
from delegate_core.processes import OnOutput, ProcessExit, ProcessSpec, ProcessUser

__all__ = ["Engine", "EngineError", "Output", "Place", "Surroundings"]

Output = Callable[[bytes], object]
"""Takes what a step prints, standard output and standard error in the order of writing. Never blocks."""


class EngineError(DelegateError):
    """The engine cannot set up a stage. The text says why and how to mend it, and holds no secret."""


class Surroundings(Protocol):
    """What an engine is given by whoever runs the stage. A `delegate_core.handlers.TaskContext` is one."""

    @property
    def folder(self) -> Path:
        """A folder of the stage's own, for what the engine has to write; gone when the stage is over."""
        ...

    @property
    def grace(self) -> float:
        """Seconds that a step has from the stop signal to the kill; asked when it comes to that."""
        ...

    @property
    def user(self) -> ProcessUser | None:
        """As whom `run` runs processes, so whose the folders have to be; None: the runner's own user."""
        ...

    async def run(self, spec: ProcessSpec, on_output: OnOutput | None = None) -> ProcessExit:
        """Run a process to its end, journaled, so that it ends even if this runner dies.

        Raises:
            ProcessStartError: it could not be started.
        """
        ...


class Place(Protocol):
    """Where the steps of one stage run. Any number of them may run in it at one time."""

    async def run(self, step: Step, output: Output) -> Ending:
        """Run one step until its process is gone and all it printed has been passed on.

        Being cancelled ends the step: stop signal, grace, kill. What it prints meanwhile still reaches ``output``, then
        the cancellation goes on. What keeps the step from running is no exception but `Broken`.
        """
        ...

    def failed(self) -> None:
        """The stage did not succeed: what helps to find out why may be kept, if the engine is set up so."""
        ...


class Engine(Protocol):
    """Runs steps somewhere: as processes of this host, in containers."""

    @property
    def limiter(self) -> anyio.CapacityLimiter | None:
        """How many steps may run at one time, over all stages; None: any number. Detached steps do not count."""
        ...

    def open(self, stage: Stage, surroundings: Surroundings) -> AbstractAsyncContextManager[Place]:
        """Set up a place for one stage; leaving it ends what is left and cleans up.

        Raises:
            EngineError: when it is entered and cannot be set up; nothing is left over then.
        """
        ...
