"""How sending to a collector goes: said once where it fails, and once where it works again."""

from __future__ import annotations

import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

__all__ = ["Delivery", "Reasons"]

_log = logging.getLogger(__name__)

_LIBRARY: Final = "opentelemetry"
_REMEMBERED: Final = 100
_LONGEST: Final = 300

_SILENT: Final = "max retries or shutdown."
"""How the library ends its last word on a batch, which has no reason in it: that came before, if at all."""

_REASONS: Final = (
    re.compile(r"code: (?P<reason>\d{3}, reason: .*)"),
    re.compile(r"(?P<reason>certificate verify failed[^(]*)"),
    re.compile(r"(?P<reason>(?:Read|connect|Connection to \S+) timed out)", re.IGNORECASE),
    re.compile(r"\[Errno -?\d+\] (?P<reason>[^'\")]+)"),
)


class Reasons(logging.Handler):
    """Takes what the library logs: it would say the same of each batch, with all that was raised on the way.

    What it says while a batch is sent is the reason for its failure. Everything else goes on into our log, once.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._of_thread: dict[int, str] = {}
        self._said: OrderedDict[str, None] = OrderedDict()
        self.silent = False
        """Nothing is to be said any more."""

    def take_over(self) -> None:
        """Take them from here on. The library's loggers are those of the whole process.

        Where the operator wants to know more than warnings, all of it goes on to the runner's log too.
        """
        library = logging.getLogger(_LIBRARY)
        library.addHandler(self)
        library.propagate = library.isEnabledFor(logging.INFO)

    def hand_back(self) -> None:
        """Let them go where they went before."""
        library = logging.getLogger(_LIBRARY)
        library.removeHandler(self)
        library.propagate = True

    @contextmanager
    def sending(self) -> Iterator[None]:
        """What the library says in this thread while the body runs is a reason."""
        thread = threading.get_ident()
        self._of_thread[thread] = ""
        try:
            yield
        finally:
            self._of_thread.pop(thread, None)

    def reason(self) -> str:
        """The last one given in this thread."""
        return self._of_thread.get(threading.get_ident(), "")

    def present(self) -> str:
        """One given for a batch that is being sent just now, in whatever thread; empty: there is none."""
        return next(filter(None, list(self._of_thread.values())), "")

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it as the reason, or pass it on."""
        text = record.getMessage()
        known = self._of_thread.get(record.thread or 0)
        if known is None:
            self._pass_on(record, text)
        elif not text.endswith(_SILENT):
            self._of_thread[record.thread or 0] = _shortened(text)
        elif not known:
            self._of_thread[record.thread or 0] = "it cannot be reached, or does not answer in time"

    def _pass_on(self, record: logging.LogRecord, text: str) -> None:
        """Once by its template, for the rest of it may be different each time."""
        if self.silent or record.msg in self._said:
            return
        self._said[str(record.msg)] = None
        while len(self._said) > _REMEMBERED:
            self._said.popitem(last=False)
        _log.warning("OpenTelemetry: %s", text)


def _shortened(text: str) -> str:
    for reason in _REASONS:
        found = reason.search(text)
        if found is not None:
            return found["reason"].strip()[:_LONGEST]
    return text[:_LONGEST]


class Delivery:
    """What becomes of one signal's batches.

    Args:
        what: of what they are: ``traces``.
        where: they go to.
        reasons: why one has failed.
    """

    def __init__(self, what: str, where: str, reasons: Reasons) -> None:
        self._what = what
        self._where = where
        self._reasons = reasons
        self._lost = 0
        self.failing = False

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Around the sending of one."""
        with self._reasons.sending():
            yield

    def came_to(self, *, sent: bool, size: int) -> None:
        """Whether a batch of so many was sent. Call it within `batch`."""
        if self._reasons.silent:
            return
        if sent and self.failing:
            _log.warning("%s are sent again to %s; %d were lost", self._what, self._where, self._lost)
        elif not sent and not self.failing:
            reason = self._reasons.reason() or "no answer"
            _log.warning(
                "%s cannot be sent to %s: %s; tasks go on without, and so does trying", self._what, self._where, reason
            )
        self.failing = not sent
        self._lost = 0 if sent else self._lost + size
