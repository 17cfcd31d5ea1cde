"""Where the source lies in the containers of a docker pipeline, and where it may not."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from delegate_core.pipeline.spec import Workspace
from delegate_drone.manifest import Workspace as ManifestWorkspace

__all__ = ["ContainerWorkspace", "is_restricted"]

_DEFAULT = "/drone/src"
_RESTRICTED = frozenset({"/", "/etc", "/var"})
_RESTRICTED_BELOW = (
    "/bin",
    "/dev",
    "/etc/docker",
    "/media",
    "/mnt",
    "/mount",
    "/proc",
    "/sys",
    "/usr/bin",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/var/run",
)


@dataclass(frozen=True, slots=True)
class ContainerWorkspace:
    """``base`` is mounted in every container; ``path`` is the repository below it, empty for ``base`` itself."""

    base: str = _DEFAULT
    path: str = ""

    @property
    def full(self) -> str:
        """The folder that steps start in."""
        return posixpath.join(self.base, self.path) if self.path else self.base

    @classmethod
    def of(cls, wanted: ManifestWorkspace) -> ContainerWorkspace:
        """What a pipeline asks for; the default where that would hide a folder of the container's system."""
        base, path = wanted.base, wanted.path
        if not base:
            base, path = (path, "") if path.startswith("/") else (_DEFAULT, path)
        base = _clean(base)
        full = _clean(posixpath.join(base, path.lstrip("/")))
        if is_restricted(base) or is_restricted(full):
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


def is_restricted(path: str) -> bool:
    """Whether a container's system lives there, so that nothing of a pipeline may hide it."""
    path = _clean(path).lower()
    return path in _RESTRICTED or any(path == folder or path.startswith(f"{folder}/") for folder in _RESTRICTED_BELOW)


def _clean(path: str) -> str:
    return "/" + posixpath.normpath(f"/{path}").lstrip("/")
