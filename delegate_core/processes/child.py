"""The main process of one start: from its fork to its reaping."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import anyio

from delegate_core.processes.brand import brand
from delegate_core.processes.failure import ProcessStartError, explained
from delegate_core.processes.identity import MARK_VARIABLE, ProcessIdentity
from delegate_core.processes.launching import launcher
from delegate_core.processes.output import Stream
from delegate_core.processes.rights import open_folder
from delegate_core.processes.rules import set_on
from delegate_core.processes.specification import ProcessSpec
from delegate_core.processes.tree import joined_marks

__all__ = ["Child", "start"]

_UMASK = 0o022

_OOM_SCORE = "500"
"""Of -1000 to 1000; the runner's own is 0, unless its service says otherwise."""


@dataclass(frozen=True, slots=True)
class Child:
    """A started process that nobody but `reap` reaps: so long, its pid, group and session are nobody else's.

    Attributes:
        identity: for the journal.
        pipes: the reading ends of its output.
    """

    identity: ProcessIdentity
    pipes: dict[Stream, IO[bytes]]
    _popen: subprocess.Popen[bytes]
    _descriptor: int

    async def exited(self) -> None:
        """Wait until it has exited."""
        await anyio.wait_readable(self._descriptor)

    def reap(self) -> tuple[int | None, int | None]:
        """Its code, or the signal that ended it; neither while it lives, or when somebody else reaped it.

        Not `Popen.wait`, which says 0 in the latter case: a failure must never look like a success.
        """
        try:
            result = os.waitid(os.P_PIDFD, self._descriptor, os.WEXITED | os.WNOHANG)
        except ChildProcessError:
            self._popen.returncode = -1
            return None, None
        if result is None:
            return None, None
        exited = result.si_code == os.CLD_EXITED
        self._popen.returncode = result.si_status if exited else -result.si_status
        return (result.si_status, None) if exited else (None, result.si_status)

    def close(self) -> None:
        """Let go of it. If it was not reaped, something broke on the way, and its group is killed first."""
        if self._popen.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.identity.pid, signal.SIGKILL)
        os.close(self._descriptor)


def start(spec: ProcessSpec) -> Child:
    """Start the process in a session and group of its own.

    Does not use a thread: `Popen` holds the interpreter's lock from the vfork to the exec anyway, about a
    millisecond, and a start that cannot be cancelled half-way leaves no process that nobody knows. For the
    same vfork there is no `preexec_fn`: see `launching` for how its rules hold from its first moment.

    Raises:
        ProcessStartError: it could not be started; says why, and what to do.
    """
    try:
        before = launcher(spec, [*spec.limits.rules(), *brand(spec.mark, spec.within)])
        with _input(spec.stdin) as stdin:
            popen = _launched(spec, before, stdin) if before else None
            ruled = popen is not None
            popen = popen or _popen(spec, spec.argv, stdin)
    except (OSError, ValueError) as error:
        raise explained(error, spec) from None
    try:
        _offer_to_oom_killer(popen.pid)
        if not ruled:
            _set_rules(popen, spec)
        descriptor = os.pidfd_open(popen.pid)
        return Child(ProcessIdentity.of(popen.pid, spec.mark), _pipes(popen), popen, descriptor)
    except OSError as error:
        raise _unwatchable(popen, error) from None


def _offer_to_oom_killer(pid: int) -> None:
    """Where memory runs out, the system shall end a step and not the runner: what the process starts inherits this."""
    with suppress(OSError):  # it may have ended already
        Path(f"/proc/{pid}/oom_score_adj").write_text(_OOM_SCORE)


def _set_rules(popen: subprocess.Popen[bytes], spec: ProcessSpec) -> None:
    with suppress(OSError):  # of another user's, for which the runner lacks the right: the other ways have to find it
        set_on(popen.pid, brand(spec.mark, spec.within))
    try:
        set_on(popen.pid, spec.limits.rules())
    except (OSError, ValueError) as error:
        raise _given_up(
            popen,
            f"the limits of {spec.argv[0]!r} could not be set: {error}",
            "It has to be a program of the runner's own user; or take the limits out of the settings",
        ) from None


def _launched(spec: ProcessSpec, before: Sequence[str], stdin: int) -> subprocess.Popen[bytes] | None:
    """None: that is refused, be it for a command line that is too long with the launcher in it, or for the program's
    own sake, which the start without it will tell in the program's words.
    """
    with suppress(OSError):
        return _popen(spec, [*before, *spec.argv], stdin)
    return None


def _popen(spec: ProcessSpec, argv: Sequence[str], stdin: int) -> subprocess.Popen[bytes]:
    if spec.user is None:
        return _popen_in(spec.cwd, spec, argv, stdin)
    folder = open_folder(spec.cwd, spec.user)
    try:
        # The change of user comes after that of the folder, which would be entered with all the rights of the runner.
        return _popen_in(Path(f"/proc/self/fd/{folder}"), spec, argv, stdin)
    finally:
        os.close(folder)


def _popen_in(cwd: Path, spec: ProcessSpec, argv: Sequence[str], stdin: int) -> subprocess.Popen[bytes]:
    user = spec.user
    return subprocess.Popen(  # noqa: S603 - executing what the task says is what a runner does
        argv,
        cwd=cwd,
        env={**spec.env, MARK_VARIABLE: joined_marks(*filter(None, (spec.within, spec.mark)))},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if spec.merge_stderr else subprocess.PIPE,
        bufsize=0,
        start_new_session=True,
        umask=_UMASK,
        user=user.uid if user else None,
        group=user.gid if user else None,
        extra_groups=user.groups if user else None,
    )


@contextmanager
def _input(content: bytes | None) -> Iterator[int]:
    """What the process reads. A file in memory needs no writer that could block, or outlive its reader."""
    if content is None:
        yield subprocess.DEVNULL
        return
    with open(os.memfd_create("stdin"), "w+b") as file:  # noqa: PTH123 - it has no path
        file.write(content)
        file.seek(0)
        yield file.fileno()


def _pipes(popen: subprocess.Popen[bytes]) -> dict[Stream, IO[bytes]]:
    streams: tuple[tuple[Stream, IO[bytes] | None], ...] = (
        ("stdout", popen.stdout),
        ("stderr", popen.stderr),
    )
    return {stream: pipe for stream, pipe in streams if pipe is not None}


def _unwatchable(popen: subprocess.Popen[bytes], error: OSError) -> ProcessStartError:
    return _given_up(
        popen,
        f"process {popen.pid} was started but cannot be watched: {error.strerror}",
        "Raise the runner's limit of open files; on Linux before 5.3, or without pidfd_open, upgrade",
        error.errno,
    )


def _given_up(popen: subprocess.Popen[bytes], culprit: str, cure: str, number: int | None = None) -> ProcessStartError:
    """What to say of a process that was started in vain, and is killed."""
    popen.kill()
    with popen:  # closes its pipes and reaps it
        pass
    return ProcessStartError(culprit, cure, number)
