"""Expressions in a task's data: ``${{secrets.ID}}`` and ``<{ text | function }>``.

Only the string values of the data are looked at, each by itself, and each is parsed once, before anything is put in:
a secret's value is never read as an expression, and the structure of the data cannot change. What has not the exact
form of an expression is text: ``a<{b}>c`` and ``${{ github.sha }}`` stay as they are. Within ``<{ }>`` the text may
hold secrets and further expressions, and is trimmed; in quotes it is taken as it is: ``<{ " a | b " | getAsBase64 }>``.
Several functions go from left to right. ``$${{secrets.ID}}`` and ``<<{ text | function }>`` stand for the text with one
mark less.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from delegate_core.model import JsonValue
from delegate_core.secrets.errors import ExpressionError
from delegate_core.secrets.grammar import Call, Part, Reference, parse_text

__all__ = ["Resolved", "Template", "parse"]

_MOST_MADE: Final = 512 * 1024
"""Characters that all functions of one data may make. A chain of them doubles its text with each, and whatever is made
of a secret is searched for in all that the task prints."""

_MOST_PUT_IN: Final = 8 * 1024 * 1024
"""Characters that all secrets put into one data may have."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """Data with its values put in. Its repr shows neither.

    Attributes:
        data: the task's data.
        derived: what functions made of texts with a secret in them: to be masked as secrets are.
    """

    data: JsonValue
    derived: tuple[str, ...]

    def __repr__(self) -> str:
        return "Resolved(…)"


@dataclass(frozen=True, slots=True)
class _Text:
    """A string of the data that holds expressions."""

    path: str
    parts: tuple[Part, ...]


class Template:
    """Data whose expressions have been read."""

    def __init__(self, tree: Any, texts: tuple[_Text, ...]) -> None:
        self._tree = tree
        self._texts = texts

    @property
    def is_plain(self) -> bool:
        """Whether it holds no expression at all."""
        return not self._texts

    @property
    def secrets(self) -> tuple[str, ...]:
        """The ids of the secrets that it names, each once, in their order."""
        return tuple(dict.fromkeys(one.id for text in self._texts for one in _references(text.parts)))

    def check(self, known: Collection[str]) -> None:
        """Refuse a secret that nobody knows.

        Raises:
            ExpressionError: names it, its place, and those that there are.
        """
        for text in self._texts:
            for one in _references(text.parts):
                if one.id not in known:
                    there = ", ".join(sorted(known)) or "none"
                    raise ExpressionError(f"{text.path}, column {one.column}: no secret {one.id!r}; known: {there}")

    def resolve(self, values: Mapping[str, str]) -> Resolved:
        """The data with these secrets put in.

        Raises:
            ExpressionError: a function cannot take its text, names the function and its place; or the expressions make
                more than anybody needs.
            KeyError: a secret is missing from `values`.
        """
        filling = _Filling(values)
        return Resolved(filling.json(self._tree), tuple(dict.fromkeys(filling.derived)))


def parse(data: JsonValue) -> Template:
    """Read the expressions in data.

    Raises:
        ExpressionError: one names an unknown function, or none where one is meant; says where.
    """
    reading = _Reading()
    try:
        tree = reading.json(data, "data")
    except RecursionError:
        raise ExpressionError("data: nested too deeply") from None
    return Template(tree, tuple(reading.texts))


class _Reading:
    """One walk over data: strings with expressions become `_Text`, everything else stays the same object."""

    def __init__(self) -> None:
        self.texts: list[_Text] = []

    def json(self, value: Any, path: str) -> Any:
        match value:
            case str():
                return self._text(value, path)
            case dict():
                return {key: self.json(member, f"{path}.{key}") for key, member in value.items()}
            case list():
                return [self.json(member, f"{path}[{index}]") for index, member in enumerate(value)]
            case _:
                return value

    def _text(self, value: str, path: str) -> Any:
        if "${{secrets." not in value and "<{" not in value:
            return value
        parts = parse_text(value, path)
        if all(isinstance(part, str) for part in parts):
            return "".join(map(str, parts))
        text = _Text(path, parts)
        self.texts.append(text)
        return text


class _Filling:
    """One walk over what was read, putting values in."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self._put_in = self._made = 0
        self.derived: list[str] = []

    def json(self, value: Any) -> Any:
        match value:
            case _Text(path, parts):
                return self._join(parts, path)[0]
            case dict():
                return {key: self.json(member) for key, member in value.items()}
            case list():
                return [self.json(member) for member in value]
            case _:
                return value

    def _join(self, parts: tuple[Part, ...], path: str) -> tuple[str, bool]:
        """The text, and whether a secret is in it."""
        texts: list[str] = []
        secret = False
        for part in parts:
            text, tainted = self._part(part, path)
            texts.append(text)
            secret = secret or tainted
        return "".join(texts), secret

    def _part(self, part: Part, path: str) -> tuple[str, bool]:
        match part:
            case str():
                return part, False
            case Reference(identity):
                value = self._values[identity]
                self._put_in += len(value)
                if self._put_in > _MOST_PUT_IN:
                    raise ExpressionError(f"{path}: the secrets put in have more than {_MOST_PUT_IN:,} characters")
                return value, True
            case Call():
                return self._call(part, path)

    def _call(self, call: Call, path: str) -> tuple[str, bool]:
        text, secret = self._join(call.operand, path)
        for function in call.functions:
            try:
                text = function.call(text)
            except ValueError as error:
                raise ExpressionError(f"{path}, column {function.column}: {function.name}: {error}") from None
            self._made += len(text)
            if self._made > _MOST_MADE:
                where = f"{path}, column {function.column}"
                raise ExpressionError(f"{where}: the functions make more than {_MOST_MADE:,} characters")
            if secret and text:
                self.derived.append(text)
        return text, secret


def _references(parts: tuple[Part, ...]) -> Iterator[Reference]:
    for part in parts:
        if isinstance(part, Reference):
            yield part
        elif isinstance(part, Call):
            yield from _references(part.operand)
