"""Reading the files that commands are given, with errors for people."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from delegate_core.errors import SettingsError

__all__ = ["DEFAULT_FILE", "STANDARD_INPUT", "read_manifest", "read_text"]

DEFAULT_FILE: Final = ".drone.yml"
STANDARD_INPUT: Final = "-"

_LARGEST: Final = 16 << 20
"""Bytes of a file that somebody wrote; more is a mistake, such as a device."""


def read_manifest(file: str) -> tuple[str, str]:
    """The name to show and the text of a manifest: a file, the `.drone.yml` of a folder, or ``-`` for standard input.

    Raises:
        SettingsError: it cannot be read.
    """
    if file == STANDARD_INPUT:
        return "standard input", _decoded(sys.stdin.buffer.read(_LARGEST + 1), "standard input", escape=True)
    path = Path(file)
    if path.is_dir():
        path /= DEFAULT_FILE
    return str(path), read_text(path, escape=True)


def read_text(path: Path, *, escape: bool = False) -> str:
    """The text of a file; with ``escape``, bytes that are not UTF-8 become surrogates, as `load_manifest` wants them.

    Raises:
        SettingsError: it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return _decoded(stream.read(_LARGEST + 1), str(path), escape=escape)
    except FileNotFoundError:
        raise SettingsError(f"there is no file {path}{_elsewhere(path)}") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SettingsError(f"cannot read {path}: {reason}") from None


def _elsewhere(path: Path) -> str:
    """Where the person may have it: the same with the other usual ending."""
    other = path.with_suffix({".yml": ".yaml", ".yaml": ".yml"}.get(path.suffix, path.suffix))
    hidden = path.with_name(f".{path.name}")
    found = next((each for each in (other, hidden) if each != path and each.is_file()), None)
    return f"; did you mean {found}?" if found else ""


def _decoded(data: bytes, name: str, *, escape: bool) -> str:
    if len(data) > _LARGEST:
        raise SettingsError(f"cannot use {name}: it is larger than {_LARGEST >> 20} MiB")
    try:
        return data.decode("utf-8", "surrogateescape" if escape else "strict")
    except UnicodeDecodeError:
        raise SettingsError(f"cannot read {name}: it is not UTF-8 text") from None
