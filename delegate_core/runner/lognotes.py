"""What became of the logs of one task, for the journal."""

from __future__ import annotations

from delegate_core.journal import Journal
from delegate_core.logs import Stored
from delegate_core.model import LOG_KEPT_HERE

__all__ = ["LogNotes"]


class LogNotes:
    """Journals after each log of a task what is known of all of them.

    Args:
        journal: the runner's.
        number: of the task's entry.
    """

    def __init__(self, journal: Journal, number: int) -> None:
        self._journal = journal
        self._number = number
        self._missing: dict[str, str] = {}
        self._stored = False

    def note(self, stream: str, stored: Stored | None) -> None:
        """What became of one stream's log; None: the server keeps none of it."""
        if stored is not None and stored.stored:
            self._stored = True
        elif stored is not None:
            reason = stored.reason or "not stored"
            self._missing[stream] = f"{stream}: {reason}" if stream else reason
        missing = "; ".join(self._missing.values())
        self._journal.log_stored(self._number, missing or ("" if self._stored else LOG_KEPT_HERE))
