"""Paths in settings: a ``~`` is the home folder wherever the value comes from, as no shell has seen it in a file."""

import os.path
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

__all__ = ["UserPath", "expanded"]


def expanded(path: Path) -> Path:
    """The path with its ``~``, or the ``~name`` of a user who exists, replaced by the home folder."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - Path.expanduser raises for a user who does not exist


UserPath = Annotated[Path, AfterValidator(expanded)]
