"""Why a process could not be started, and what helps."""

import errno
import os
from pathlib import Path

from delegate_core.processes.rights import FolderError
from delegate_core.processes.specification import ProcessSpec
from delegate_core.processes.user import ProcessUser

__all__ = ["ProcessStartError", "explained", "resolved"]


class ProcessStartError(Exception):
    """A process could not be started. Names the program and never its arguments or its environment's values.

    Attributes:
        culprit: what is wrong, a sentence.
        cure: what to do, a sentence.
        errno: the system's number for it; None when the system was not even asked.
    """

    def __init__(self, culprit: str, cure: str, number: int | None = None) -> None:
        super().__init__(f"{culprit}. {cure}.")
        self.culprit = culprit
        self.cure = cure
        self.errno = number


def explained(error: OSError | ValueError, spec: ProcessSpec) -> ProcessStartError:
    """The error of a start in words."""
    if not isinstance(error, OSError):
        # Its text may quote a value; which one it is, is found without it.
        return ProcessStartError(*_unfit(spec))
    told = _of_other_user(error, spec, spec.user) if spec.user else _folder(spec) or _program(error, spec)
    culprit, cure = told or _refusal(error, spec)
    return ProcessStartError(culprit, cure, error.errno)


def _of_other_user(error: OSError, spec: ProcessSpec, user: ProcessUser) -> tuple[str, str] | None:
    """Tells no more than this user may know: what only the runner could look at is not looked at."""
    where, name = f"the working directory {spec.cwd}", spec.argv[0]
    if isinstance(error, FolderError):
        if error.errno in {errno.ENOENT, errno.ENOTDIR}:
            return f"{where} does not exist", "Create it, or name another"
        return f"{where} may not be entered by user {user}", "Allow this user to enter it and the folders above it"
    if error.errno == errno.ENOENT:
        return f"the program {name!r}, or the interpreter that it names, was not found", _where_to_put_it(name)
    if error.errno in {errno.EACCES, errno.ENOTDIR}:
        return f"the program {name!r} may not be executed by user {user}", (
            "Make it an executable file (chmod +x) in folders that this user may enter"
        )
    if error.errno == errno.ENOEXEC:
        return _no_format(name)
    return None


def _unfit(spec: ProcessSpec) -> tuple[str, str]:
    names = [name for name, value in spec.env.items() if not name or "=" in name or not _fit(name + value)]
    if names:
        return f"the environment variable {names[0]!r} cannot be passed on", "Remove the zero bytes and '='"
    places = [place for place, text in enumerate(spec.argv) if not _fit(text)]
    what = f"argument {places[0]} of the command" if places else "the command or its working directory"
    return f"{what} cannot be passed on", "Remove zero bytes and broken characters from it"


def _fit(text: str) -> bool:
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def _folder(spec: ProcessSpec) -> tuple[str, str] | None:
    if not spec.cwd.is_dir():
        return f"the working directory {spec.cwd} does not exist", "Create it, or name another"
    if not os.access(spec.cwd, os.X_OK):
        return f"the working directory {spec.cwd} may not be entered", "Allow the runner's user to enter it"
    return None


def _program(error: OSError, spec: ProcessSpec) -> tuple[str, str] | None:
    name, path = spec.argv[0], resolved(spec)
    if error.errno == errno.ENOENT and path is None:
        return f"the program {name!r} was not found", _where_to_put_it(name)
    if error.errno == errno.ENOENT:
        return f"{name!r} needs the interpreter {_interpreter(path)}, which does not exist", (
            "Install it, or correct the first line of the file (a line end of Windows also breaks it)"
        )
    if error.errno in {errno.EACCES, errno.ENOTDIR}:
        return f"the program {name!r} may not be executed", "Make it an executable file (chmod +x)"
    if error.errno == errno.ENOEXEC:
        return _no_format(name)
    return None


def _no_format(name: str) -> tuple[str, str]:
    return f"the program {name!r} is in no format that this machine executes", (
        "Begin a script with a line like #!/bin/sh; build a binary for this architecture"
    )


def _refusal(error: OSError, spec: ProcessSpec) -> tuple[str, str]:
    if error.errno == errno.E2BIG:
        return f"the arguments and the environment of {spec.argv[0]!r} are too long: {_largest(spec)}", (
            "Pass it by a file or the standard input"
        )
    reason = os.strerror(error.errno) if error.errno else "the system refused"
    return f"the program {spec.argv[0]!r} could not be started: {reason}", (
        "Look at the limits of the runner (open files, processes, memory) and at the program's file"
    )


def resolved(spec: ProcessSpec) -> Path | None:
    """The file that was meant; None when there is none."""
    name = spec.argv[0]
    folders = [""] if "/" in name else spec.env.get("PATH", os.defpath).split(os.pathsep)
    # Relative folders start where the program does; an empty one is that place itself.
    paths = (spec.cwd / folder / name for folder in folders)
    return next((path for path in paths if os.path.exists(path) and ("/" in name or not path.is_dir())), None)  # noqa: PTH110 - does not raise


def _where_to_put_it(name: str) -> str:
    if "/" in name:
        return "Check the path; a relative one starts at the working directory"
    return "Install it, or add its folder to the PATH of the environment that the process is given"


def _interpreter(path: Path | None) -> str:
    try:
        with (path or Path("/")).open("rb") as file:
            line = file.readline(256)
    except OSError:
        return "that it names"
    if not line.startswith(b"#!"):
        return "that its binary format names"
    # The kernel knows only blanks and tabs: a carriage return is a part of the name.
    words = line.removeprefix(b"#!").strip(b" \t\n").replace(b"\t", b" ").split(b" ")
    return repr(words[0].decode(errors="replace"))


def _largest(spec: ProcessSpec) -> str:
    sizes = {f"argument {place}": len(text) for place, text in enumerate(spec.argv)}
    sizes |= {f"the variable {name!r}": len(value) for name, value in spec.env.items()}
    name = max(sizes, key=sizes.__getitem__)
    return f"{sum(sizes.values())} characters, the longest is {name} with {sizes[name]}"
