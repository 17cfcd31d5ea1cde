"""A task's steps: how far they are, each with its sign."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.text import Text

from delegate_core.console.palette import BAD, BUSY, FAINT, GOOD, ODD
from delegate_core.console.visible import visible
from delegate_core.model import StepReport

__all__ = ["named", "progress", "strip"]

_SIGNS: Final = {
    "pending": ("·", FAINT),
    "running": ("●", BUSY),
    "success": ("✓", GOOD),
    "failure": ("✗", BAD),
    "error": ("✗", BAD),
    "killed": ("⊘", ODD),
    "skipped": ("-", FAINT),
}
"""By the words of `delegate_core.pipeline.StepStatus`."""


def _sign(step: StepReport) -> tuple[str, str]:
    return _SIGNS.get(step.status, ("?", ""))


def progress(steps: Sequence[StepReport]) -> str:
    """How many of them are over."""
    over = sum(step.status not in {"pending", "running"} for step in steps)
    return f"{over}/{len(steps)}"


def strip(steps: Sequence[StepReport], most: int) -> Text:
    """One sign a step; of too many, those around the first that is not over."""
    begun = next((at for at, step in enumerate(steps) if step.status in {"pending", "running"}), len(steps))
    first = max(0, min(begun - most // 2, len(steps) - most))
    return Text.assemble(*map(_sign, steps[first : first + most]), no_wrap=True)


def named(steps: Sequence[StepReport], width: int) -> Text:
    """All of them in one line, each with its sign and name. Where they have no room, those that run stay in sight."""
    parts = [Text.assemble((f"{sign} ", style), visible(step.name)) for step in steps for sign, style in [_sign(step)]]
    line = _joined(parts)
    dropped = 0
    while line.cell_len > width and dropped < len(steps) and steps[dropped].status not in {"pending", "running"}:
        dropped += 1
        line = _joined([Text(f"({dropped} before)", FAINT), *parts[dropped:]])
    line.truncate(width, overflow="ellipsis")
    return line


def _joined(parts: Sequence[Text]) -> Text:
    return Text("  ", no_wrap=True).join(parts)
