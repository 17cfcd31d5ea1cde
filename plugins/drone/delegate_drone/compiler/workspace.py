"""Where the source lies in the containers of a docker pipeline."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from delegate_core.pipeline.spec import Workspace
from delegate_drone.manifest import Workspace as ManifestWorkspace
from delegate_drone.manifest.paths import DEFAULT_WORKSPACE, hides_the_system, workspace_folders

__all__ = ["ContainerWorkspace"]


@dataclass(frozen=True, slots=True)
class ContainerWorkspace:
    """``base`` is mounted in every container; ``path`` is the repository below it, empty for ``base`` itself."""

    base: str = DEFAULT_WORKSPACE
    path: str = ""

    @property
    def full(self) -> str:
        """The folder that steps start in."""
        return posixpath.join(self.base, self.path) if self.path else self.base

    @classmethod
    def of(cls, wanted: ManifestWorkspace) -> ContainerWorkspace:
        """What a pipeline asks for; the default where that would hide a folder of the container's system."""
        base, full = workspace_folders(wanted.base, wanted.path)
        if hides_the_system(base) or hides_the_system(full):
            return cls()
        below = posixpath.relpath(full, base)
        if below == ".":
            return cls(base)
        return cls(full) if below.startswith("..") else cls(base, below)

    def spec(self, source: str | None) -> Workspace:
        """The same for an engine; an existing folder is mounted as the whole workspace."""
        return Workspace(base=self.base, path=self.path, source=source)

    def in_place(self) -> ContainerWorkspace:
        """The same place for an existing folder: all of it is the repository."""
        return ContainerWorkspace(self.full)
