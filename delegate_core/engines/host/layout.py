"""Where a stage lives on the host."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

__all__ = ["HostLayout", "slug"]

_SLUG_LENGTH = 40


@dataclass(frozen=True, slots=True)
class HostLayout:
    """The folders of one stage. Whoever compiles its steps writes the paths into their environment.

    Attributes:
        root: the stage's folder, in which the others are.
        home: the HOME of its steps; git's account is in it.
        workspace: where the steps start, unless the stage uses an existing folder.
    """

    root: Path
    home: Path
    workspace: Path

    @classmethod
    def of(cls, folder: Path, root: Path | None = None) -> HostLayout:
        """The layout of the stage that has this folder for itself: in it, or below ``root`` where one is given."""
        folder = folder.absolute()
        if root is None:
            own = folder / "stage"
        else:
            own = root.absolute() / f"stage-{hashlib.sha256(bytes(folder)).hexdigest()[:16]}"
        return cls(own, own / "home", own / "workspace")

    @property
    def scripts(self) -> Path:
        """Where the scripts of the steps are written."""
        return self.root / "scripts"


def slug(name: str) -> str:
    """What any name comes to as a part of a file's name: up to 40 of ``a-z0-9-``. Different names may share one."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_SLUG_LENGTH].rstrip("-") or "unnamed"
