"""How a runner ends: who asked for it, how soon, and with which error."""

from __future__ import annotations

import logging

import anyio

from delegate_core.errors import DelegateError, DrainIncomplete

__all__ = ["Ending"]

_log = logging.getLogger(__name__)


class Ending:
    """Whether and how the runner is to end, and with which error."""

    def __init__(self) -> None:
        self.asked = anyio.Event()
        self.cancelling = anyio.Event()
        self.reason = ""
        self._error: DelegateError | None = None
        self._spoilt: list[str] = []

    def ask(self, reason: str, *, cancel: bool, error: DelegateError | None = None) -> None:
        """Ask for a drain, or with ``cancel`` for a stop. The first reason and the first error count."""
        if not self.asked.is_set():
            self.reason = reason
            self.asked.set()
        if self._error is None:
            self._error = error
        if cancel:
            self.cancelling.set()

    def spoil(self, what: str) -> None:
        """The end was not a clean one."""
        _log.warning("%s", what)
        self._spoilt.append(what)

    def raise_error(self) -> None:
        """Raise what the run is to end with."""
        if self._error is not None:
            raise self._error
        if self._spoilt:
            raise DrainIncomplete("; ".join(self._spoilt))
