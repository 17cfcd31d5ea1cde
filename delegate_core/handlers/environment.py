"""The environment of a child process: what the task says, and nothing of the runner's own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from delegate_core import processes

__all__ = ["DEFAULT_PATH", "clean_environment", "made"]

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_PASSED = ("LANG", "TZ")


def clean_environment(
    folder: Path, extra: Mapping[str, str], user: processes.ProcessUser | None = None
) -> dict[str, str]:
    """PATH, LANG and TZ of this machine, HOME and TMPDIR in the task's folder, then ``extra``, which wins.

    Everything else that the runner was started with stays out: its secrets are there. The two folders are the user's,
    who is named too; without one they are the runner's.
    """
    home, temporary = folder / "home", folder / "tmp"
    for place in (home, temporary):
        made(place, user)
    passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
    return {
        "PATH": os.environ.get("PATH", DEFAULT_PATH),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        **passed,
        "HOME": str(home),
        "TMPDIR": str(temporary),
        **(user.variables if user else {}),
        **extra,
    }


def made(folder: Path, user: processes.ProcessUser | None) -> Path:
    """A folder for processes of this user, or else of the runner's own; it is made if need be, and theirs alone."""
    try:
        folder.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        return folder
    if user is not None:
        user.own(folder)
    return folder
