"""Files that commands are given, ``-`` for standard input."""

from __future__ import annotations

import sys
from pathlib import Path

from delegate_core.errors import SettingsError

__all__ = ["named", "read_file"]


def named(file: Path) -> str:
    """What to call it."""
    return "standard input" if str(file) == "-" else str(file)


def read_file(file: Path) -> str:
    """Its text.

    Raises:
        SettingsError: it cannot be read.
    """
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
    except OSError as error:
        raise SettingsError(f"cannot read {named(file)}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"cannot read {named(file)}: it is not UTF-8 text") from None
