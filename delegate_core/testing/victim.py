"""A runner in a process of its own that kills itself, with SIGKILL, at a chosen moment of its first task.

``python -m delegate_core.testing.victim STATE_DIR JSON``, with ``factory``, ``arguments`` and ``moment``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import anyio

from delegate_core.markers import hookimpl
from delegate_core.runner import Runner
from delegate_core.settings import RunnerSettings
from delegate_core.testing.work import Work

__all__ = ["main"]


class _Killer:
    """A plugin that is the end of its process: when a task is claimed, started or finished."""

    def __init__(self, moment: str) -> None:
        self._moment = moment

    def _at(self, moment: str) -> None:
        if moment == self._moment:
            os.kill(os.getpid(), signal.SIGKILL)

    @hookimpl
    def task_claimed(self) -> None:
        """Be killed, if this is the moment."""
        self._at("claimed")

    @hookimpl
    def task_started(self) -> None:
        """Be killed, if this is the moment."""
        self._at("started")

    @hookimpl
    def task_finished(self) -> None:
        """Be killed, if this is the moment."""
        self._at("finished")


async def _kill_beside(work: Work) -> None:
    """Kill when both processes of the ``tree`` live."""
    await work.wait(lambda now: now.pids)
    os.kill(os.getpid(), signal.SIGKILL)


async def main(state: Path, told: dict[str, Any]) -> None:
    """Run until killed."""
    module, _, function = told["factory"].partition(":")
    backend = getattr(import_module(module), function)(**told["arguments"])
    work = Work()
    settings = RunnerSettings(name=state.name, poll_interval=0.05, grace=0.3)
    runner = Runner(backend, work.handlers(), settings=settings, plugins=[_Killer(told["moment"])], state_dir=state)
    async with anyio.create_task_group() as group:
        group.start_soon(_kill_beside, work)
        await runner.run()


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), json.loads(sys.argv[2]))
