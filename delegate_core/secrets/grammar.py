"""Reading one string: its text, its ``${{secrets.ID}}``, its ``<{ text | function }>``.

One pass from left to right with a stack of what is open: each ``}>`` closes the innermost ``<{``. What is not closed,
or has not the form of an expression when it is, or lies too deep, is text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from delegate_core.secrets.errors import ExpressionError
from delegate_core.secrets.functions import FUNCTIONS

__all__ = ["Call", "Function", "Part", "Reference", "parse_text"]

_DEEPEST: Final = 32
"""Expressions within expressions."""

_TOKEN: Final = re.compile(
    r"(?P<secret>\$?\$\{\{secrets\.(?P<id>[^{}]+)\}\})|(?P<open><?<\{)|(?P<close>\}>)|(?P<pipe>\|)"
)
_NAME: Final = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*")
_PIPELINE: Final = re.compile(r"\|[^{}|]*(?:\|[^{}|]*)*\}>")
_QUOTED: Final = re.compile(r'\s*"((?:[^"\\]|\\.)*)"\s*(?=\|)', re.DOTALL)
_ESCAPED: Final = re.compile(r'\\(["\\])')


@dataclass(frozen=True, slots=True)
class Reference:
    """A secret's place. ``column`` counts characters of the string from 1."""

    id: str
    column: int


@dataclass(frozen=True, slots=True)
class Function:
    """A function that is called, and where its name stands."""

    name: str
    column: int

    @property
    def call(self) -> Callable[[str], str]:
        """What it does."""
        return FUNCTIONS[self.name]


@dataclass(frozen=True, slots=True)
class Call:
    """An operand that goes through functions, the first one first."""

    operand: tuple[Part, ...]
    functions: tuple[Function, ...]


Part: TypeAlias = str | Reference | Call


@dataclass(slots=True)
class _Piece:
    """Parts between two pipes of an open expression, and where they begin in the string."""

    start: int
    parts: list[Part] = field(default_factory=list)

    @property
    def name(self) -> re.Match[str] | None:
        """Its name, where it is nothing else."""
        return _NAME.fullmatch("".join(map(str, self.parts))) if self._is_text else None

    @property
    def _is_text(self) -> bool:
        return all(isinstance(part, str) for part in self.parts)


@dataclass(slots=True)
class _Open:
    """An expression that is not closed yet."""

    mark: str
    pieces: list[_Piece]
    quoted: bool = False

    def as_text(self) -> Iterator[Part]:
        """What it is if it is none."""
        yield self.mark
        for number, piece in enumerate(self.pieces):
            yield from ["|"] if number else []
            yield from piece.parts


def parse_text(text: str, path: str) -> tuple[Part, ...]:
    """The parts of a string.

    ``path`` is where the string stands, for errors: ``data.env[2]``.

    Raises:
        ExpressionError: it names an unknown function, or none where one is meant.
    """
    return _Reader(text, path, 0, 0).read()


class _Reader:
    def __init__(self, text: str, path: str, offset: int, depth: int) -> None:
        self._text = text
        self._path = path
        self._offset = offset  # of the text within the string that it is quoted in
        self._depth = depth
        self._bottom = _Piece(0)
        self._stack: list[_Open] = []

    def read(self) -> tuple[Part, ...]:
        position = 0
        while (token := _TOKEN.search(self._text, position)) is not None:
            self._add(self._text[position : token.start()])
            position = self._take(token)
        self._add(self._text[position:])
        while self._stack:
            self._flatten(self._stack.pop())
        return _merged(self._bottom.parts)

    @property
    def _piece(self) -> _Piece:
        return self._stack[-1].pieces[-1] if self._stack else self._bottom

    def _add(self, part: Part) -> None:
        if part != "":
            self._piece.parts.append(part)

    def _column(self, position: int) -> int:
        return self._offset + position + 1

    def _take(self, token: re.Match[str]) -> int:
        """Take a token; where to go on."""
        mark = token.group()
        if token["secret"]:
            escaped = mark.startswith("$$")
            self._add(mark[1:] if escaped else Reference(token["id"], self._column(token.start())))
        elif token["open"]:
            return self._open(mark, token.end())
        elif token["close"]:
            self._close(token)
        elif self._stack:
            self._stack[-1].pieces.append(_Piece(token.end()))
        else:
            self._add("|")
        return token.end()

    def _open(self, mark: str, position: int) -> int:
        if self._depth + len(self._stack) >= _DEEPEST:
            self._add(mark)
            return position
        opened = _Open(mark, [_Piece(position)])
        self._stack.append(opened)
        quoted = _QUOTED.match(self._text, position)
        if quoted is None or not self._goes_on(quoted.end()):
            return position
        inner = _Reader(quoted[1], self._path, self._offset + quoted.start(1), self._depth + len(self._stack))
        opened.quoted = True
        opened.pieces[0].parts = [_ESCAPED.sub(r"\1", part) if isinstance(part, str) else part for part in inner.read()]
        return quoted.end()

    def _goes_on(self, position: int) -> bool:
        """Whether functions and the end of an expression stand here: else a quote is a mark like any other."""
        return _PIPELINE.match(self._text, position) is not None

    def _close(self, token: re.Match[str]) -> None:
        if not self._stack:
            self._add(token.group())
            return
        opened = self._stack.pop()
        if len(opened.pieces) == 1 or opened.pieces[-1].name is None:
            self._refuse_prefix(opened)
            self._flatten(opened)
            self._add(token.group())
        elif opened.mark == "<<{":
            opened.mark = "<{"
            self._flatten(opened)
            self._add(token.group())
        else:
            self._add(self._call(opened))

    def _call(self, opened: _Open) -> Call:
        operand, *rest = opened.pieces
        functions = tuple(self._function(piece) for piece in rest)
        return Call(_merged(operand.parts) if opened.quoted else _trimmed(operand.parts), functions)

    def _function(self, piece: _Piece) -> Function:
        named = piece.name
        column = self._column(piece.start + (named.start(1) if named else 0))
        if named is None:
            raise ExpressionError(
                f"{self._path}, column {column}: a function's name is needed after each |; "
                'a text with a | in it goes in quotes: <{ "a|b" | getAsBase64 }>'
            )
        if named[1] not in FUNCTIONS:
            known = ", ".join(FUNCTIONS)
            raise ExpressionError(f"{self._path}, column {column}: no function {named[1]!r}; known: {known}")
        return Function(named[1], column)

    def _refuse_prefix(self, opened: _Open) -> None:
        """``<{ getAsBase64 x }>`` would go out as it stands, and nobody means that."""
        first = opened.pieces[0]
        word = _NAME.match(first.parts[0]) if first.parts and isinstance(first.parts[0], str) else None
        if word is not None and word[1] in FUNCTIONS and len(opened.pieces) == 1:
            column = self._column(first.start + word.start(1))
            raise ExpressionError(
                f"{self._path}, column {column}: {word[1]} goes after the text: <{{ text | {word[1]} }}>"
            )

    def _flatten(self, opened: _Open) -> None:
        for part in opened.as_text():
            self._add(part)


def _merged(parts: list[Part]) -> tuple[Part, ...]:
    """The same with neighbouring texts as one."""
    merged: list[Part] = []
    for part in parts:
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        else:
            merged.append(part)
    return tuple(merged)


def _trimmed(parts: list[Part]) -> tuple[Part, ...]:
    """Without the whitespace around it in the text itself; what a secret has stays."""
    merged = list(_merged(parts))
    if merged and isinstance(merged[0], str):
        merged[0] = merged[0].lstrip()
    if merged and isinstance(merged[-1], str):
        merged[-1] = merged[-1].rstrip()
    return tuple(part for part in merged if part != "")
