"""Which stage folders are in use: each is claimed by a lock on itself, which ends with its process in any case.

Making a folder and locking it are two steps, so both happen under a lock on the folder around it, and so does the look
for abandoned ones.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from delegate_core import removal

__all__ = ["claim", "remove_abandoned"]

_STAGE = re.compile(r"stage-[0-9a-f]{16}")


def claim(folder: Path) -> int:
    """Make this folder, for its owner's eyes only, and claim it. What a dead process has left there is removed.

    Returns:
        A descriptor; closing it gives the claim up.

    Raises:
        FileExistsError: somebody alive has it, or it is something else.
        OSError: it cannot be made.
    """
    with _exclusive(folder.parent):
        left = _put_aside_if_abandoned(folder)
        folder.mkdir(mode=0o700)
        held = _locked(folder)
    if left is not None:
        removal.clear(left)
    if held is None:
        raise FileExistsError(f"somebody else has locked {folder}")
    return held


def remove_abandoned(root: Path) -> None:
    """Remove the stage folders below this one whose process is gone, and what was left of earlier removals."""
    if not root.is_dir():
        return
    with _exclusive(root):
        for folder in root.iterdir():
            if _STAGE.fullmatch(folder.name):
                _put_aside_if_abandoned(folder)
    for pit in root.glob(f"{removal.PIT}*"):
        removal.clear(pit)


def _put_aside_if_abandoned(folder: Path) -> Path | None:
    try:
        held = _locked(folder)
    except OSError:
        return None  # not there, no folder, or another user's
    if held is None:
        return None
    try:
        ours = os.fstat(held).st_uid == os.geteuid()
        return removal.put_aside(folder) if ours else None
    finally:
        os.close(held)


def _locked(folder: Path) -> int | None:
    """A descriptor that locks it; None while somebody else's does."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # held for a few renames at a time
        yield
    finally:
        os.close(descriptor)
