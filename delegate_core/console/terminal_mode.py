"""The mode of a terminal in which single keys can be read, and the way back to the one before."""

from __future__ import annotations

import os
import signal
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

__all__ = ["TerminalMode"]

_INPUT, _LOCAL, _CHARACTERS = 0, 3, 6
"""Places in what ``tcgetattr`` gives."""

Attributes = list[int | list[bytes | int]]


class TerminalMode:
    """Switches one terminal to single keys without echo and back, as often as wanted.

    Ctrl-C, Ctrl-Z and Ctrl-S go on doing what they do: only lines and the echo are off. Nothing is changed while
    another program has the terminal in the foreground, such as the shell, for this one runs behind it.

    Args:
        descriptor: of the terminal, open for reading.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._before: Attributes | None = None
        self._closed = False
        # Of one thread several times: a signal's handler may come in between.
        self._lock = threading.RLock()

    @property
    def active(self) -> bool:
        """Whether it is switched."""
        return self._before is not None

    def is_in_front(self) -> bool:
        """Whether the terminal is this program's to read. One that controls no session is everybody's."""
        try:
            return os.tcgetpgrp(self._descriptor) == os.getpgrp()
        except OSError:
            return True

    def enter(self) -> bool:
        """Switch to single keys; False if that cannot be, or not now.

        Also where it is switched, as far as this knows: a program that was stopped without a word finds the terminal as
        the shell has it. What to switch back to stays what it was then.
        """
        with self._lock:
            if self._closed or not self.is_in_front():
                return False
            try:
                before = self._before or termios.tcgetattr(self._descriptor)
                self._set(_for_keys(before))
            except termios.error:
                return False
            self._before = before
            return True

    def leave(self) -> None:
        """Switch back. A terminal that another program has by now is left as that wants it. Never raises."""
        with self._lock:
            before, self._before = self._before, None
            if before is not None and self.is_in_front():
                with suppress(termios.error):  # it is gone
                    self._set(before)

    def close(self) -> None:
        """Switch back, and stay so until `open`, whoever wants to enter meanwhile."""
        with self._lock:
            self._closed = True
            self.leave()

    def open(self) -> bool:
        """Switch, as `enter` does, after a `close`."""
        with self._lock:
            self._closed = False
            return self.enter()

    def _set(self, attributes: Attributes) -> None:
        with _undisturbed():
            # At once: a terminal that was stopped with Ctrl-S never takes what is to be written before.
            termios.tcsetattr(self._descriptor, termios.TCSANOW, attributes)


def _for_keys(before: Attributes) -> Attributes:
    after: Attributes = [one[:] if isinstance(one, list) else one for one in before]
    local, characters = after[_LOCAL], after[_CHARACTERS]
    if isinstance(local, int) and isinstance(characters, list):  # always; what the type says of it is wider
        after[_LOCAL] = local & ~(termios.ECHO | termios.ICANON)
        characters[termios.VMIN], characters[termios.VTIME] = 1, 0
    return after


_BEHIND: Final = frozenset({signal.SIGTTOU, signal.SIGTTIN})
"""What stops a program that uses a terminal from behind."""


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Not stopped for it, should the terminal have gone to another program in this very moment."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _BEHIND)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
