"""Runs the steps of one stage as processes."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import anyio
import anyio.to_thread

from delegate_core.engines.engine import Output, Surroundings
from delegate_core.engines.host.layout import slug
from delegate_core.engines.host.stagefolder import StageFolder
from delegate_core.engines.scripts import argv, script, suffix
from delegate_core.pipeline.spec import Step
from delegate_core.pipeline.states import Broken, Ending, Exited, Signalled
from delegate_core.processes import OnOutput, ProcessExit, ProcessSpec, ProcessStartError

__all__ = ["HostPlace"]


class HostPlace:
    """The folders of one stage, in which its steps run, any number of them at one time.

    The limits of a step are for containers: what this system can limit without one counts for each process, or for a
    whole user. Those of the runner's settings are put on every process, by the surroundings.

    Attributes:
        wanted: the stage has failed, and its workspace may be worth keeping.
    """

    def __init__(self, folder: StageFolder, surroundings: Surroundings) -> None:
        self.wanted = False
        self._folder = folder
        self._surroundings = surroundings
        self._numbers = count(1)

    def failed(self) -> None:
        """The stage did not succeed."""
        self.wanted = True

    async def run(self, step: Step, output: Output) -> Ending:
        """Run one step until its process, and all that it started, is gone; see `engine.Place`."""
        if unfit := _unfit(step):
            return Broken(unfit)
        if not step.commands:
            return Exited(0)
        try:
            file = await self._write(step)
        except OSError as error:
            return Broken(f"its script could not be written: {error.strerror}; look at the disk of the runner's folder")
        try:
            return _ending(await self._surroundings.run(self._process(step, file), _merged(output)))
        except ProcessStartError as error:
            return Broken(str(error))

    async def _write(self, step: Step) -> Path:
        """Its script, in a file that no other step has: the number tells apart what the slug does not."""
        name = f"{next(self._numbers)}-{slug(step.name)}{suffix(step.shell)}"
        content = script(step.commands, step.shell).encode("utf-8", "surrogateescape")
        return await anyio.to_thread.run_sync(self._folder.script, name, content, limiter=anyio.CapacityLimiter(1))

    def _process(self, step: Step, file: Path) -> ProcessSpec:
        return ProcessSpec(
            argv=argv(step.shell, file),
            cwd=self._folder.workspace / (step.working_dir or ""),
            env=step.variables(),
            grace=lambda: self._surroundings.grace,
        )


def _merged(output: Output) -> OnOutput:
    def write(data: bytes, _stream: str) -> None:
        output(data)

    return write


def _unfit(step: Step) -> str | None:
    """Why this engine cannot run the step, whatever the machine is like."""
    if step.container is not None:
        return "it runs in a container, and the host engine has none; run it with an engine that has"
    for number, command in enumerate(step.commands, start=1):
        if not _printable(command):
            return f"command {number} holds a zero byte or half a character; remove it"
    return None


def _printable(text: str) -> bool:
    try:
        return b"\0" not in text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False


def _ending(ended: ProcessExit) -> Ending:
    if ended.code is not None:
        return Exited(ended.code, ended.limited)
    if ended.signal is not None:
        return Signalled(ended.signal, ended.limited)
    return Broken("its process was lost: it could not be ended, or somebody else waited for it")
