"""Folders of the host that a runner, or a person at a terminal, puts into every container."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

__all__ = ["SharedVolume"]

_WRITTEN = re.compile(r"(?P<host>[^:]+):(?P<path>[^:]+)(?::(?P<mode>ro|rw))?")


@dataclass(frozen=True, slots=True)
class SharedVolume:
    """A folder or file of the host at a path in every container."""

    host_path: str
    path: str
    read_only: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """From ``HOST:CONTAINER``, ``HOST:CONTAINER:ro`` or ``:rw``.

        Raises:
            ValueError: it is written in another way, or a path is not absolute.
        """
        found = _WRITTEN.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"{text} is no volume: write HOST:CONTAINER, with :ro at its end for read-only")
        host, path = found["host"].strip(), found["path"].strip()
        for each in (host, path):
            if not each.startswith("/"):
                raise ValueError(f"{each} of {text} is no absolute path")
        return cls(host, path, found["mode"] == "ro")
