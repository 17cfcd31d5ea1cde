"""What an engine needs of the outside where no runner is: for ``delegate exec``, for embedders, for tests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from delegate_core import processes
from delegate_core.processes import OnOutput, ProcessExit, ProcessSpec, ProcessUser

__all__ = ["LocalSurroundings"]


@dataclass(frozen=True, slots=True)
class LocalSurroundings:
    """Runs processes directly. Nothing is journaled: what a killed program leaves behind stays.

    Args:
        folder: where the engine may write; it is made when needed, and whoever named it removes it.
        grace: seconds that a process has from the stop signal to the kill.
        user: as whom processes run; None: as the program's own user.
    """

    folder: Path
    grace: float = 10.0
    user: ProcessUser | None = None

    async def run(self, spec: ProcessSpec, on_output: OnOutput | None = None) -> ProcessExit:
        """Run a process to its end, and to that of all that it started. Without ``on_output``, its output is dropped.

        Raises:
            ProcessStartError: it could not be started.
        """
        wanted = spec.grace
        spec = replace(
            spec, grace=lambda: min(wanted() if callable(wanted) else wanted, self.grace), user=spec.user or self.user
        )
        return await processes.run(spec, on_output=on_output or _drop)


def _drop(_data: bytes, _stream: str) -> None:
    pass
