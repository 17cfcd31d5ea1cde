"""Log records of the runner's own log, before anybody writes them down."""

from __future__ import annotations

import logging
from typing import Any, Final

from delegate_core.concern import Concern, concern
from delegate_core.logs.secrecy import Secrecy

__all__ = ["RecordFilter", "concern_of", "error_of", "traceback_of"]

_FORMATTER: Final = logging.Formatter()
_CONCERN: Final = "delegate_concern"
_ERROR: Final = "delegate_error"
_FILTERED: Final = "delegate_filtered"


class RecordFilter(logging.Filter):
    """Says of each record whom it concerns, and hides secrets in it: also in a library's, its arguments and traceback.

    Put it on a *handler*; then it sees what that handler sees. It changes the record, so that handlers which come
    after find it as it may be shown: a message without arguments, and a traceback as text instead of an exception.

    Args:
        secrecy: what is hidden.
        wider: whose log it is, for records of threads that know nothing of it.
    """

    def __init__(self, secrecy: Secrecy, wider: Concern) -> None:
        super().__init__()
        self._secrecy = secrecy
        self._wider = wider

    def filter(self, record: logging.LogRecord) -> bool:
        """Let it pass, as it may be shown."""
        before: tuple[RecordFilter, ...] = getattr(record, _FILTERED, ())
        if self not in before:
            self._conceal(record)
            setattr(record, _CONCERN, concern_of(record).over(self._wider))
            setattr(record, _FILTERED, (*before, self))
        return True

    def _conceal(self, record: logging.LogRecord) -> None:
        hide = self._secrecy.text
        error, traceback = error_of(record), traceback_of(record)
        record.msg, record.args = hide(_message_of(record)), None
        record.exc_info, record.exc_text = None, hide(traceback) or None
        record.stack_info = hide(record.stack_info) if record.stack_info else None
        setattr(record, _ERROR, hide(error))


def concern_of(record: logging.LogRecord) -> Concern:
    """Whom a record concerns; to be asked where it was logged."""
    found: Concern | None = getattr(record, _CONCERN, None)
    return found if found is not None else concern()


def error_of(record: logging.LogRecord) -> str:
    """The exception that it was logged with, in one line, as in ``ValueError: no such thing``; else empty."""
    known: str | None = getattr(record, _ERROR, None)
    if known is not None:
        return known
    error = record.exc_info[1] if record.exc_info else None
    if error is None:
        return ""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def traceback_of(record: logging.LogRecord) -> str:
    """Its traceback, many lines; else empty."""
    if record.exc_text:
        return record.exc_text
    return _FORMATTER.formatException(record.exc_info) if record.exc_info and record.exc_info[0] else ""


def _message_of(record: logging.LogRecord) -> str:
    """Its message. One whose arguments do not fit is shown with them: logging itself would print them unmasked."""
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - formatting calls anybody's code
        return f"{record.msg} {_shown(record.args)}"


def _shown(arguments: Any) -> str:
    try:
        return repr(arguments)
    except Exception:  # noqa: BLE001 - the same
        return "(arguments that cannot be shown)"
