"""Looking at the journal's file while the runner runs."""

from __future__ import annotations

import anyio

from delegate_core.journal import Journal

__all__ = ["keep_examining"]

_EVERY = 2.0
"""Seconds between two looks."""

_SHARE = 200
"""Times as long as it took are left between two looks at a large file."""


async def keep_examining(journal: Journal) -> None:
    """Look every few seconds, until the file is damaged: that is told by the journal itself."""
    pause = _EVERY
    while journal.failure is None:
        await anyio.sleep(pause)
        begun = anyio.current_time()
        await journal.examine()
        pause = max(_EVERY, (anyio.current_time() - begun) * _SHARE)
