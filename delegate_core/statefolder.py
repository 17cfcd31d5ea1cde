"""Where a runner keeps its state by default: under the user's state folder, one folder per backend and name."""

from __future__ import annotations

import re
from pathlib import Path

import platformdirs

__all__ = ["default_state_folder", "state_folder"]


def default_state_folder(backend: object, name: str) -> Path:
    """Where the runner of this backend object keeps its state."""
    return state_folder(str(getattr(backend, "name", type(backend).__name__.lower())), name)


def state_folder(backend: str, name: str) -> Path:
    """``$XDG_STATE_HOME/delegate/<backend>/<name>``."""
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip(".") or "runner"
    return Path(platformdirs.user_state_path("delegate")) / backend / safe
