"""Reads the keys of a map with the types they should have, and reports what is otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from difflib import get_close_matches
from itertools import takewhile
from typing import TypeGuard

from delegate_drone.manifest.nodes import Entry, Mapping, Mark, Node, Scalar, Sequence
from delegate_drone.manifest.problems import Report
from delegate_drone.manifest.values import is_null, parse_size, scalar_text, scalar_value

__all__ = ["Fields", "nearest", "shape"]


def nearest(name: str, known: frozenset[str] | tuple[str, ...]) -> str | None:
    """The known name that a misspelt one most likely means."""
    canonical = name[:100].lower().replace("-", "_")
    found = get_close_matches(canonical, sorted(known), n=1, cutoff=0.72)
    return found[0] if found else None


def shape(node: Node) -> str:
    """What a node is, in a reader's words."""
    if isinstance(node, Mapping):
        return "a map"
    if isinstance(node, Sequence):
        return "a list"
    names = {bool: "a truth value", int: "a number", float: "a number", type(None): "empty"}
    return names.get(type(scalar_value(node)), "a text")


def _fits(value: object) -> TypeGuard[int | float]:
    """A number that 64 bits can hold. A range must not be asked: it looks for a float one by one, and never ends."""
    return not isinstance(value, bool) and isinstance(value, int | float) and -(2**63) <= value < 2**63


class Fields:
    """The keys of one map.

    A key that was given twice counts as one: maps are merged, else the last value wins. Null counts as not given.

    Args:
        node: the map.
        what: what it describes, for messages: "step `build`".
        report: where wrong types and unknown keys are noted.
    """

    def __init__(self, node: Mapping, what: str, report: Report) -> None:
        self.node = node
        self.what = what
        self.report = report
        self._asked: set[str] = set()
        self._values: dict[str, list[Entry]] = {}
        for entry in node.entries:
            if isinstance(entry.key, Scalar):
                self._values.setdefault(entry.key.text, []).append(entry)
            else:
                report.error("bad-key", entry.key.mark, f"a key of {what} is {shape(entry.key)}", "quote it")

    def ignore(self, names: Iterable[str]) -> None:
        """Take these keys for known and not given, whatever stands there."""
        for name in names:
            self._asked.add(name)
            self._values.pop(name, None)

    def all(self, name: str) -> list[Node]:
        """Every value given for a key, in the order of the file."""
        self._asked.add(name)
        return [entry.value for entry in self._values.get(name, [])]

    def get(self, name: str) -> Node | None:
        """The value of a key; None if it is not there or null."""
        values = self.all(name)
        if not values or is_null(values[-1]):
            return None
        maps = list(takewhile(lambda value: isinstance(value, Mapping), reversed(values)))
        if len(maps) < 2:
            return values[-1]
        entries = (entry for value in reversed(maps) if isinstance(value, Mapping) for entry in value.entries)
        return Mapping(tuple(entries), values[-1].mark)

    def text(self, name: str) -> str:
        """A text, number or truth value as it is written; empty if not given."""
        node = self.get(name)
        if isinstance(node, Scalar):
            return scalar_text(node)
        if node is not None:
            self._wrong(name, node, "a text")
        return ""

    def flag(self, name: str) -> bool:
        """A truth value; False if not given."""
        node = self.get(name)
        if node is None:
            return False
        value = scalar_value(self._typed(node)) if isinstance(node, Scalar) else None
        if not isinstance(value, bool):
            self._wrong(name, node, "true or false", "write true or false without quotes")
            return False
        return value

    def number(self, name: str) -> int:
        """A whole number; 0 if not given."""
        node = self.get(name)
        if node is None:
            return 0
        value = scalar_value(self._typed(node)) if isinstance(node, Scalar) else None
        if not _fits(value):
            self._wrong(name, node, "a whole number", "write digits without quotes")
            return 0
        if value != int(value):
            message = f"`{name}` of {self.what} is a whole number; the fraction is dropped"
            self.report.warning("fraction", node.mark, message, f"write {int(value)}")
        return int(value)

    def size(self, name: str) -> int:
        """A number of bytes, such as 512m; 0 if not given."""
        node = self.get(name)
        size = parse_size(node.text.strip()) if isinstance(node, Scalar) else 0
        if node is not None and (size is None or not isinstance(node, Scalar)):
            self._wrong(name, node, "a size", "write a number of bytes, or one with a unit such as 512m or 1.5g")
        return size or 0

    def texts(self, name: str, cure: str = "write each one on a line of its own, after a dash") -> list[Scalar]:
        """A list of texts; nothing if not given. Of lists given twice the last wins, but each has to be one.

        A step whose dash is indented as far as those of the commands above becomes one of them, and its other keys
        become the step's above: only the list that loses shows it.
        """
        texts: list[Scalar] = []
        for node in self.all(name):
            texts = self._texts(name, node, cure)
        return texts

    def _texts(self, name: str, node: Node, cure: str) -> list[Scalar]:
        if is_null(node):
            return []
        if not isinstance(node, Sequence):
            self._wrong(name, node, "a list", cure)
            return []
        return [item for item in node.items if self._is_text(item, name)]

    def strings(self, name: str) -> tuple[str, ...]:
        """Like `texts`, only the texts."""
        return tuple(scalar_text(item) for item in self.texts(name))

    def section(self, name: str, what: str) -> Fields | None:
        """The map under a key, to read in turn."""
        node = self.get(name)
        if node is None:
            return None
        if not isinstance(node, Mapping):
            self._wrong(name, node, "a map", "write `key: value` lines below it, indented further")
            return None
        return Fields(node, what, self.report)

    def sections(self, name: str, what: str) -> Iterator[Fields]:
        """The maps in the list under a key, to read in turn."""
        node = self.get(name)
        if node is not None and not isinstance(node, Sequence):
            self._wrong(name, node, "a list", f"begin each {what} with a dash: `- name: ...`")
        for item in node.items if isinstance(node, Sequence) else ():
            if isinstance(item, Mapping):
                yield Fields(item, _named(what, item), self.report)
            else:
                cure = "give it a name, or remove the dash" if is_null(item) else "write it as `- name: ...` and so on"
                self.report.error("wrong-type", item.mark, f"this {what} is {shape(item)}, not a map", cure)

    def pairs(self, name: str) -> dict[str, tuple[Scalar, Node]]:
        """The keys and values under a key whose names are free; of names given twice the last wins."""
        section = self.section(name, f"`{name}` of {self.what}")
        keys = (entry for entry in section.node.entries) if section else ()
        return {scalar_text(e.key): (e.key, e.value) for e in keys if isinstance(e.key, Scalar)}

    def close(self, also: frozenset[str] = frozenset(), cure: str = "remove it: it has no effect") -> None:
        """Report the keys that nobody asked for, with the known key that is nearest, else with that cure.

        Args:
            also: keys that are known although nobody asked for them.
            cure: what to do about a key that is near to none.
        """
        known = frozenset(self._asked | also)
        for name, entries in self._values.items():
            if name not in known and not (self.report.full and not self.report.strict):
                meant = nearest(name, known)
                hint = f"did you mean `{meant}`?" if meant else cure
                self.report.unknown(entries[-1].key.mark, f"{self.what} has no key `{name}`", hint)

    def mark(self, name: str) -> Mark:
        """Where a key stands; where the map begins if it is not there."""
        entries = self._values.get(name)
        return entries[-1].key.mark if entries else self.node.mark

    def has(self, name: str) -> bool:
        """Whether the key is there, null or not."""
        return name in self._values

    def _typed(self, node: Scalar) -> Scalar:
        """A field that is no text takes what variables make of it."""
        return replace(node, written=None)

    def _wrong(self, name: str, node: Node, wanted: str, cure: str = "") -> None:
        message = f"`{name}` of {self.what} must be {wanted}; it is {shape(node)}"
        self.report.error("wrong-type", node.mark, message, cure)

    def _is_text(self, item: Node, name: str) -> TypeGuard[Scalar]:
        if isinstance(item, Scalar):
            return True
        message = f"an item of `{name}` of {self.what} must be a text; it is {shape(item)}"
        cure = "quote the whole item: outside quotes, a colon followed by a space makes a map, a leading [ a list"
        if isinstance(item, Mapping) and item.get("name") is not None:
            cure = f"is the indentation wrong? A step's dash stands left of the dashes of `{name}`; else quote the item"
        self.report.error("wrong-type", item.mark, message, cure)
        return False


def _named(what: str, node: Mapping) -> str:
    name = node.get("name")
    return f"{what} `{name.text}`" if isinstance(name, Scalar) and name.text else what
