"""What is written to standard error beside the runner's log: when nothing else shows it, or nothing does any more.

An error that nobody caught, one of a thread or of a destructor, a warning, a record for which there is no handler yet,
and the error that the command ends with. A library's error may carry a header with a token, and a server's text
anything.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from delegate_core.concern import Concern
from delegate_core.console.visible import visible_lines
from delegate_core.errors import DelegateError
from delegate_core.logs.records import RecordFilter
from delegate_core.logs.secrecy import Secrecy

__all__ = ["last_words"]

_FAILED = 1
"""The exit status after an error that nobody caught, as Python's own."""


@contextmanager
def last_words(secrecy: Secrecy) -> Iterator[None]:
    """Hide what is secret in all of these while the body runs, and in the error that it ends with.

    Raises:
        DelegateError: the body's, with its text as it may be shown.
        SystemExit: in place of any other error, once it is written.
    """
    hide = secrecy.text
    with _hooks(_Words(hide)), _last_resort(RecordFilter(secrecy, Concern())):
        try:
            yield
        except DelegateError as error:
            error.args = (hide(str(error)),)
            error.__cause__, error.__context__ = None, None
            raise
        except Exception:  # noqa: BLE001 - whatever it is
            _write(hide(traceback.format_exc()))
            sys.exit(_FAILED)


class _Words:
    """The hooks of the interpreter that write to standard error."""

    def __init__(self, hide: Callable[[str], str]) -> None:
        self._hide = hide

    def of_thread(self, ended: threading.ExceptHookArgs) -> None:
        """A thread ended with an error; SystemExit is none."""
        if ended.exc_type is not SystemExit:
            name = ended.thread.name if ended.thread else "unknown"
            self._tell(f"Exception in thread {name}:\n", ended.exc_value)

    def of_destructor(self, failed: Any) -> None:
        """An error that there was nobody to raise to."""
        self._tell(f"{failed.err_msg or 'Exception ignored'}:\n", failed.exc_value)

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
        _write(self._hide(warnings.formatwarning(str(message), category, filename, lineno, line)), file)

    def _tell(self, title: str, error: BaseException | None) -> None:
        _write(self._hide(title + ("".join(traceback.format_exception(error)) if error else "")))


@contextmanager
def _hooks(words: _Words) -> Iterator[None]:
    before = threading.excepthook, sys.unraisablehook, warnings.showwarning
    threading.excepthook, sys.unraisablehook = words.of_thread, words.of_destructor
    warnings.showwarning = words.of_warning
    try:
        yield
    finally:
        threading.excepthook, sys.unraisablehook, warnings.showwarning = before


@contextmanager
def _last_resort(records: logging.Filter) -> Iterator[None]:
    handler = logging.lastResort
    if handler is not None:
        handler.addFilter(records)
    try:
        yield
    finally:
        if handler is not None:
            handler.removeFilter(records)


def _write(text: str, file: TextIO | None = None) -> None:
    stream = file or sys.stderr
    stream.write(visible_lines(text.rstrip("\n")) + "\n")
    stream.flush()
