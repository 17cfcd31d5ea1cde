"""Work that is counted instead of timed: the same on a machine that is busy."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

__all__ = ["TooMuchWork", "bounded"]

_ALWAYS: Final = 100_000
"""Calls that any input may cost, however short."""


class TooMuchWork(BaseException):
    """More calls of functions than the input accounts for. No code under test catches it by accident."""


@contextmanager
def bounded(calls: int) -> Iterator[None]:
    """Run the body with so many calls of functions, beyond those that any input may cost.

    What a single call of C does, a regular expression for instance, is not seen by it; that is for the limit of time
    of a test, and of an input in a guided search.

    Raises:
        TooMuchWork: at the first call too many.
    """
    left = _ALWAYS + calls

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal left
        if event in {"call", "c_call"}:
            left -= 1
            if left < 0:
                sys.setprofile(None)
                raise TooMuchWork(f"more than {_ALWAYS + calls:,} calls")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield
    finally:
        sys.setprofile(before)
