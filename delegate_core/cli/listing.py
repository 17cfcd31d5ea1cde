"""``delegate plugins list``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from delegate_core.cli.tables import print_table
from delegate_core.errors import PluginError, SettingsError
from delegate_core.handlers import TaskHandler
from delegate_core.handlers.declared import declared_handlers
from delegate_core.plugins import Found, installed
from delegate_core.settings import RunnerSettings, find_file, load

__all__ = ["list_plugins"]


def list_plugins(*, as_json: bool) -> int:
    """Print what is installed, and the handlers of the settings file; 1 if something of it cannot be used."""
    plugins, handlers = [_row(one) for one in installed()], _declared()
    rows = [*plugins, *handlers]
    if as_json:
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return 1 if any(row["problem"] for row in rows) else 0
    if not plugins:
        sys.stdout.write("no backend and no plugin is installed; try: pip install delegate-harness\n")
    if rows:
        titles = ("name", "kind", "distribution", "version", "state")
        print_table([title.upper() for title in titles], [[row[title] for title in titles] for row in rows])
    problems = [row["problem"] for row in rows if row["problem"]]
    sys.stdout.write("".join(f"{problem}\n" for problem in problems))
    return 1 if problems else 0


def _problem(one: Found) -> str:
    try:
        one.load()
    except PluginError as error:
        return str(error)
    return ""


def _row(one: Found) -> dict[str, str]:
    problem = _problem(one)
    return {
        "name": one.name,
        "kind": one.kind,
        "distribution": one.distribution,
        "version": one.version,
        "state": "broken" if problem else "ok",
        "module": one.module,
        "problem": problem,
    }


def _declared() -> list[dict[str, str]]:
    """The handlers that the settings file declares; what serves their tasks stands where a plugin has its module."""
    file = find_file(None, os.environ, Path.cwd())
    if file is None:
        return []
    try:
        tables = load(RunnerSettings, flags={}, environ={}, file=file).values.handler
        return [_handler_row(file, one) for one in declared_handlers(tables)]
    except SettingsError as error:
        return [_handler_line(str(file), "handlers", "", str(error))]


def _handler_row(file: Path, one: TaskHandler) -> dict[str, str]:
    try:
        one.check()
    except PluginError as error:
        return _handler_line(str(file), one.task_type, one.origin, str(error), one.kind)
    return _handler_line(str(file), one.task_type, one.origin, "", one.kind)


def _handler_line(file: str, name: str, origin: str, problem: str, kind: str = "handler") -> dict[str, str]:
    state = "broken" if problem else "ok"
    row = {"name": name, "kind": kind, "distribution": file, "version": "", "state": state, "module": origin}
    return {**row, "problem": problem}
