"""``delegate outbox mend``: a journal that was damaged, as far as it can be read."""

from __future__ import annotations

import sys
from pathlib import Path

from delegate_core.mending import mend
from delegate_core.statefolder import JOURNAL_FILE

__all__ = ["mend_journal"]


def mend_journal(folder: Path) -> int:
    """Mend the journal of this folder, whose runner has ended, and print what that took."""
    mended = mend(folder)
    if mended is None:
        sys.stdout.write(f"{folder / JOURNAL_FILE} is not damaged\n")
        return 0
    sys.stdout.write(
        f"taken over: {mended.tasks} tasks, of which {mended.undelivered} are not delivered; "
        f"{_lost(mended.lost)}\n"
        f"the damaged journal is kept in {mended.aside}\n"
        "the next start of the runner goes on with what was taken over\n"
    )
    return 0


def _lost(count: int | None) -> str:
    if count is None:
        return "how many cannot be read is not known"
    return f"{count} at the most cannot be read" if count else "all of them could be read"
