"""The host engine: a place is a few folders, a step is a process."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import anyio.to_thread

from delegate_core.engines.engine import Surroundings
from delegate_core.engines.host.claim import remove_abandoned
from delegate_core.engines.host.kept import KeptWorkspaces
from delegate_core.engines.host.layout import HostLayout
from delegate_core.engines.host.place import HostPlace
from delegate_core.engines.host.stagefolder import StageFolder
from delegate_core.pipeline.spec import Stage

__all__ = ["HostEngine"]

_WEEK = 7 * 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HostEngine:
    """Runs steps as processes of this machine.

    Attributes:
        root: stages get a folder each below this one; None: within what their surroundings give them. It is made if it
            is missing, and has to be on a file system that knows locks.
        keep_failed: where the workspaces of failed stages are kept; None: nowhere.
        limiter: how many steps may run at one time, over all stages; None: any number.
        home_links: what of this machine each stage finds in its home: where it is, by its path there.
        keep_for: seconds after which a kept workspace is removed.
        keep_most: how many are kept at most.
        on_kept: told of each workspace that was kept, with the stage's name and the place; in a worker thread.
        clock: seconds since 1970.
    """

    root: Path | None = None
    keep_failed: Path | None = None
    limiter: anyio.CapacityLimiter | None = None
    home_links: Mapping[str, str] = field(default_factory=dict)
    keep_for: float = _WEEK
    keep_most: int = 10
    on_kept: Callable[[str, Path], object] = lambda _stage, _path: None
    clock: Callable[[], float] = time.time

    def layout(self, folder: Path) -> HostLayout:
        """Where a stage will live whose surroundings have this folder. Nothing is made."""
        return HostLayout.of(folder, self.root)

    @asynccontextmanager
    async def open(self, stage: Stage, surroundings: Surroundings) -> AsyncIterator[HostPlace]:
        """Make the stage's folders; leaving removes them. The workspace of a failed stage is kept where that is set up.

        Raises:
            EngineError: the folders cannot be made, or the folder that it is to use in place is none.
        """
        folder = StageFolder(stage, self.layout(surroundings.folder), self.home_links, surroundings.user)
        place = HostPlace(folder, surroundings)
        try:
            await _blocking(folder.make)
            yield place
        finally:
            with anyio.CancelScope(shield=True):
                await _blocking(lambda: self._close(stage, folder, wanted=place.wanted))

    async def sweep(self) -> None:
        """Remove what earlier runners have left below the root, and the kept workspaces that are too old or too many.

        A folder whose stage still runs, in this process or another, is never touched.
        """
        await _blocking(self._sweep)

    def _close(self, stage: Stage, folder: StageFolder, *, wanted: bool) -> None:
        kept = self._kept()
        if kept is not None and wanted and not folder.in_place:
            path = kept.keep(folder.workspace, stage.name)
            if path is not None:
                self.on_kept(stage.name, path)
        folder.remove()

    def _sweep(self) -> None:
        if self.root is not None:
            remove_abandoned(self.root)
        if (kept := self._kept()) is not None:
            kept.sweep()

    def _kept(self) -> KeptWorkspaces | None:
        if self.keep_failed is None:
            return None
        return KeptWorkspaces(self.keep_failed.absolute(), self.keep_for, self.keep_most, self.clock)


async def _blocking(work: Callable[[], None]) -> None:
    """In a thread of its own: busy handlers must not delay a stage's end."""
    await anyio.to_thread.run_sync(work, limiter=anyio.CapacityLimiter(1))
