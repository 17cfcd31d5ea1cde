"""Rules that hold from a program's first moment: ``prlimit(1)`` sets them on itself, and becomes the program.

Nothing of ours may run between fork and exec, and whatever is set from outside comes too late for a program that is
fast. So the rules go before the program, in its command line: one more exec, half a millisecond. What the kernel may
not take as a program is started without that, since its refusal tells more than prlimit's, and which file is executed
must not depend on this: prlimit has a shell execute what the kernel does not know.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache

from delegate_core.processes.executable import is_everybodys, is_taken
from delegate_core.processes.failure import ProcessStartError
from delegate_core.processes.limits import Limits
from delegate_core.processes.rules import Rule
from delegate_core.processes.specification import ProcessSpec

__all__ = ["launcher"]

_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"

_LOADING = "LD_"
"""How the variables begin that change what a program loads, or have the loader print."""

_TRIAL_TIME = 10.0
"""Seconds for what takes one millisecond."""


def launcher(spec: ProcessSpec, rules: Sequence[Rule]) -> list[str]:
    """What its command line begins with so that the rules hold at once; empty: they have to come from outside.

    Another user's with limits begins with it in any case; all else only where the kernel is known to take its program.

    Raises:
        ProcessStartError: another user's processes are to be limited, and prlimit is not there. To do so from outside
            takes a right which root often lacks in a container.
    """
    limited = spec.limits != Limits()
    program = _prlimit() if rules else None
    if program is not None:
        return [program, *(rule.option() for rule in rules), "--"] if _is_for(spec, limited=limited) else []
    if spec.user is None or not limited:
        return []
    raise ProcessStartError(
        "limits of another user's processes need the program prlimit, which was not found",
        "Install util-linux, or take the limits out of the settings",
    )


def _is_for(spec: ProcessSpec, *, limited: bool) -> bool:
    """Whether the program may be started by another: what is meant for it alone must not break that one before it."""
    if spec.user is not None and limited:
        return True
    if not limited and any(name.startswith(_LOADING) for name in spec.env):
        return False
    return (spec.user is None or is_everybodys(spec)) and is_taken(spec)


@cache
def _prlimit() -> str | None:
    """The one of util-linux, tried once: others of this name know none of its options, or not all.

    Raises:
        OSError: nothing can be started at this moment, which says nothing of it.
    """
    program = shutil.which("prlimit", path=_SYSTEM_PATH)
    return program if program is not None and _works(program) else None


def _works(program: str) -> bool:
    options = ("--core=0:0", "--", program, "--version")
    try:
        tried = subprocess.run(  # noqa: S603 - a program of the system's, in an empty environment
            [program, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={},
            cwd=os.sep,
            timeout=_TRIAL_TIME,
            check=False,
        )
    except (FileNotFoundError, PermissionError, subprocess.TimeoutExpired):
        return False
    return tried.returncode == 0
