"""What is wrong with a manifest, where, and what to do about it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum

from delegate_drone.manifest.nodes import Mark

__all__ = ["Problem", "Report", "Severity", "Source"]

_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_WIDTH = 110
_CONTEXT_BEFORE = 2
_CONTEXT_AFTER = 1
_MOST_PROBLEMS = 200
_LONGEST_MESSAGE = 500


class Severity(Enum):
    """An error keeps its document from running; a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding.

    Attributes:
        severity: error or warning.
        code: a short stable name for the kind of finding, such as ``unknown-key``.
        file: the file as the user named it.
        line: counted from 1.
        column: counted from 1.
        message: what is wrong.
        cure: what to do about it; may be empty.
        excerpt: the lines around it with a caret below the place.
    """

    severity: Severity
    code: str
    file: str
    line: int
    column: int
    message: str
    cure: str = ""
    excerpt: str = ""

    def __str__(self) -> str:
        """The finding on one line, without the excerpt."""
        return f"{self.file}:{self.line}:{self.column}: {self.severity.value}: {self.message}"

    def render(self) -> str:
        """The finding for a person: one line, the lines of the file with a caret, the cure."""
        parts = [str(self), self.excerpt, f"  = {self.cure}" if self.cure else ""]
        return "\n".join(part for part in parts if part)


class Source:
    """The lines of a file, cut where YAML sees line breaks, to show them around a place."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.lines = tuple(_LINE_BREAK.split(text))

    def line(self, number: int) -> str:
        """The text of a line, counted from 1; empty outside the file."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""

    def excerpt(self, mark: Mark) -> str:
        """The lines around a place, numbered, with a caret below its column."""
        first = max(1, mark.line - _CONTEXT_BEFORE)
        last = min(len(self.lines), mark.line + _CONTEXT_AFTER)
        last -= last > mark.line and not self.line(last).strip()
        gutter = len(str(last))
        start = max(0, mark.column - _WIDTH // 2) if len(self.line(mark.line)) > _WIDTH else 0
        shown = [f"  {number:>{gutter}} | {_window(self.line(number), start)}" for number in range(first, last + 1)]
        caret = f"  {'':>{gutter}} | {' ' * (mark.column - 1 - start)}^"
        return "\n".join([*shown[: mark.line - first + 1], caret, *shown[mark.line - first + 1 :]])


def _window(line: str, start: int) -> str:
    return "".join(char if char.isprintable() else " " for char in line[start : start + _WIDTH]).rstrip()


@dataclass(slots=True)
class Report:
    """Collects the findings of one file, or of one document in it; a few hundred at most."""

    source: Source
    strict: bool = False
    problems: list[Problem] = field(default_factory=list)
    _failed: bool = False

    def error(self, code: str, mark: Mark, message: str, cure: str = "") -> None:
        """Note what keeps the document from running."""
        self._add(Severity.ERROR, code, mark, message, cure)

    def warning(self, code: str, mark: Mark, message: str, cure: str = "") -> None:
        """Note what is probably not meant."""
        self._add(Severity.WARNING, code, mark, message, cure)

    def unknown(self, mark: Mark, message: str, cure: str = "") -> None:
        """Note a key that means nothing: a warning, an error where the caller is strict."""
        self._add(Severity.ERROR if self.strict else Severity.WARNING, "unknown-key", mark, message, cure)

    @property
    def full(self) -> bool:
        """Whether enough was noted; from here on only a first error is."""
        return len(self.problems) >= _MOST_PROBLEMS

    def child(self) -> Report:
        """An empty report over the same file."""
        return Report(self.source, self.strict)

    def _add(self, severity: Severity, code: str, mark: Mark, message: str, cure: str) -> None:
        if self.full and (severity is Severity.WARNING or self._failed):
            return
        self._failed = self._failed or severity is Severity.ERROR
        file, excerpt = self.source.file, self.source.excerpt(mark)
        problem = Problem(severity, code, file, mark.line, mark.column, _one_line(message), _one_line(cure), excerpt)
        self.problems.append(problem)


def _one_line(text: str) -> str:
    """A name from the file may hold anything: it must neither break the line nor flood it."""
    shown = "".join(char if char.isprintable() else " " for char in text[: _LONGEST_MESSAGE + 1])
    return shown if len(shown) <= _LONGEST_MESSAGE else shown[: _LONGEST_MESSAGE - 3] + "..."
