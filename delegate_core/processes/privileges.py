"""What this process may do that others may not, and what of that its children shall never have."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Final

__all__ = ["children_gain_nothing", "missing_for_users"]

_NEEDED: Final = {
    "CAP_CHOWN": 0,
    "CAP_DAC_OVERRIDE": 1,
    "CAP_FOWNER": 3,
    "CAP_KILL": 5,
    "CAP_SETGID": 6,
    "CAP_SETUID": 7,
    "CAP_SYS_PTRACE": 19,
}
"""To become another user; to give folders away and to delete what became of them; to end that user's processes, and to
read in their environments which are whose."""

_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT, _CLEAR_ALL = 47, 4


def missing_for_users() -> list[str]:
    """The capabilities that this process lacks for having processes run as other users; none where all are there."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    effective = next(int(line.split()[1], 16) for line in lines if line.startswith("CapEff:"))
    return [name for name, bit in _NEEDED.items() if not effective >> bit & 1]


def children_gain_nothing() -> None:
    """From here on, what this thread and those that it starts execute gains no right by its file, and inherits none.

    That is: setuid programs and file capabilities are without effect, and the capabilities that a service's manager
    gave to a runner which is not root stay with the runner. It cannot be undone.

    Raises:
        OSError: the kernel does not know that.
    """
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_CAP_AMBIENT, _CLEAR_ALL)


def _prctl(option: int, value: int) -> None:
    system = ctypes.CDLL(None, use_errno=True)
    if system.prctl(option, ctypes.c_ulong(value), *(ctypes.c_ulong(0),) * 3) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
