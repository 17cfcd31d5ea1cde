"""``delegate config show``: what a runner would be started with, where each value came from, and what is missing."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from delegate_core.cli.loading import Table, survey
from delegate_core.console.visible import visible, visible_json
from delegate_core.errors import SettingsError
from delegate_core.settings import Problem, Setting, settings_of
from delegate_core.settings.describing import written

__all__ = ["listed", "show"]

Listed = dict[str, dict[str, dict[str, str]]]

_HIDDEN: Final = '"******"'
_MISSING: Final = "missing"


@dataclass(frozen=True, slots=True)
class _Row:
    """A setting as it is shown. ``problem`` says what is wrong with it and how to mend that, and is mostly empty."""

    name: str
    value: str
    origin: str
    problem: str = ""

    def as_dict(self) -> dict[str, str]:
        told = {"value": self.value, "from": self.origin}
        return {**told, "problem": self.problem} if self.problem else told


def show(config: Path | None, backend: str | None, *, given: bool, as_json: bool) -> int:
    """Print every setting with its value and where that came from, and what is missing or wrong with how to mend it.

    Raises:
        SettingsError: something is missing or wrong; it is raised when all that can be shown has been.
    """
    tables = list(survey(config, {"backend": backend}))
    rows = [(table.name, list(_rows(table, given=given))) for table in tables]
    if as_json:
        sys.stdout.write(visible_json(_listed(rows), indent=2) + "\n")
    else:
        _print_tables(rows)
    _complain([problem for table in tables for problem in table.problems])
    return 0


def _complain(problems: Iterable[Problem]) -> None:
    """What the tables do not say, and that there is something in them."""
    found = list(problems)
    if not found:
        return
    sys.stdout.flush()
    marked = dict.fromkeys(problem.name for problem in found if problem.name)
    lines = [problem.text for problem in found if not problem.name]
    if marked:
        lines.append(f"not yet good for a runner: see {', '.join(marked)} above")
    raise SettingsError("\n".join(lines))


def listed(tables: Iterable[Table]) -> Listed:
    """Every setting by table and name, with its value and where that came from; secrets are hidden."""
    return _listed((table.name, list(_rows(table, given=False))) for table in tables)


def _listed(tables: Iterable[tuple[str, list[_Row]]]) -> Listed:
    return {name or "runner": {row.name: row.as_dict() for row in rows} for name, rows in tables}


def _rows(table: Table, *, given: bool) -> Iterator[_Row]:
    problems = {problem.name: problem.message for problem in table.problems}
    for name, setting in settings_of(type(table.values)).items():
        if not given or name in table.origins or name in problems:
            yield _row(table, setting, problems.get(name, ""))


def _row(table: Table, setting: Setting, problem: str) -> _Row:
    name, origin = setting.name, table.origins.get(setting.name)
    if problem and origin is None:
        return _Row(name, _MISSING, "", problem.removeprefix(f"{_MISSING}: "))
    value = table.given[name] if name in table.given else getattr(table.values, name)
    hidden = setting.secret or not type(table.values).model_fields[name].repr
    text = (_HIDDEN if _is_given(value) else "") if hidden else written(value)
    return _Row(name, text, str(origin or "default"), problem)


def _is_given(value: Any) -> bool:
    return bool(value.get_secret_value()) if hasattr(value, "get_secret_value") else bool(value)


def _print_tables(tables: Iterable[tuple[str, list[_Row]]], environ: Mapping[str, str] = os.environ) -> None:
    from rich.table import Table as Drawn  # noqa: PLC0415 - only where people read
    from rich.text import Text  # noqa: PLC0415 - the same

    from delegate_core.console.printing import print_lines  # noqa: PLC0415 - the same

    for name, rows in tables:
        if not rows:
            continue
        drawn = Drawn(box=None, pad_edge=False, header_style="bold")
        drawn.add_column(Text(f"[{name}]" if name else "SETTING"), no_wrap=True)
        drawn.add_column("VALUE", overflow="fold")
        drawn.add_column("FROM", overflow="fold")
        for row in rows:
            style = "red" if row.problem else "dim" if row.origin == "default" else ""
            told = ": ".join(part for part in (row.origin, row.problem) if part)
            drawn.add_row(*(Text(visible(cell), style) for cell in (row.name, row.value, told)))
        print_lines(sys.stdout, environ, drawn, "")
