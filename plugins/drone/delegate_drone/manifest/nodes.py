"""The tree a document is parsed into: every scalar keeps its text, and every node its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Entry", "Mapping", "Mark", "Node", "Scalar", "Sequence", "walk"]


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the file: line and column, both counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value that is neither a list nor a map.

    Attributes:
        text: what is written, after YAML's own unquoting, before any typing.
        plain: written without quotes and not as a block, so YAML may take it for a number or a truth value.
        tag: an explicit tag such as ``tag:yaml.org,2002:str``, else None.
        mark: where it begins.
        source: the text as it stands in the file, quotes included.
        written: the text before variables were put into it, None if none were.
    """

    text: str
    plain: bool
    tag: str | None
    mark: Mark
    source: str = ""
    written: str | None = None

    @property
    def substituted(self) -> bool:
        """Whether variables were put in: then it is text, whatever it looks like."""
        return self.written is not None


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    items: tuple[Node, ...]
    mark: Mark


@dataclass(frozen=True, slots=True)
class Entry:
    """A key with its value; ``merged`` if it came in through ``<<``."""

    key: Node
    value: Node
    merged: bool = False


@dataclass(frozen=True, slots=True)
class Mapping:
    """A map in the order of the file. A key may be there twice.

    What came in through ``<<`` stands first, so that the map's own keys win wherever ``<<`` is written.
    """

    entries: tuple[Entry, ...]
    mark: Mark

    def get(self, name: str) -> Node | None:
        """The last value under that key, None if there is none."""
        found = [entry.value for entry in self.entries if isinstance(entry.key, Scalar) and entry.key.text == name]
        return found[-1] if found else None


Node: TypeAlias = Scalar | Sequence | Mapping


def walk(node: Node) -> Iterator[Scalar]:
    """Every scalar that stands as a value, in the order of the file; keys are left out."""
    match node:
        case Scalar():
            yield node
        case Sequence():
            for item in node.items:
                yield from walk(item)
        case Mapping():
            for entry in node.entries:
                yield from walk(entry.value)
