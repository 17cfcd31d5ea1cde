"""Problems of a manifest, shown to a person or written for a program."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Final, TextIO

from delegate_core.console.visible import visible
from delegate_drone.manifest import Problem, Severity

__all__ = ["as_json", "print_problems", "summary_line"]

_RESET: Final = "\x1b[0m"
_COLOURS: Final = {Severity.ERROR: "\x1b[1;31m", Severity.WARNING: "\x1b[1;33m"}
_GUTTER = re.compile(r"^( *\d* \|)(.*)$")


def print_problems(problems: Iterable[Problem], stream: TextIO, *, colour: bool) -> None:
    """Print each with its excerpt and cure, a blank line between them."""
    for problem in problems:
        lines = [visible(line) for line in problem.render().split("\n")]
        stream.write("\n".join(_coloured(lines, problem) if colour else lines) + "\n\n")
    stream.flush()


def _coloured(lines: Sequence[str], problem: Problem) -> list[str]:
    word = problem.severity.value
    first = lines[0].replace(f" {word}: ", f" {_COLOURS[problem.severity]}{word}{_RESET}: ", 1)
    return [first, *(_coloured_line(line) for line in lines[1:])]


def _coloured_line(line: str) -> str:
    found = _GUTTER.match(line.removeprefix(" "))
    if found is None:
        return f"\x1b[36m{line}{_RESET}"
    text = found[2]
    return f" \x1b[2m{found[1]}{_RESET}" + (f"\x1b[1;35m{text}{_RESET}" if text.strip() == "^" else text)


def summary_line(files: int, problems: Sequence[Problem]) -> str:
    """How many of each, in one line."""
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    counts = [_count(errors, "error"), _count(len(problems) - errors, "warning")]
    found = " and ".join(count for count in counts if count) or "nothing wrong"
    return f"{_count(files, 'file')}: {found}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}" if number else ""


def as_json(problems: Iterable[Problem]) -> str:
    """A list of objects: ``file``, ``line``, ``column``, ``severity``, ``code``, ``message``, ``cure``."""
    found = [
        {
            "file": problem.file,
            "line": problem.line,
            "column": problem.column,
            "severity": problem.severity.value,
            "code": problem.code,
            "message": problem.message,
            "cure": problem.cure,
        }
        for problem in problems
    ]
    return json.dumps(found, indent=2)
