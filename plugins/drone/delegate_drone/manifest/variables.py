"""Puts variables into a document's tree, or only checks that this would work."""

from __future__ import annotations

from collections.abc import Mapping as AbstractMapping
from dataclasses import replace

from delegate_drone.manifest.nodes import Entry, Mapping, Mark, Node, Scalar, Sequence, walk
from delegate_drone.manifest.problems import Report, Source
from delegate_drone.manifest.substitution import SubstitutionError, parse, substitute

__all__ = ["check_variables", "place_in", "substitute_variables"]

_MOST = 8 << 20
"""Characters that the substituted texts of one document may have together."""


def check_variables(node: Node, report: Report) -> None:
    """Report every ``${`` that cannot be read, without putting anything in."""
    for scalar in walk(node):
        if "${" in scalar.text:
            _attempt(scalar, report, None)


def substitute_variables(node: Node, variables: AbstractMapping[str, str], report: Report) -> Node:
    """The tree with variables in every scalar value; a scalar that cannot be read is reported and stays."""
    return _Substitution(variables, report).node(node)


def place_in(scalar: Scalar, offset: int) -> Mark:
    """The place in the file of the ``${`` at that offset of the scalar's text, as it was before variables."""
    written = scalar.text if scalar.written is None else scalar.written
    count = written.count("${", 0, offset)
    at = scalar.source.find("${")
    for _ in range(count):
        at = scalar.source.find("${", at + 1)
    if at < 0:
        return scalar.mark
    lines = Source("", scalar.source[:at]).lines
    column = len(lines[-1]) + (scalar.mark.column if len(lines) == 1 else 1)
    return Mark(scalar.mark.line + len(lines) - 1, column)


def _attempt(scalar: Scalar, report: Report, variables: AbstractMapping[str, str] | None) -> str:
    try:
        if variables is not None:
            return substitute(scalar.text, variables)
        parse(scalar.text)
    except SubstitutionError as error:
        report.error("substitution", place_in(scalar, error.offset), error.message, error.cure)
    return scalar.text


class _Substitution:
    def __init__(self, variables: AbstractMapping[str, str], report: Report) -> None:
        self._variables = variables
        self._report = report
        self._left = _MOST

    def node(self, node: Node) -> Node:
        match node:
            case Scalar():
                return self._scalar(node)
            case Sequence():
                return replace(node, items=tuple(self.node(item) for item in node.items))
            case Mapping():
                return replace(node, entries=tuple(self._entry(entry) for entry in node.entries))

    def _entry(self, entry: Entry) -> Entry:
        return replace(entry, value=self.node(entry.value))

    def _scalar(self, scalar: Scalar) -> Scalar:
        if "$" not in scalar.text or self._left < 0:
            return scalar
        text = _attempt(scalar, self._report, self._variables)
        self._left -= len(text)
        if self._left < 0:
            self._report.error("substitution", scalar.mark, "with variables put in, the document is too long")
        return replace(scalar, text=text, written=scalar.text) if text != scalar.text else scalar
