"""From the parser's events to nodes: anchors, aliases, merge keys and duplicate keys, within bounds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NoReturn

import yaml

from delegate_drone.manifest.nodes import Entry, Mapping, Mark, Node, Scalar, Sequence
from delegate_drone.manifest.problems import Report
from delegate_drone.manifest.shield import Shield

__all__ = ["Composer"]

_DEEPEST = 100
"""Levels of lists and maps in one another. Real manifests have about ten."""

_LARGEST = 100_000
"""Nodes that aliases may stand for in one document. A chain of ten anchors, each used ten times, would be 10^10."""

_MOST_TEXT = 8 << 20
"""Characters that aliases may stand for in one document: a long text costs little to name a thousand times."""

_MERGE_TAG = "tag:yaml.org,2002:merge"


@dataclass(frozen=True, slots=True)
class _Anchored:
    node: Node
    size: int
    height: int
    length: int


class _Unusable(yaml.YAMLError):
    """A document that is YAML, but goes past a bound or refers to what is not there; already reported."""


class Composer:
    """Builds the tree of one document.

    Args:
        text: the document as written, to keep each scalar's source.
        first_line: the line of the file on which the text begins.
        shield: what the text was swapped with before parsing.
        report: where duplicate keys, unknown aliases and broken bounds are noted.
    """

    def __init__(self, text: str, first_line: int, shield: Shield, report: Report) -> None:
        self._text = text
        self._first_line = first_line
        self._shield = shield
        self._report = report
        self._anchors: dict[str, _Anchored] = {}
        self._size = 0
        self._from_aliases = 0
        self._length = 0
        self._text_from_aliases = 0

    def compose(self, events: Iterable[yaml.Event]) -> Node | None:
        """The root of the document, None where an error was reported.

        Raises:
            yaml.YAMLError: the parser's own, when it meets what is not YAML.
        """
        stream = iter(events)
        root: Node | None = None
        try:
            for event in stream:
                if isinstance(event, yaml.NodeEvent):
                    if root is not None:
                        self._fail("second-document", self._mark(event), "a second document without --- before it")
                    root = self._node(event, stream, 0)[0]
        except _Unusable:
            return None
        return root

    def _node(self, event: yaml.Event, stream: Iterator[yaml.Event], depth: int) -> tuple[Node, int]:
        """A node and its height: 0 for a scalar, one more than its highest item for a list or map."""
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, depth)
        if depth >= _DEEPEST:
            self._fail("too-deep", self._mark(event), f"more than {_DEEPEST} levels of lists and maps")
        before, length = self._size, self._length
        self._size += 1
        node, height = self._content(event, stream, depth)
        anchor = getattr(event, "anchor", None)
        if anchor is not None:
            self._anchors[anchor] = _Anchored(node, self._size - before, height, self._length - length)
        return node, height

    def _content(self, event: yaml.Event, stream: Iterator[yaml.Event], depth: int) -> tuple[Node, int]:
        if isinstance(event, yaml.SequenceStartEvent):
            items = list(self._items(stream, depth + 1))
            return Sequence(tuple(node for node, _ in items), self._mark(event)), _height(items)
        if isinstance(event, yaml.MappingStartEvent):
            items = list(self._items(stream, depth + 1))
            nodes = [node for node, _ in items]
            return self._mapping(list(zip(nodes[::2], nodes[1::2], strict=True)), self._mark(event)), _height(items)
        return self._scalar(event), 0

    def _items(self, stream: Iterator[yaml.Event], depth: int) -> Iterator[tuple[Node, int]]:
        for event in stream:
            if isinstance(event, yaml.CollectionEndEvent):
                return
            yield self._node(event, stream, depth)

    def _scalar(self, event: yaml.Event) -> Scalar:
        start = event.start_mark.index if event.start_mark else 0
        end = event.end_mark.index if event.end_mark else start
        tag = getattr(event, "tag", None)
        text = self._shield.show(str(getattr(event, "value", "")))
        self._length += len(text)
        plain = getattr(event, "style", None) in {None, ""}
        return Scalar(text, plain, tag, self._mark(event), source=self._text[start:end])

    def _alias(self, event: yaml.AliasEvent, depth: int) -> tuple[Node, int]:
        mark, name = self._mark(event), event.anchor or ""
        anchored = self._anchors.get(name)
        if anchored is None:
            cure = "anchors hold within one document; quote a text that begins with *"
            self._fail("unknown-alias", mark, f"*{name} refers to no anchor &{name} above it in this document", cure)
        if depth + anchored.height >= _DEEPEST:
            self._fail("too-deep", mark, f"*{name} makes more than {_DEEPEST} levels of lists and maps")
        self._size += anchored.size
        self._from_aliases += anchored.size
        if self._from_aliases > _LARGEST:
            self._fail("too-large", mark, f"aliases of this document stand for more than {_LARGEST} values")
        self._length += anchored.length
        self._text_from_aliases += anchored.length
        if self._text_from_aliases > _MOST_TEXT:
            self._fail("too-large", mark, f"aliases of this document stand for more than {_MOST_TEXT} characters")
        return anchored.node, anchored.height

    def _mapping(self, pairs: list[tuple[Node, Node]], mark: Mark) -> Mapping:
        merged: list[Entry] = []
        own: list[Entry] = []
        for key, value in pairs:
            if _is_merge(key):
                merged.extend(self._merged(value))
            else:
                own.append(Entry(key, value))
        self._warn_of_duplicates(own)
        return Mapping((*merged, *own), mark)

    def _merged(self, value: Node) -> Iterator[Entry]:
        """What ``<<`` brings in. Of a list of maps the first has precedence, so it comes last."""
        sources = tuple(reversed(value.items)) if isinstance(value, Sequence) else (value,)
        for source in sources:
            if not isinstance(source, Mapping):
                self._fail("bad-merge", source.mark, "<< takes a map, or a list of maps", "refer to one with *name")
            for entry in source.entries:
                self._count(entry)
                yield Entry(entry.key, entry.value, merged=True)

    def _count(self, entry: Entry) -> None:
        """Merging copies entries, and copies of copies double: they count against the bound like aliases."""
        self._from_aliases += 1
        if self._from_aliases > _LARGEST:
            self._fail("too-large", entry.key.mark, f"merge keys bring in more than {_LARGEST} entries")

    def _warn_of_duplicates(self, entries: list[Entry]) -> None:
        seen: dict[str, Mark] = {}
        for entry in entries:
            if not isinstance(entry.key, Scalar):
                continue
            name, mark = entry.key.text, entry.key.mark
            if name in seen:
                message = (
                    f"`{name}` was given before, on line {seen[name].line}: maps are merged, else the last one wins"
                )
                self._report.warning("duplicate-key", mark, message, "keep one, or put --- between two documents")
            seen[name] = mark

    def _mark(self, event: yaml.Event) -> Mark:
        start = event.start_mark
        return Mark(start.line + self._first_line, start.column + 1) if start else Mark(self._first_line, 1)

    def _fail(self, code: str, mark: Mark, message: str, cure: str = "") -> NoReturn:
        self._report.error(code, mark, message, cure)
        raise _Unusable


def _height(items: list[tuple[Node, int]]) -> int:
    return 1 + max((height for _, height in items), default=0)


def _is_merge(key: Node) -> bool:
    return isinstance(key, Scalar) and ((key.text == "<<" and key.plain) or key.tag == _MERGE_TAG)
