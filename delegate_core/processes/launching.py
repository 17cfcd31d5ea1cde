"""Rules that hold from a program's first moment: ``prlimit(1)`` sets them on itself, and becomes the program.

Nothing of ours may run between fork and exec, and whatever is set from outside comes too late for a program that is
fast. So the rules go before the program, in its command line: one more exec, half a millisecond. What the kernel may
not take as a program is started without that, since its refusal tells more than prlimit's, and which file is executed
must not depend on this: prlimit has a shell execute what the kernel does not know.
"""

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from delegate_core.processes.failure import ProcessStartError, resolved
from delegate_core.processes.limits import Limits
from delegate_core.processes.rules import Rule
from delegate_core.processes.specification import ProcessSpec

__all__ = ["launcher"]

_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"

_HEADER = 256
"""Bytes of a file that tell the kernel how to execute it."""

_ELF, _SCRIPT = b"\x7fELF", b"#!"
_KIND, _MACHINE = slice(0, 6), slice(18, 20)
"""Where an ELF file says what it is, and for which processor (elf(5))."""


def launcher(spec: ProcessSpec, rules: Sequence[Rule]) -> list[str]:
    """What its command line begins with so that the rules hold at once; empty: they have to come from outside.

    For another user's that is so where it has limits: nothing is known of whether the kernel would take its program.

    Raises:
        ProcessStartError: another user's processes are to be limited, and prlimit is not there. To do so from outside
            takes a right which root often lacks in a container.
    """
    limited = spec.limits != Limits()
    program = _prlimit()
    if program is not None:
        wanted = limited if spec.user is not None else _is_taken(spec)
        return [program, *(rule.option() for rule in rules), "--"] if wanted else []
    if spec.user is None or not limited:
        return []
    raise ProcessStartError(
        "limits of another user's processes need the program prlimit, which was not found",
        "Install util-linux, or take the limits out of the settings",
    )


@cache
def _prlimit() -> str | None:
    return shutil.which("prlimit", path=_SYSTEM_PATH)


def _is_taken(spec: ProcessSpec) -> bool:
    """Whether the kernel is certain to take the program, or the interpreter that its first line names."""
    path = resolved(spec)
    if path is None:
        return False
    header = _header(path)
    if not header.startswith(_SCRIPT):
        return _is_native(header)
    # Only blanks and tabs separate: to the kernel, a carriage return is a part of the interpreter's name.
    words = header.partition(b"\n")[0].removeprefix(_SCRIPT).replace(b"\t", b" ").split(b" ")
    words = [word for word in words if word]
    return bool(words) and _is_native(_header(Path(os.fsdecode(words[0]))))


def _is_native(header: bytes) -> bool:
    own = _own_header()
    return header.startswith(_ELF) and header[_KIND] == own[_KIND] and header[_MACHINE] == own[_MACHINE]


@cache
def _own_header() -> bytes:
    return _header(Path("/proc/self/exe"))


def _header(path: Path) -> bytes:
    """How an executable file begins; nothing where it is none, or may not be read."""
    if os.access(path, os.X_OK) and path.is_file():
        with suppress(OSError), path.open("rb") as file:
            return file.read(_HEADER)
    return b""
