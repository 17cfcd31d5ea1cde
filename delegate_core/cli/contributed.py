"""Commands that plugins bring: entry points whose names are the commands and whose values are typer functions."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import typer

__all__ = ["GROUP", "add_commands", "commands_of"]

GROUP = "delegate_core.commands"
"""The entry-point group. The module of a value should import only typer, for its help is read with everybody's."""


def commands_of(distribution: str) -> list[EntryPoint]:
    """The commands that a distribution brings."""
    return [entry for entry in entry_points(group=GROUP) if entry.dist and entry.dist.name == distribution]


def add_commands(app: typer.Typer, chosen: str, own: frozenset[str]) -> None:
    """Add the installed plugins' commands, or none where a command of the core was chosen.

    Args:
        app: where to.
        chosen: the command that the arguments name; empty for help.
        own: the core's commands, which no plugin replaces.
    """
    if chosen in own:
        return
    found: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group=GROUP):
        if entry.name not in own and entry not in found.get(entry.name, ()):
            found.setdefault(entry.name, []).append(entry)
    for name, entries in sorted(found.items()):
        app.command(name)(_function(name, entries))


def _function(name: str, entries: list[EntryPoint]) -> Callable[..., Any]:
    if len(entries) > 1:
        return _broken(f"command {name!r} is offered twice: {' and '.join(map(_origin, entries))}; uninstall one")
    try:
        function: Callable[..., Any] = entries[0].load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin may raise anything
        return _broken(f"command {name!r} of {_origin(entries[0])} cannot be used: {type(error).__name__}: {error}")
    return function


def _origin(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value


def _broken(text: str) -> Callable[..., Any]:
    def command() -> None:
        from delegate_core.errors import PluginError  # noqa: PLC0415 - only needed where a plugin is broken

        raise PluginError(text)

    command.__doc__ = f"(broken: {text})"
    return command
