"""From the text of a file to its documents, each a tree of nodes or an explained syntax error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from delegate_drone.manifest.composing import Composer
from delegate_drone.manifest.nodes import Mark, Node
from delegate_drone.manifest.problems import Report
from delegate_drone.manifest.shield import Shield
from delegate_drone.manifest.syntax import explain

__all__ = ["DocumentText", "parse_document", "split_documents"]

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_BREAKS = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_SEPARATOR_ONLY = re.compile(r"---\s*(#.*)?$")
_NOTHING = re.compile(r"[\s\ufeff]*(#.*)?$|%.*$")
"""A byte order mark is nothing wherever an editor has left it."""


@dataclass(frozen=True, slots=True)
class DocumentText:
    """One document as written: ``line`` is the line of the file, from 1, on which it begins."""

    text: str
    line: int


def split_documents(text: str, report: Report) -> Iterator[DocumentText]:
    """Cut a file at lines that begin with ``---``; a line that begins with ``...`` ends the file.

    As in the official runner, what follows ``---`` on its line is lost, and so is everything after ``...``; here either
    is warned of. Documents of nothing but blank lines and comments are left out.
    """
    current: list[str] = []
    begin = line = 1
    for found in _LINE.finditer(text):
        content = found.group()
        if content.startswith("..."):
            _warn_of_the_rest(text[found.end() :], line, report)
            break
        breaks = len(_BREAKS.findall(content))
        if content.startswith("---"):
            _warn_of_lost_text(content, line, report)
            yield from _document(current, begin)
            current, begin = [], line + breaks
        else:
            current.append(content)
        line += breaks
    yield from _document(current, begin)


def _document(lines: list[str], begin: int) -> Iterator[DocumentText]:
    if not all(_NOTHING.match(line) for line in lines):
        yield DocumentText("".join(lines), begin)


def _warn_of_lost_text(line: str, number: int, report: Report) -> None:
    if not _SEPARATOR_ONLY.match(line):
        cure = "put it on a line of its own below the ---"
        report.warning("lost-text", Mark(number, 4), "what follows --- on the same line is ignored", cure)


def _warn_of_the_rest(rest: str, number: int, report: Report) -> None:
    if not all(_NOTHING.match(line) for line in rest.split("\n")):
        cure = "separate documents by ---, and let no line begin with three dots"
        report.warning(
            "lost-text", Mark(number, 1), "a line that begins with ... ends the file: the rest is lost", cure
        )


def parse_document(document: DocumentText, report: Report) -> Node | None:
    """The tree of one document; None after a syntax error, which is in the report then."""
    shield = Shield(document.text)
    composer = Composer(document.text, document.line, shield, report)
    try:
        return composer.compose(yaml.parse(shield.hide(document.text), Loader=yaml.CSafeLoader))
    except yaml.YAMLError as error:
        explain(error, document.text, document.line, report)
        return None
