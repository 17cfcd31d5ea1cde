"""What to start, and how it ended."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from delegate_core.processes.identity import checked_mark
from delegate_core.processes.limits import Limits
from delegate_core.processes.user import ProcessUser

__all__ = ["ProcessExit", "ProcessSpec"]

_SIGNALLED = 128
_UNKNOWN = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """A process to start. Its arguments, environment and input may hold secrets and stay out of its repr.

    Attributes:
        argv: program and arguments. A program without a slash is looked for in the PATH of `env`.
        cwd: its working directory.
        env: its whole environment: nothing of the runner's own is inherited. The mark is added.
        stdin: what it reads from its standard input; None is the empty input of /dev/null.
        grace: seconds between SIGTERM and SIGKILL when it has to be ended; 0 is SIGKILL at once. Or a function
            that says them when it comes to that.
        linger: seconds that its descendants have, after it exited, to finish and close its output.
        merge_stderr: its standard error goes into its standard output, in the order of writing.
        mark: what finds its descendants; unique.
        limits: of each of its processes.
        within: a mark that it shares with others, which finds all of them: `end_leftovers` takes it.
        user: as whom it runs; None: as the runner's own user. Its working directory is entered with that user's rights.
    """

    argv: Sequence[str] = field(repr=False)
    cwd: Path
    env: Mapping[str, str] = field(repr=False)
    stdin: bytes | None = field(default=None, repr=False)
    grace: float | Callable[[], float] = 10.0
    linger: float = 0.5
    merge_stderr: bool = True
    mark: str = field(default_factory=lambda: uuid4().hex)
    within: str | None = None
    limits: Limits = field(default_factory=Limits)
    user: ProcessUser | None = None

    def __post_init__(self) -> None:
        checked_mark(self.mark)
        if self.within is not None:
            checked_mark(self.within)
        if isinstance(self.argv, str) or not self.argv:
            raise ValueError("argv: a list with the program first, and its arguments after it")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessExit:
    """How a process ended. With neither code nor signal, nobody can say (another reaped it, or it survived).

    Attributes:
        code: what it exited with, None when a signal ended it.
        signal: the signal that ended it.
        cancelled: it was ended before its time.
        killed: SIGTERM and the grace were not enough for all of its tree.
        leftovers: processes that outlived it when it exited by itself, and were ended.
        survivors: processes that could not be ended: another user's, or stuck in the kernel.
        limited: which limit it met, or may have met, where it failed by itself; for a person, else empty.
    """

    code: int | None
    signal: int | None
    cancelled: bool = False
    killed: bool = False
    leftovers: int = 0
    survivors: int = 0
    limited: str = ""

    @property
    def exit_code(self) -> int:
        """One number as a shell says it: the code, 128 + signal, or 255 for an unknown end."""
        if self.code is not None:
            return self.code
        return _UNKNOWN if self.signal is None else _SIGNALLED + self.signal
