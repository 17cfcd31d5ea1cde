"""Boxes, arrows and words as SVG, for light and dark pages alike.

What is drawn has the colour of the page's text where the drawing stands within a page, and else that of the viewer's
colour scheme; only two accents have colours of their own, which can be read on both. All words are text.
"""

from __future__ import annotations

from html import escape
from typing import Literal

__all__ = ["Drawing", "Point", "Word"]

Point = tuple[float, float]

Word = Literal["name", "state", "end", "hook", "note"]
"""What a word is: a part's name, a state, a state that is an end, a hook of the code, or anything else."""

_STYLE = """\
    .drawing { color: #1f2328; font: 13px system-ui, sans-serif; }
    @media (prefers-color-scheme: dark) { .drawing { color: #e6edf3; } }
    .drawing text { fill: currentColor; }
    .drawing rect, .drawing path { fill: none; stroke: currentColor; stroke-opacity: .55; }
    .drawing rect.part { fill: currentColor; fill-opacity: .07; }
    .drawing rect.group { stroke-dasharray: 4 4; }
    .drawing rect.state { stroke: #3b82d6; stroke-opacity: 1; fill: #3b82d6; fill-opacity: .12; }
    .drawing rect.end { stroke: #2f9e62; stroke-opacity: 1; fill: #2f9e62; fill-opacity: .12; }
    .drawing .name, .drawing .state, .drawing .end { font-weight: 600; }
    .drawing .hook { font-family: ui-monospace, monospace; font-weight: 600; }
    .drawing .note { fill-opacity: .8; font-size: 12px; }
    .drawing marker path { fill: currentColor; stroke: none; fill-opacity: .75; }"""

_LINE = 17
"""From one line of words to the next, in pixels."""


class Drawing:
    """A drawing to put things on, from the top left corner; all measures are pixels.

    Args:
        name: unique among the drawings of a page.
        title: what it shows, in a few words.
        description: what it says, for who does not see it.
        size: width and height.
    """

    def __init__(self, name: str, title: str, description: str, size: Point) -> None:
        self._name = name
        self._title = title
        self._description = description
        self._size = size
        self._parts: list[str] = []

    def box(self, corner: Point, size: Point, name: str, note: str = "", *, word: Word = "name") -> None:
        """A part or a state, with a line about it."""
        (x, y), (width, height) = corner, size
        kind = word if word in {"state", "end"} else "part"
        self._rectangle(corner, size, kind)
        middle = x + width / 2
        first = y + height / 2 + (5 if not note else -3)
        self.words((middle, first), name, word=word, anchor="middle")
        if note:
            self.words((middle, first + _LINE), note, anchor="middle")

    def group(self, corner: Point, size: Point, name: str) -> None:
        """A frame around parts."""
        self._rectangle(corner, size, "group")
        self.words((corner[0] + 12, corner[1] + 19), name)

    def words(
        self, at: Point, *lines: str, word: Word = "note", anchor: Literal["start", "middle", "end"] = "start"
    ) -> None:
        """Lines of words, the first one's baseline at a point."""
        for number, line in enumerate(lines):
            y = at[1] + number * _LINE
            self._parts.append(
                f'  <text class="{word}" x="{at[0]:g}" y="{y:g}" text-anchor="{anchor}">{escape(line)}</text>'
            )

    def arrow(self, *points: Point, both: bool = False) -> None:
        """A line through points, with a head at its last one, or at both ends."""
        way = " L".join(f"{x:g} {y:g}" for x, y in points)
        start = f' marker-start="url(#{self._name}-head)"' if both else ""
        self._parts.append(f'  <path d="M{way}"{start} marker-end="url(#{self._name}-head)"/>')

    def svg(self) -> str:
        """The whole drawing."""
        width, height = self._size
        head = (
            f'<svg class="drawing" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
            f'width="{width:g}" height="{height:g}" role="img" aria-labelledby="{self._name}-title {self._name}-desc">'
        )
        marker = (
            f'  <marker id="{self._name}-head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" '
            'orient="auto-start-reverse"><path d="M0 0 L10 5 L0 10 z"/></marker>'
        )
        lines = [
            head,
            f'  <title id="{self._name}-title">{escape(self._title)}</title>',
            f'  <desc id="{self._name}-desc">{escape(self._description)}</desc>',
            f"  <style>\n{_STYLE}\n  </style>",
            marker,
            *self._parts,
            "</svg>",
        ]
        return "\n".join(lines) + "\n"

    def _rectangle(self, corner: Point, size: Point, kind: str) -> None:
        (x, y), (width, height) = corner, size
        self._parts.append(f'  <rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6"/>')
