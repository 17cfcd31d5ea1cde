"""The folder in which tasks have theirs, where that is not in the state folder."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from delegate_core.errors import StateError

__all__ = ["DEFAULT", "make"]

DEFAULT = Path("/var/lib/delegate/work")
"""Where others get through to, unlike the home of root."""


def make(folder: Path, *, shared: bool) -> None:
    """Make it, and the folders around it that are missing.

    Args:
        folder: an absolute path without links.
        shared: other users get through it; listing and writing is for its owner in any case.

    Raises:
        StateError: it, or a folder around it, is somebody else's.
        OSError: it cannot be made.
    """
    mode = 0o711 if shared else 0o700
    for each in (*reversed(folder.parents), folder):
        try:
            each.mkdir(mode=0o700)
            each.chmod(mode)
        except FileExistsError:
            pass
        if shared:
            _check(each)
    folder.chmod(mode)


def _check(folder: Path) -> None:
    """Whether only we, or root, can change what is in it; in a sticky folder, nobody moves what is another's."""
    status = folder.lstat()
    others = status.st_mode & 0o022 and not status.st_mode & stat.S_ISVTX
    if status.st_uid not in {0, os.geteuid()} or others:
        raise StateError(
            f"tasks cannot have their folders below {folder}: others than the runner's user may change it; "
            "choose another place with --work-dir"
        )
