"""Paths in the containers of a docker pipeline: where the source lies, and where nothing may be hidden."""

from __future__ import annotations

import posixpath

__all__ = ["DEFAULT_WORKSPACE", "cleaned", "hides_the_system", "is_below", "workspace_folders"]

DEFAULT_WORKSPACE = "/drone/src"

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


def cleaned(path: str) -> str:
    """The absolute path without ``.``, ``..`` and double slashes."""
    return "/" + posixpath.normpath(f"/{path}").lstrip("/")


def is_below(path: str, folder: str) -> bool:
    """Whether a path is this folder or in it, as a container's system sees it."""
    path = cleaned(path)
    return path == folder or path.startswith(f"{folder}/")


def hides_the_system(path: str) -> bool:
    """Whether a container's system lives there. Compared without regard to case, as some systems do."""
    path = cleaned(path).lower()
    return path in _RESTRICTED or any(is_below(path, folder) for folder in _RESTRICTED_BELOW)


def workspace_folders(base: str, path: str) -> tuple[str, str]:
    """What a pipeline's ``workspace`` asks for: the folder that is mounted, and the repository's.

    A path without a base is below the usual one; an absolute one is the base itself.
    """
    if not base:
        base, path = (path, "") if path.startswith("/") else (DEFAULT_WORKSPACE, path)
    base = cleaned(base)
    return base, cleaned(posixpath.join(base, path.lstrip("/")))
