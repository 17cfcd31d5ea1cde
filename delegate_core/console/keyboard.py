"""Reading keys beside everything else."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

from delegate_core.console.keys import KeyReader
from delegate_core.console.terminal_mode import TerminalMode

__all__ = ["Keyboard"]

_ESCAPE_WAIT: Final = 0.05
"""Seconds after which an escape character was the key and not the beginning of another one's sequence."""

_BEHIND_WAIT: Final = 0.5
"""Seconds between two looks while another program has the terminal: what is typed is meant for that."""

_PATIENCE: Final = 2.0


class Keyboard:
    """Reads the keys of a terminal in a thread of its own.

    The terminal is given back whenever the program stops: at the end, and for the time of a Ctrl-Z. A thread and not
    the event loop, since reading from behind the shell would stop the whole program: here the signal for that is
    blocked, and the read just fails.

    Args:
        descriptor: of the terminal, open for reading.
        pressed: is told each key, in that thread.
        continued: is called when it goes on, in any thread.
    """

    def __init__(
        self,
        descriptor: int,
        pressed: Callable[[str], object],
        *,
        continued: Callable[[], object],
    ) -> None:
        self._descriptor = descriptor
        self._pressed = pressed
        self._continued = continued
        self._mode = TerminalMode(descriptor)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read while the body runs; the terminal is as before then, whatever ends it."""
        ending, end = os.pipe()
        thread = threading.Thread(target=self._work, args=(ending,), name="keyboard", daemon=True)
        try:
            self._mode.open()
            with _handled(signal.SIGTSTP, self._stop), _handled(signal.SIGCONT, self._go_on):
                thread.start()
                yield
        finally:
            self._mode.close()
            os.close(end)
            thread.join(_PATIENCE)
            os.close(ending)

    def release(self) -> None:
        """Give the terminal back now: the program ends without leaving the body. From any thread."""
        self._mode.close()

    @property
    def is_in_front(self) -> bool:
        """Whether the terminal is this program's, and not another one's behind which it runs."""
        return self._mode.is_in_front()

    # ------------------------------------------------------------------ stopped and continued

    def _stop(self, received: int, _frame: FrameType | None) -> None:
        """Ctrl-Z: stop as everybody does, with the terminal as it was."""
        self._mode.close()
        signal.signal(received, signal.SIG_DFL)
        os.kill(os.getpid(), received)
        # Goes on here, sometime.
        signal.signal(received, self._stop)
        self._mode.open()

    def _go_on(self, _received: int, _frame: FrameType | None) -> None:
        """In front again, or behind; also after a stop that nobody could know of before."""
        if self._mode.enter():
            self._continued()
        else:
            self._mode.leave()

    # ------------------------------------------------------------------ in the thread

    def _work(self, ending: int) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTIN})
        keys = KeyReader()
        while True:
            ours = self._is_ours()
            wait = _ESCAPE_WAIT if keys.waiting else None if ours else _BEHIND_WAIT
            ready = select.select([ending, self._descriptor] if ours else [ending], [], [], wait)[0]
            if ending in ready:
                return
            if not ready:
                self._tell(keys.flush())
            elif data := self._read():
                self._tell(keys.feed(data))
            elif select.select([ending], [], [], _BEHIND_WAIT)[0]:
                return

    def _is_ours(self) -> bool:
        """Whether what is typed is meant for us. A shell's ``fg`` says nothing to what runs already: this notices."""
        if not self._mode.is_in_front():
            return False
        if not self._mode.active and self._mode.enter():
            self._continued()
        return self._mode.active

    def _read(self) -> bytes:
        try:
            return os.read(self._descriptor, 1024)
        except OSError:  # taken away in this very moment, or gone
            return b""

    def _tell(self, keys: list[str]) -> None:
        for key in keys:
            self._pressed(key)


@contextmanager
def _handled(number: int, handler: Callable[[int, FrameType | None], Any]) -> Iterator[None]:
    """A signal handled by us while the body runs, where nobody else does and this is the main thread."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(number) is not signal.SIG_DFL:
        yield
        return
    signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, signal.SIG_DFL)
