"""Another user of this machine, for tests of ``run_as``.

To become one takes root. ``DELEGATE_REQUIRE_ROOT`` makes it a failure, and no skip, that the tests do not run as root.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from delegate_core.processes import ProcessUser

__all__ = ["NOBODY", "SOMEBODY", "needs_root", "nobody", "open_folder", "pool"]

NOBODY, SOMEBODY = "nobody", "54321:54322"
"""One that every machine has, and one that is a number only."""

_NUMBERS = count()

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 and not os.environ.get("DELEGATE_REQUIRE_ROOT"),
    reason="only root becomes another user; DELEGATE_REQUIRE_ROOT=1 makes that a failure",
)


def nobody() -> ProcessUser:
    return ProcessUser.named(NOBODY)


def pool(size: int) -> tuple[str, ...]:
    """Users that nobody else has, not even another test at the same time: all that they run is ended."""
    numbers = [1_000_000 + os.getpid() * 100 + next(_NUMBERS) for _ in range(size)]
    return tuple(f"{number}:{number}" for number in numbers)


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that others get through, but do not list; those of pytest are closed to them."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)
