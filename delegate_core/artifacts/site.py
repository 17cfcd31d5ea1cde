"""What fetching needs of the task that it is done for. A `delegate_core.handlers.TaskContext` is one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from delegate_core.processes import OnOutput, ProcessExit, ProcessSpec

__all__ = ["Site"]


class Site(Protocol):
    """The surroundings of one task."""

    @property
    def folder(self) -> Path:
        """The task's own folder."""

    def log(self, text: str, *, level: str = "info") -> None:
        """Print lines to the task's log."""

    async def secret(self, name: str) -> str:
        """A secret that the runner's settings declare, masked."""

    def mask(self, *values: str) -> None:
        """Never show these values."""

    def masked(self, text: str) -> str:
        """The text as it may be shown."""

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """A clean environment for a child process."""

    async def run(self, spec: ProcessSpec, on_output: OnOutput | None = None) -> ProcessExit:
        """Run a process to its end."""
