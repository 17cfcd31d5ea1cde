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

    @property
    def written(self) -> str:
        return self._written.decode()

    def wait_for(self, text: str, seconds: float = 20.0) -> None:
        """Block until a text has been written."""
        with self._grown:
            assert self._grown.wait_for(lambda: text in self.written, seconds), f"{text!r} never came: {self.written}"


@contextmanager
def open_terminal(width: int = 80, height: int = 24) -> Iterator[TestTerminal]:
    master, slave = os.openpty()
    tty.setraw(slave)
    termios.tcsetwinsize(slave, (height, width))
    with os.fdopen(slave, "w", encoding="utf-8") as stream:
        yield TestTerminal(stream, master)
    os.close(master)
