"""The commands in the sections of ``delegate --help``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from typer.core import TyperGroup

__all__ = ["Sections"]

_SECTIONS: Mapping[str, tuple[str, ...]] = {
    "Try it here": ("demo", "dev", "submit", "logs", "cancel", "task"),
    "Run a runner": ("run", "doctor", "config", "service"),
    "Look at it": ("status", "top", "dashboard", "tasks", "health"),
    "Steer it": ("pause", "resume", "maintenance", "drain", "stop", "reload", "outbox"),
    "Extend it": ("plugins", "cache"),
}
_ADDED = "Commands of plugins"


class Sections(TyperGroup):
    """Lists the commands by what they are for, those of plugins last."""

    def list_commands(self, ctx: Any) -> list[str]:
        """In the order of the sections."""
        own = [name for names in _SECTIONS.values() for name in names]
        return [*own, *(name for name in super().list_commands(ctx) if name not in own)]

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - given by typer
        """Write the sections, all in the same columns."""
        width = max(map(len, self.commands))
        for title, names in self._sections():
            with formatter.section(title):
                limit = formatter.width - 6 - width
                rows = [(name.ljust(width), self.commands[name].get_short_help_str(limit)) for name in names]
                formatter.write_dl(rows)

    def _sections(self) -> Iterator[tuple[str, list[str]]]:
        yield from ((title, list(names)) for title, names in _SECTIONS.items())
        own = {name for names in _SECTIONS.values() for name in names}
        if added := [name for name, command in self.commands.items() if name not in own and not command.hidden]:
            yield _ADDED, added
