"""The environment of a child process: what the task says, and nothing of the runner's own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

__all__ = ["DEFAULT_PATH", "clean_environment"]

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_PASSED = ("LANG", "TZ")


def clean_environment(folder: Path, extra: Mapping[str, str]) -> dict[str, str]:
    """PATH, LANG and TZ of this machine, HOME and TMPDIR in the task's folder, then ``extra``, which wins.

    Everything else that the runner was started with stays out: its secrets are there.
    """
    home, temporary = folder / "home", folder / "tmp"
    for place in (home, temporary):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
    return {
        "PATH": os.environ.get("PATH", DEFAULT_PATH),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        **passed,
        "HOME": str(home),
        "TMPDIR": str(temporary),
        **extra,
    }
