"""A terminal of our own, whose screen a test can read."""

from __future__ import annotations

import os
import termios
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper

__all__ = ["TestTerminal", "open_terminal"]


class TestTerminal:
    """The program's end as ``stream``, and all that was written to it."""

    __test__ = False

    def __init__(self, stream: TextIOWrapper, master: int) -> None:
        self.stream = stream
        self._master = master
        self._written = b""
        self._grown = threading.Condition()
        self._reader = threading.Thread(target=self._read, args=(master,), daemon=True)
        self._reader.start()

    def _read(self, master: int) -> None:
        while True:
            try:
                data = os.read(master, 65536)
            except OSError:
                data = b""
            if not data:
                return
            with self._grown:
                self._written += data
                self._grown.notify_all()

    def close(self) -> None:
        """After the stream.

        A reader that went on would read from whatever gets the number of our end next, and take it from another test:
        while somebody still has the terminal, such as a process that was left, our end stays open.
        """
        self._reader.join(5)
        if not self._reader.is_alive():
            os.close(self._master)

    @property
    def written(self) -> str:
        return self._written.decode(errors="ignore")

    def wait_for(self, text: str, seconds: float = 40.0, *, after: int = 0) -> int:
        """Block until a text has been written, after so many characters; the place behind it."""
        with self._grown:
            came = self._grown.wait_for(lambda: text in self.written[after:], seconds)
            assert came, f"{text!r} never came: {self.written[after:]}"
        return self.written.index(text, after) + len(text)

    def press(self, keys: str) -> int:
        """Type something; how much has been written before."""
        before = len(self.written)
        os.write(self._master, keys.encode())
        return before

    def reads_lines(self) -> bool:
        """Whether the terminal hands over whole lines, and shows what is typed: not the mode of a view with keys."""
        local = termios.tcgetattr(self._master)[3]
        return bool(local & termios.ICANON and local & termios.ECHO)


@contextmanager
def open_terminal(width: int = 80, height: int = 24, *, raw: bool = True) -> Iterator[TestTerminal]:
    master, slave = os.openpty()
    if raw:
        tty.setraw(slave)
    termios.tcsetwinsize(slave, (height, width))
    stream = os.fdopen(slave, "w", encoding="utf-8")
    terminal = TestTerminal(stream, master)
    try:
        with stream:
            yield terminal
    finally:
        terminal.close()
