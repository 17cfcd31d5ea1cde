"""Drone's globs as regular expressions that never go back: the time is in proportion to pattern and value.

Whoever may push chooses a branch's name, and whoever writes a manifest the pattern; one like ``*a*a*a*a*b`` costs a
plain translation hours. What stands between two stars is taken where it fits first, and never reconsidered, since
a later place would only leave less for the rest.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from itertools import islice

__all__ = ["matches_glob"]

_MOST_ALTERNATIVES = 1000
_MOST_BRACES = 20
_PART = re.compile(r"\\.|\[[\^!]?\]?(?:\\.|[^\]\\])*\]|[^\\\[]", re.DOTALL)
_BRACES = re.compile(r"\{([^{}]*)\}")
_MEMBER = re.compile(r"(?:\\(?P<escaped>.)|(?P<first>.))(?:-(?:\\(?P<escaped_last>.)|(?P<last>.)))?", re.DOTALL)
_END = r"(?=/|\Z)"


def matches_glob(pattern: str, value: str) -> bool:
    """Whether a value matches a glob of Drone.

    ``*`` and ``?`` stay within a segment between slashes, ``**`` as a segment stands for any number of them,
    ``{a,b}``, ``[0-9]`` and ``[^a]`` as usual; case counts. A malformed pattern matches nothing.
    """
    if not _well_formed(pattern):
        return False
    return any(_matches(alternative, value) for alternative in islice(_alternatives(pattern), _MOST_ALTERNATIVES))


def _well_formed(pattern: str) -> bool:
    parts = _PART.findall(pattern)
    complete = sum(map(len, parts)) == len(pattern)
    return complete and parts.count("{") == parts.count("}") <= _MOST_BRACES


def _alternatives(pattern: str) -> Iterator[str]:
    found = _BRACES.search(pattern)
    if found is None:
        yield pattern
        return
    for choice in found[1].split(","):
        yield from _alternatives(pattern[: found.start()] + choice + pattern[found.end() :])


def _matches(pattern: str, value: str) -> bool:
    return _compiled(pattern).fullmatch(value) is not None if value else not pattern.strip("*")


@functools.lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    """The segments before the first ``**``, those between two of them where they fit first, and those at the end."""
    first, *others = _groups(_segments(pattern))
    if not others:
        return re.compile("/".join(first), re.DOTALL)
    *between, last = others
    written = "".join(f"{segment}/" for segment in first)
    for group in between:
        written += "(?>(?:[^/]*/)*?" + "/".join(group) + "/)" if group else ""
    return re.compile(written + ("(?:[^/]*/)*" + "/".join(last) if last else ".*"), re.DOTALL)


def _segments(pattern: str) -> list[list[str]]:
    """The parts of each segment."""
    segments: list[list[str]] = [[]]
    for part in _PART.findall(pattern):
        if part in {"/", r"\/"}:
            segments.append([])
        else:
            segments[-1].append(part)
    return segments


def _groups(segments: Sequence[Sequence[str]]) -> list[list[str]]:
    """The segments as regular expressions, in groups with a ``**`` between each two."""
    groups: list[list[str]] = [[]]
    for segment in segments:
        if len(segment) > 1 and set(segment) == {"*"}:
            groups.append([])
        else:
            groups[-1].append(_segment(segment))
    return groups


def _segment(parts: Sequence[str]) -> str:
    """A segment from its begin to its end."""
    pieces = [""]
    for part in parts:
        if part == "*":
            pieces.append("")
        else:
            pieces[-1] += _character(part)
    first, *others = pieces
    if not others:
        return first + _END
    *between, last = others
    anywhere = "".join(f"(?>[^/]*?{piece})" for piece in between if piece)
    return f"(?>{first}{anywhere}[^/]*{f'?{last}' if last else ''}{_END})"


def _character(part: str) -> str:
    """One character: itself, any, or one of a class."""
    if part == "?":
        return "[^/]"
    if part.startswith("["):
        return _class(part[1:-1])
    return re.escape(part[-1])


def _class(content: str) -> str:
    """``!`` is a member as any other, as in Drone; a range that ends before it begins has none."""
    negated = content.startswith("^")
    members = "".join(map(_member, _MEMBER.finditer(content[negated:])))
    return f"(?!/)[^{members}]" if negated and members else f"(?!/)[{members}]" if members else "(?!)"


def _member(found: re.Match[str]) -> str:
    first = found["escaped"] or found["first"]
    last = found["escaped_last"] or found["last"] or first
    return f"{re.escape(first)}-{re.escape(last)}" if first <= last else ""
