"""What of a runner's settings can change while it runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from delegate_core.errors import SettingsError
from delegate_core.settings import RunnerSettings

__all__ = ["CHANGEABLE", "NEEDS_RESTART", "Changes", "compared", "explained", "read_masks"]

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

_PLUGINS = "plugins are put together at the start"
_CONNECTION = "the connection to the server was made with it"
_LOG = "the console and the log's file are opened at the start"
_STATUS = "the status server was started with it"
_PLACE = "the state folder and its journal were opened with it"
_USERS = "tasks' folders and users were prepared at the start"
_COMMANDS = "a task ends with the commands that it began with"
_START = "only a start heeds it"
_OTHERS = "backends and engines are made at the start"

NEEDS_RESTART: Final[Mapping[str, str]] = {
    "after_task": _COMMANDS,
    "backend": _PLUGINS,
    "before_task": _COMMANDS,
    "ca_files": _CONNECTION,
    "cache_dir": _PLUGINS,
    "client_certificate": _CONNECTION,
    "client_key": _CONNECTION,
    "console": _LOG,
    "disabled_plugins": _PLUGINS,
    "durable": _PLACE,
    "insecure": _CONNECTION,
    "lock_timeout": _START,
    "log_file": _LOG,
    "log_file_count": _LOG,
    "log_file_size": _LOG,
    "log_format": _LOG,
    "max_tasks": "claims are counted from the start",
    "name": _PLACE,
    "plugins": _PLUGINS,
    "poll_interval": _CONNECTION,
    "register_timeout": _START,
    "run_as": _USERS,
    "secrets": _PLUGINS,
    "state_dir": _PLACE,
    "status": _STATUS,
    "status_password": _STATUS,
    "status_user": _STATUS,
    "strict": _PLUGINS,
    "takeover": _START,
    "task_command_output": _COMMANDS,
    "task_command_timeout": _COMMANDS,
    "transport": _CONNECTION,
    "work_dir": _USERS,
}
"""Why the others take effect at a start only."""


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

    def of_content(self, name: str) -> Changes:
        """The same with a setting among what took effect whose file has another content now."""
        return replace(self, made=tuple(sorted({*self.made, name})))


def compared(present: RunnerSettings, wanted: RunnerSettings) -> Changes:
    """The wanted settings as far as they can take effect."""
    different = [name for name in RunnerSettings.model_fields if getattr(present, name) != getattr(wanted, name)]
    made = tuple(name for name in different if name in CHANGEABLE)
    settings = present.model_copy(update={name: getattr(wanted, name) for name in made})
    return Changes(settings, made, tuple(name for name in different if name not in CHANGEABLE))


def explained(names: Iterable[str]) -> str:
    """Settings that need a restart, each reason behind those that share it: ``console, log_file (...); name (...)``."""
    by_reason: dict[str, list[str]] = {}
    for name in names:
        by_reason.setdefault(NEEDS_RESTART.get(name, _OTHERS), []).append(name)
    return "; ".join(f"{', '.join(of_it)} ({reason})" for reason, of_it in by_reason.items())


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
