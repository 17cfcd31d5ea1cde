"""Task types that a handler serves by a pattern: ``image/*``, ``build-?``, ``*``.

``*`` stands for any text, also for none and across slashes; ``?`` for one character. There are no other signs.
Of several that match a type, the exact one goes first, then the pattern with the most literal characters. Two
patterns with as many that could both match one type are a conflict, found when they are added.
"""

from __future__ import annotations

import functools
import re

__all__ = ["is_pattern", "matches", "overlap", "weight"]

_WILD = "*?"


def is_pattern(task_type: str) -> bool:
    """Whether it stands for more than the type of its name."""
    return any(sign in task_type for sign in _WILD)


def matches(pattern: str, task_type: str) -> bool:
    """Whether a pattern matches a type, case and all."""
    return _compiled(pattern).fullmatch(task_type) is not None


def weight(pattern: str) -> int:
    """How specific it is: the number of its literal characters."""
    return sum(sign not in _WILD for sign in pattern)


def overlap(one: str, other: str) -> bool:
    """Whether some type is matched by both: each pair of positions in the two is looked at once at most."""
    seen: set[tuple[int, int]] = set()
    todo = [(0, 0)]
    while todo:
        place = todo.pop()
        if place in seen:
            continue
        seen.add(place)
        if place == (len(one), len(other)):
            return True
        todo += _steps(one, other, *place)
    return False


def _steps(one: str, other: str, i: int, j: int) -> list[tuple[int, int]]:
    """Where two patterns may be next, when one more character is, or is not, read from each."""
    left, right = one[i : i + 1], other[j : j + 1]
    steps = []
    if left == "*":
        steps.append((i + 1, j))
    if right == "*":
        steps.append((i, j + 1))
    if left == "*" and right and right != "*":
        steps.append((i, j + 1))
    if right == "*" and left and left != "*":
        steps.append((i + 1, j))
    if left and right and "*" not in left + right and (left == right or "?" in left + right):
        steps.append((i + 1, j + 1))
    return steps


@functools.lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    """What stands between two stars is taken where it fits first, for good: a server names the types."""
    first, *others = (re.escape(piece).replace(r"\?", ".") for piece in pattern.split("*"))
    if not others:
        return re.compile(first, re.DOTALL)
    *between, last = others
    return re.compile(first + "".join(f"(?>.*?{piece})" for piece in between if piece) + f".*{last}", re.DOTALL)
