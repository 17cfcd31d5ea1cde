"""What an input reaches of the code, and the few inputs that reach all that many do."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from types import FrameType
from typing import Any, Final

from tests.fuzz.corpus import tried
from tests.fuzz.registry import Target

__all__ = ["fewest"]

_WATCHED: Final = ("delegate_core", "delegate_drone", "delegate_harness", "fuzz/targets")

Step = tuple[str, int, int]
"""From one line of a file to another."""


def fewest(target: Target, inputs: Iterable[bytes], most: int) -> list[bytes]:
    """Of these inputs the smallest that each reach what none before did, up to so many bytes together."""
    chosen: list[bytes] = []
    seen: set[Step] = set()
    left = most
    for data in sorted(set(inputs), key=lambda each: (len(each), each)):
        reached = _reached(target, data)
        if len(data) <= left and not reached <= seen:
            chosen.append(data)
            seen |= reached
            left -= len(data)
    return chosen


def _reached(target: Target, data: bytes) -> set[Step]:
    steps: set[Step] = set()

    def entered(frame: FrameType, _event: str, _argument: Any) -> Any:
        file = frame.f_code.co_filename
        if not any(package in file for package in _WATCHED):
            return None
        before = 0

        def moved(inner: FrameType, event: str, _argument: Any) -> Any:
            nonlocal before
            if event == "line":
                steps.add((file, before, inner.f_lineno))
                before = inner.f_lineno
            return moved

        return moved

    sys.settrace(entered)
    try:
        tried(target, data)
    finally:
        sys.settrace(None)
    return steps
