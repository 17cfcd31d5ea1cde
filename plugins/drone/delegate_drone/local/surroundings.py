"""What the engine is given in a local run: a folder, and processes that can be killed at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import anyio

from delegate_core import processes
from delegate_core.processes import OnOutput, ProcessExit, ProcessIdentity, ProcessSpec, end_leftovers

__all__ = ["GRACE", "KillableSurroundings"]

GRACE: Final = 10.0
"""Seconds that steps have to end after Ctrl-C or the timeout."""


class KillableSurroundings:
    """A `delegate_core.engines.engine.Surroundings` whose grace can be cut short while it runs.

    Args:
        folder: where the engine may write.
    """

    user = None
    """Whoever runs pipelines by hand runs them as themselves."""

    def __init__(self, folder: Path, grace: float = GRACE) -> None:
        self.folder = folder
        self.grace = grace
        self._alive: set[ProcessIdentity] = set()

    async def run(self, spec: ProcessSpec, on_output: OnOutput | None = None) -> ProcessExit:
        """Run a process to its end, and to that of all that it started.

        Raises:
            ProcessStartError: it could not be started.
        """
        started: list[ProcessIdentity] = []

        async def note(identity: ProcessIdentity) -> None:
            started.append(identity)
            self._alive.add(identity)

        wanted = spec.grace
        spec = replace(spec, grace=lambda: min(wanted() if callable(wanted) else wanted, self.grace))
        try:
            return await processes.run(spec, on_output=on_output or (lambda _data, _stream: None), on_start=note)
        finally:
            self._alive.difference_update(started)

    async def kill(self) -> None:
        """Kill what runs, also what has been given its grace already; what starts from now on has none."""
        self.grace = 0.0
        async with anyio.create_task_group() as group:
            for identity in self._alive:
                group.start_soon(end_leftovers, identity, 0.0)
