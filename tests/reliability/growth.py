"""Does something grow? Figures of a process at work, judged so that neither noise nor a saw's teeth pass for growth.

A runner's figures go up and down while it works: it keeps the logs of its last thousand tasks, and removes what is
older by the hundred, so its files rise and fall like a saw; memory comes and goes with what runs at the moment. What
tells of a leak is the ground below which a figure does not fall any more. So the tasks are cut into blocks, longer than
a tooth of the saw, and the lowest figure of each is its floor. Growth is the slope of the floors by Theil and Sen: the
median of the slopes between any two of them, which up to a quarter of odd blocks cannot turn.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

__all__ = ["BLOCK", "FEWEST_BLOCKS", "HISTORY", "TOLERANCES", "Growth", "Samples", "slope_of_floors"]

BLOCK = 256
"""Tasks of a block: two teeth, since the journal removes what is old after each 128 tasks."""

HISTORY = 1000
"""Tasks that the journal keeps to look back at, with their logs: until then files and memory have to grow."""

FEWEST_BLOCKS = 5
"""Fewer of them say nothing."""

TOLERANCES = {"memory (KiB)": 1024.0, "descriptors": 1.0, "threads": 1.0, "processes": 1.0, "files": 5.0}
"""How much may be added by a thousand tasks."""


@dataclass(frozen=True, slots=True)
class Growth:
    """Of one figure.

    Attributes:
        first: the floor of the first block that was judged.
        last: that of the last one.
        slope: what a thousand tasks add.
        most: what they may add.
    """

    name: str
    first: float
    last: float
    slope: float
    most: float

    @property
    def is_tolerated(self) -> bool:
        """Whether that is no growth."""
        return self.slope <= self.most


@dataclass
class Samples:
    """What was seen: how many tasks had ended, and the figures then."""

    seen: list[tuple[int, Mapping[str, float]]] = field(default_factory=list)

    def add(self, ended: int, figures: Mapping[str, float]) -> None:
        """One look."""
        self.seen.append((ended, figures))

    def growths(self, warm_up: int) -> Iterator[Growth]:
        """Of each figure, once so many tasks have ended; nothing where too few blocks came behind them."""
        for name, most in TOLERANCES.items():
            floors = _floors([(ended, figures[name]) for ended, figures in self.seen if ended >= warm_up])
            if len(floors) >= FEWEST_BLOCKS:
                yield Growth(name, floors[0][1], floors[-1][1], 1000 * slope_of_floors(floors), most)


def _floors(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """The lowest point of each whole block; one that was not seen to its end has none."""
    if not points:
        return []
    begin, end = points[0][0], points[-1][0]
    blocks: dict[int, list[tuple[int, float]]] = {}
    for ended, value in points:
        blocks.setdefault((ended - begin) // BLOCK, []).append((ended, value))
    whole = (end - begin + 1) // BLOCK
    return [min(blocks[number], key=lambda point: point[1]) for number in sorted(blocks) if number < whole]


def slope_of_floors(floors: Sequence[tuple[int, float]]) -> float:
    """The growth by one task."""
    slopes = [(later[1] - sooner[1]) / (later[0] - sooner[0]) for sooner, later in combinations(floors, 2)]
    return statistics.median(slopes) if slopes else 0.0
