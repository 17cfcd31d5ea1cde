"""Lines of the live view, put together from cells of a known width.

No table of rich: with widths known beforehand a line costs a few string operations, nothing can wrap, and columns stay
where they are while their contents change.
"""

from __future__ import annotations

from typing import Final, Literal

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from delegate_core.console.palette import BAD, FAINT, GOOD, ODD, WARN
from delegate_core.console.visible import visible

__all__ = ["OUTCOMES", "bar", "cell", "join", "rule", "spread"]

OUTCOMES: Final = {
    "succeeded": ("✓", GOOD),
    "failed": ("✗", BAD),
    "timed_out": ("◷", WARN),
    "cancelled": ("⊘", ODD),
    "rejected": ("⊝", WARN),
}
"""Sign and colour of each outcome."""


def cell(text: str, width: int, style: str = "", align: Literal["left", "right"] = "left") -> Text:
    """A text made harmless and exactly as wide as asked for; what is longer ends in an ellipsis."""
    shown = visible(text, 4 * width + 4)
    length = cell_len(shown)
    if length > width:
        shown = set_cell_size(shown, width - 1) + "…" if width > 0 else ""
    elif align == "right":
        shown = " " * (width - length) + shown
    else:
        shown += " " * (width - length)
    return Text(shown, style, no_wrap=True)


def join(*cells: Text, gap: str = "  ") -> Text:
    """Cells side by side."""
    return Text(gap, no_wrap=True).join(cells)


def spread(left: Text, right: Text, width: int) -> Text:
    """One text at the left edge and one at the right. Where both have no room, the left one is cut."""
    # The left text's own style must not colour the right one, hence a line without style.
    line = Text(no_wrap=True).append_text(left)
    room = max(0, width - right.cell_len - 2) if right else width
    line.truncate(room, overflow="ellipsis", pad=bool(right))
    if right:
        line.append("  ").append_text(right)
    line.truncate(width, overflow="ellipsis")
    return line


def rule(title: str, note: str, width: int) -> Text:
    """A section's title, on a line across the view."""
    line = Text.assemble(("── ", FAINT), (title, "bold"), (f" {note}" if note else "", FAINT), " ", no_wrap=True)
    return line.append("─" * max(0, width - line.cell_len), FAINT)


def bar(part: float, whole: float, width: int, style: str) -> Text:
    """How much of the whole is used: heavy against light, so that it needs no colour. Full means all of it."""
    share = min(1.0, max(0.0, part / whole)) if whole > 0 else 0.0
    full = int(share * width) or (1 if share else 0)
    return Text.assemble(("━" * full, style), ("─" * (width - full), FAINT), no_wrap=True)
