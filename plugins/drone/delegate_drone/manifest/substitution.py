"""Drone's variables in a manifest: ``${NAME}`` and its operators.

Drone substitutes in the text before it reads the YAML, so a commit message could change a pipeline's structure. Here
the YAML is read first, and variables are put into scalars that stand as values. The differences that follow:

- A value cannot become a list, a map or several keys; it stays one text, with its line breaks.
- Keys and comments are left alone.
- A scalar that variables were put into is text, never a number or truth value, where a setting would be typed.
- ``image: golang:${NONE}`` is the text ``golang:``, and not broken YAML.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from delegate_drone.manifest.trimming import trim_prefix, trim_suffix

__all__ = ["Expansion", "Part", "SubstitutionError", "expansions", "parse", "substitute"]

_DEEPEST = 30
_LONGEST = 1 << 20
_ESCAPE_CURE = "if the shell is to see it, write $${ instead of ${"
_NAME = re.compile(r"\w+")
_DEFAULTS = (":-", ":=", ":?", ":+", "=")
_TRIMS = ("##", "#", "%%", "%")
_REPLACES = ("//", "/#", "/%", "/")
_CASES = ("^^", "^", ",,", ",")
_OPERATORS = (*_DEFAULTS, *_TRIMS, *_REPLACES, *_CASES, ":")
_LITERAL = re.compile(r"[^$}/:\\]+")


class SubstitutionError(ValueError):
    """A ``${`` that Drone cannot read. ``offset`` is its place in the text, ``cure`` what to do."""

    def __init__(self, offset: int, message: str, cure: str = _ESCAPE_CURE) -> None:
        super().__init__(message)
        self.offset = offset
        self.message = message
        self.cure = cure


@dataclass(frozen=True, slots=True)
class Expansion:
    """One ``${...}``: the name, the operator (``length`` for ``${#NAME}``, empty for none), arguments and place."""

    name: str
    operator: str
    arguments: tuple[tuple[Part, ...], ...]
    offset: int


Part: TypeAlias = "str | Expansion"
"""A text is made of literal pieces and expansions."""


def parse(text: str) -> tuple[Part, ...]:
    """The parts of a text. ``$$`` is a literal ``$``; ``$NAME`` and ``$(...)`` are left to the shell.

    Raises:
        SubstitutionError: a ``${`` that is not closed or that Drone has no meaning for.
    """
    return _Parser(text).parts("", 0)


def substitute(text: str, variables: Mapping[str, str]) -> str:
    """The text with its variables put in; an unknown one is empty.

    Raises:
        SubstitutionError: see `parse`; also a result of more than 1 MiB characters.
    """
    if "$" not in text:
        return text
    return _render(parse(text), variables)


def expansions(parts: tuple[Part, ...]) -> Iterator[Expansion]:
    """Every expansion, those in defaults included."""
    for part in parts:
        if isinstance(part, Expansion):
            yield part
            for argument in part.arguments:
                yield from expansions(argument)


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def parts(self, stops: str, depth: int) -> tuple[Part, ...]:
        """Everything up to one of the stop characters, or to the end of the text."""
        found: list[Part] = []
        while self._at < len(self._text) and self._text[self._at] not in stops:
            found.append(self._part(stops, depth))
        return tuple(found)

    def _part(self, stops: str, depth: int) -> Part:
        if self._take("$$"):
            return "$"
        if self._text.startswith("${", self._at):
            return self._expansion(depth)
        if "/" in stops and self._take("\\/"):
            return "/"
        literal = _LITERAL.match(self._text, self._at)
        end = literal.end() if literal else self._at + 1
        piece, self._at = self._text[self._at : end], end
        return piece

    def _expansion(self, depth: int) -> Expansion:
        start = self._at
        if depth >= _DEEPEST:
            raise SubstitutionError(start, f"more than {_DEEPEST} variables inside one another")
        self._take("${")
        measured = self._take("#")
        name = self._name(start)
        operator = "" if measured else next((op for op in _OPERATORS if self._take(op)), "")
        arguments = self._arguments(operator, depth + 1)
        if not self._take("}"):
            raise self._bad(start)
        return Expansion(name, "length" if measured else operator, arguments, start)

    def _arguments(self, operator: str, depth: int) -> tuple[tuple[Part, ...], ...]:
        if not operator or operator in _CASES:
            return ()
        if operator in _DEFAULTS or operator in _TRIMS:
            return (self.parts("}", depth),)
        separator = ":" if operator == ":" else "/"
        first = self.parts(separator + "}", depth)
        return (first, self.parts("}", depth)) if self._take(separator) else (first,)

    def _name(self, start: int) -> str:
        found = _NAME.match(self._text, self._at)
        if found is None:
            raise self._bad(start)
        self._at = found.end()
        return found.group()

    def _take(self, expected: str) -> bool:
        if not self._text.startswith(expected, self._at):
            return False
        self._at += len(expected)
        return True

    def _bad(self, start: int) -> SubstitutionError:
        """What is wrong with the expansion, judged by where reading it stopped."""
        rest = self._text[self._at :]
        if not rest:
            return SubstitutionError(start, "${ without its closing brace")
        shown = self._text[start : self._at + 12].split("\n")[0]
        if self._text.startswith("${{", start):
            cure = "${{ }} belongs to another system: use ${NAME}, or from_secret for a secret"
            return SubstitutionError(start, f"`{shown}` is no variable", cure)
        if rest[0] == "-":
            return SubstitutionError(start, f"`{shown}` lacks a colon", "write ${NAME:-default}")
        return SubstitutionError(start, f"`{shown}` is not among Drone's substitutions")


def _render(parts: tuple[Part, ...], variables: Mapping[str, str]) -> str:
    pieces: list[str] = []
    length = 0
    for part in parts:
        piece = part if isinstance(part, str) else _expand(part, variables)
        pieces.append(piece)
        length += len(piece)
        if length > _LONGEST:
            offset = part.offset if isinstance(part, Expansion) else 0
            raise SubstitutionError(offset, "with its variables put in, the text is too long", "pass it in a file")
    return "".join(pieces)


def _expand(expansion: Expansion, variables: Mapping[str, str]) -> str:
    value = variables.get(expansion.name, "")
    arguments = [_render(argument, variables) for argument in expansion.arguments]
    operator = expansion.operator
    if operator in _DEFAULTS:
        return value or arguments[0]
    if operator in _TRIMS:
        trim = trim_prefix if operator[0] == "#" else trim_suffix
        return trim(value, arguments[0], longest=len(operator) == 2)
    if operator in _REPLACES:
        return _replace(operator, value, *arguments)
    return _slice(value, *arguments) if operator == ":" else _PLAIN_FUNCTIONS[operator](value)


_PLAIN_FUNCTIONS: Mapping[str, Callable[[str], str]] = {
    "": str,
    "length": lambda value: str(len(value)),
    "^^": str.upper,
    ",,": str.lower,
    "^": lambda value: value[:1].upper() + value[1:],
    ",": lambda value: value[:1].lower() + value[1:],
}


def _slice(value: str, offset: str, length: str | None = None) -> str:
    """``${V:n:len}`` in characters; negative numbers count from the end, as in bash. No number: the whole value."""
    start, size = _integer(offset), None if length is None else _integer(length)
    if start is None or (length is not None and size is None):
        return value
    begin = max(0, len(value) + start) if start < 0 else start
    if size is None:
        return value[begin:]
    end = begin + size if size >= 0 else len(value) + size
    return value[begin : max(begin, end)]


def _integer(text: str) -> int | None:
    found = re.fullmatch(r"\s*(-?[0-9]{1,9})\s*", text)  # which takes more for a blank than int does
    return int(found[1]) if found else None


def _replace(operator: str, value: str, old: str, new: str = "") -> str:
    """Replacement is literal, without globs."""
    if not old:
        return value
    match operator:
        case "//":
            return value.replace(old, new) if value.count(old) * len(new) <= _LONGEST else value
        case "/#":
            return new + value[len(old) :] if value.startswith(old) else value
        case "/%":
            return value[: -len(old)] + new if value.endswith(old) else value
        case _:
            return value.replace(old, new, 1)
