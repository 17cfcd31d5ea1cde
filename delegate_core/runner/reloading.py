"""What of a runner's settings can change while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from delegate_core.errors import SettingsError
from delegate_core.settings import RunnerSettings

__all__ = ["CHANGEABLE", "Changes", "compared", "read_masks"]

CHANGEABLE: Final = (
    "capacity",
    "default_timeout",
    "drain_timeout",
    "grace",
    "handler",
    "handlers",
    "limits",
    "log_level",
    "log_limit",
    "loggers",
    "mask_file",
    "max_idle",
    "max_uptime",
    "min_free_disk",
    "min_free_memory",
    "ready_within",
    "result_limit",
    "tags",
    "task_cpu_time",
    "task_file_size",
    "task_memory",
    "task_processes",
)
"""Settings that take effect without a restart."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What a reload has changed.

    Attributes:
        settings: as they are now.
        made: names of the settings that took effect.
        left: names of those that a restart is needed for.
    """

    settings: RunnerSettings
    made: tuple[str, ...]
    left: tuple[str, ...]


def compared(present: RunnerSettings, wanted: RunnerSettings) -> Changes:
    """The wanted settings as far as they can take effect."""
    different = [name for name in RunnerSettings.model_fields if getattr(present, name) != getattr(wanted, name)]
    made = tuple(name for name in different if name in CHANGEABLE)
    settings = present.model_copy(update={name: getattr(wanted, name) for name in made})
    return Changes(settings, made, tuple(name for name in different if name not in CHANGEABLE))


def read_masks(file: Path | None) -> tuple[str, ...]:
    """The values that no log may show: the file's lines that are not empty.

    Raises:
        SettingsError: it cannot be read.
    """
    if file is None:
        return ()
    try:
        return tuple(line for line in file.read_text("utf-8").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise SettingsError(f"mask_file: {file}: {reason}: name a readable file, one value a line") from None
