"""The standard streams of a process that was started without some of them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

__all__ = ["open_missing_streams"]

_STANDARD_ERROR: Final = 2


def open_missing_streams() -> None:
    """Put the null device where a standard stream is closed: else the next file that is opened would take its place."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STANDARD_ERROR:
        pass
    os.close(descriptor)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - open as long as the program runs
            setattr(sys, name, stream)
