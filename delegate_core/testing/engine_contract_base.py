# ruff: noqa: S101 - a part of tests
"""What the parts of the engine contract share: the engine under test, a room to run steps in, what a step printed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import anyio
import pytest

from delegate_core.engines.engine import Engine, Place, Surroundings
from delegate_core.engines.surroundings import LocalSurroundings
from delegate_core.pipeline.spec import Stage, Step
from delegate_core.pipeline.states import Ending

__all__ = ["PATIENCE", "EngineFixtures", "EngineUnderTest", "Open", "Printed", "Ran", "Room"]

PATIENCE = 40.0
"""Seconds for anything to happen. A broken promise costs them, a kept one does not."""


class EngineUnderTest(Protocol):
    """What an engine's author gives to the contract suite."""

    @property
    def adds(self) -> frozenset[str]:
        """Names of the variables that the engine, or an image, adds to a step's environment."""
        ...

    @property
    def tells_signals(self) -> bool:
        """A death by signal ends a step as `Signalled`. Otherwise it is an exit with 128 and the signal's number."""
        ...

    @property
    def makes_folders(self) -> bool:
        """A working directory that is missing is made. Otherwise a step cannot run there."""
        ...

    def engine(self) -> Engine:
        """An engine, new or not."""
        ...

    def step(self, folder: Path, name: str, commands: tuple[str, ...], **settings: Any) -> Step:
        """A step for a POSIX shell as the compiler would make it: with the PATH, the HOME and the image it needs.

        Args:
            folder: that of the stage's surroundings.
            name: the step's name.
            commands: its commands.
            settings: what else a `Step` has; an ``environment`` comes on top of what the engine needs.
        """
        ...


class Printed:
    """Takes the output of a step, and can be waited on."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._more = anyio.Event()

    def write(self, data: bytes) -> None:
        """Take output."""
        self.data += data
        self._more.set()
        self._more = anyio.Event()

    @property
    def text(self) -> str:
        """All of it."""
        return self.data.decode()

    async def until(self, line: str) -> None:
        """Wait for a line.

        Raises:
            TimeoutError: it did not come.
        """
        with anyio.fail_after(PATIENCE):
            while line not in self.text.split("\n")[:-1]:
                await self._more.wait()


@dataclass(frozen=True, slots=True)
class Ran:
    """A step that has run.

    Attributes:
        ending: how it ended.
        output: all that it printed.
        commands: its commands.
    """

    ending: Ending
    output: bytes
    commands: tuple[str, ...]

    @property
    def own(self) -> bytes:
        """What its only command has printed."""
        (command,) = self.commands
        trace = f"+ {command}\n".encode()
        assert self.output.startswith(trace), f"no line announces the command: {self.output[:200]!r}"
        return self.output.removeprefix(trace)

    @property
    def lines(self) -> list[str]:
        """What its only command has printed, as lines."""
        return self.own.decode().splitlines()


@dataclass(frozen=True, slots=True)
class Room:
    """An open place, and what it takes to run steps in it."""

    place: Place
    folder: Path
    under_test: EngineUnderTest

    async def run(self, *commands: str, name: str = "step", printed: Printed | None = None, **settings: Any) -> Ran:
        """Run a step to its end."""
        printed = printed or Printed()
        step = self.under_test.step(self.folder, name, commands, **settings)
        with anyio.fail_after(PATIENCE):
            ending = await self.place.run(step, printed.write)
        return Ran(ending, bytes(printed.data), commands)

    @asynccontextmanager
    async def cancelled_at_the_end(self, *commands: str) -> AsyncIterator[Printed]:
        """A step runs in the body and is cancelled after it. Then its run has to be over, by that cancellation."""
        printed = Printed()
        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(partial(self.run, *commands, printed=printed))
                yield printed
                tasks.cancel_scope.cancel()
        assert tasks.cancel_scope.cancelled_caught, "the cancellation has to go on when the step is over"


Open = Callable[..., AbstractAsyncContextManager[Room]]
"""``opened(name="stage", grace=10.0, **stage_settings)``: opens a stage in a folder of its own."""


class EngineFixtures:
    """The fixtures of every part. A subclass gives ``under_test``."""

    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def anyio_backend(self) -> str:
        """The loop that runners need."""
        return "asyncio"

    @pytest.fixture
    def under_test(self) -> Any:
        """The engine: an `EngineUnderTest`."""
        pytest.fail("give a fixture `under_test`: the engine, as an EngineUnderTest")

    @pytest.fixture
    def surroundings(self) -> Callable[[Path, float], Surroundings]:
        """Makes the surroundings of a stage from its folder and the grace of its steps."""
        return LocalSurroundings

    @pytest.fixture
    def opened(
        self, under_test: EngineUnderTest, tmp_path: Path, surroundings: Callable[[Path, float], Surroundings]
    ) -> Open:
        """Opens stages."""

        @asynccontextmanager
        async def opened(name: str = "stage", grace: float = 10.0, **settings: Any) -> AsyncIterator[Room]:
            own = surroundings(tmp_path / name, grace)
            async with under_test.engine().open(Stage(name=name, **settings), own) as place:
                yield Room(place, own.folder, under_test)

        return opened

    @pytest.fixture
    async def room(self, opened: Open) -> AsyncIterator[Room]:
        """An open stage."""
        async with opened() as room:
            yield room
