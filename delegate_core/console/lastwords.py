"""What a command writes beside its log and its tasks' logs: when nothing else shows it, or nothing does any more.

An error that nobody caught, one of a thread or of a destructor, a warning, a record for which there is no handler yet,
what a handler or a plugin prints by itself, and the error that the command ends with. A library's error may carry a
header with a token, and a server's text anything.

A command says what it knows to be secret by `conceal`, as soon as it knows it. That holds until the process ends, for
threads and destructors may outlive the command; within a program that lives on, until `within_a_program` ends.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TextIO

from delegate_core.console.visible import visible_lines

if TYPE_CHECKING:
    from delegate_core.logs.secrecy import Secrecy

__all__ = ["conceal", "plain_output", "shown", "within_a_program"]


def conceal(secrecy: Secrecy) -> None:
    """Hide this from now on in all that this process writes, and what is added to it later."""
    _WORDS.conceal(secrecy)


def shown(text: str) -> str:
    """A text, such as the error that the command ends with, without what is concealed."""
    return _WORDS.text(text)


def plain_output() -> TextIO:
    """Standard output as it is, for a result that is masked already: a number of it may look like a secret."""
    stream: TextIO = sys.stdout.stream if isinstance(sys.stdout, _Printed) else sys.stdout
    return stream


@contextmanager
def within_a_program() -> Iterator[None]:
    """Afterwards the interpreter writes as it did before, and what the body concealed is forgotten."""
    try:
        yield
    finally:
        _WORDS.release()


class _Words:
    """The hooks of the interpreter that write to standard error, and its standard streams."""

    def __init__(self) -> None:
        self._concealed: tuple[Secrecy, ...] = ()
        self._undo = ExitStack()

    def conceal(self, secrecy: Secrecy) -> None:
        """Hide this too; the first time, take over."""
        if not self._concealed:
            self._take_over()
        self._concealed = (*self._concealed, secrecy)
        self._filter_last_resort(secrecy)

    def release(self) -> None:
        """Give back all that was taken over."""
        self._undo.close()
        self._concealed = ()

    def text(self, text: str) -> str:
        """As it may be shown, also without what only looks like a credential."""
        for secrecy in self._concealed:
            text = secrecy.text(text)
        return text

    def printed(self, text: str) -> str:
        """Without what is known to be secret. What else looks like a credential may be the result that is wanted."""
        for secrecy in self._concealed:
            text = secrecy.known(text)
        return text

    def of_the_program(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """An error that nobody caught."""
        self._write("".join(traceback.format_exception(kind, error, trace)))

    def of_thread(self, ended: threading.ExceptHookArgs) -> None:
        """A thread ended with an error; SystemExit is none."""
        if ended.exc_type is not SystemExit:
            name = ended.thread.name if ended.thread else "unknown"
            self._tell(f"Exception in thread {name}:\n", ended.exc_value)

    def of_destructor(self, failed: Any) -> None:
        """An error that there was nobody to raise to."""
        title = failed.err_msg or "Exception ignored in"
        self._tell(
            f"{title}: {_named(failed.object)}\n" if failed.object is not None else f"{title}\n", failed.exc_value
        )

    def of_warning(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        """A warning; that of a file goes there."""
        self._write(warnings.formatwarning(str(message), category, filename, lineno, line), file)

    def _tell(self, title: str, error: BaseException | None) -> None:
        self._write(title + ("".join(traceback.format_exception(error)) if error else ""))

    def _write(self, text: str, file: TextIO | None = None) -> None:
        stream = file or sys.stderr
        if stream is not None:  # as where the program was started without one
            stream.write(visible_lines(self.text(text).rstrip("\n")) + "\n")
            stream.flush()

    def _take_over(self) -> None:
        self._replace(sys, "excepthook", self.of_the_program)
        self._replace(sys, "unraisablehook", self.of_destructor)
        self._replace(threading, "excepthook", self.of_thread)
        self._replace(warnings, "showwarning", self.of_warning)
        for name in ("stdout", "stderr"):
            if getattr(sys, name) is not None:
                self._replace(sys, name, _Printed(getattr(sys, name), self.printed))

    def _replace(self, holder: Any, name: str, ours: object) -> None:
        self._undo.callback(setattr, holder, name, getattr(holder, name))
        setattr(holder, name, ours)

    def _filter_last_resort(self, secrecy: Secrecy) -> None:
        from delegate_core.concern import Concern  # noqa: PLC0415 - who conceals nothing needs none of this
        from delegate_core.logs.records import RecordFilter  # noqa: PLC0415 - the same

        handler = logging.lastResort
        if handler is not None:
            records = RecordFilter(secrecy, Concern())
            handler.addFilter(records)
            self._undo.callback(handler.removeFilter, records)


def _named(raiser: object) -> str:
    try:
        return repr(raiser)
    except Exception:  # noqa: BLE001 - it calls anybody's code
        return f"an object of {type(raiser).__name__}"


_WORDS: Final = _Words()
"""One for the process, as its hooks and streams are."""


class _Printed:
    """A stream as it was, but for the text that is written to it.

    Each text is looked at by itself: a secret that somebody writes in pieces is not recognised. What is written to the
    stream's descriptor goes past this: the views do so, with what is masked already.
    """

    def __init__(self, stream: TextIO, hide: Callable[[str], str]) -> None:
        self.stream = stream
        self._hide = hide

    def write(self, text: str) -> int:
        """Write it as it may be shown."""
        self.stream.write(self._hide(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write one after another."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)
