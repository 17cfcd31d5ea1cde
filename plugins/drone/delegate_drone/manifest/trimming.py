"""The globs that ``${NAME#pattern}`` and its kin cut off, matched in time linear in the value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["trim_prefix", "trim_suffix"]

_TOKEN = re.compile(
    r"(?P<star>\*+)|(?P<any>\?)|\[(?P<no>[\^!]?)(?P<set>\]?[^\]]*)\]|\\(?P<escaped>.)|(?P<char>.)", re.DOTALL
)
_MOST_TOKENS = 500


@dataclass(frozen=True, slots=True)
class _Token:
    """One character of a pattern; a star stands for any number of them."""

    star: bool = False
    chars: str | None = None
    negated: bool = False

    def accepts(self, char: str) -> bool:
        return self.chars is None or (char in self.chars) != self.negated


def trim_prefix(value: str, pattern: str, *, longest: bool) -> str:
    """The value without the shortest or longest beginning that matches."""
    length = _matched(_tokens(pattern), value, longest=longest)
    return value[length:]


def trim_suffix(value: str, pattern: str, *, longest: bool) -> str:
    """The value without the shortest or longest end that matches."""
    length = _matched(_tokens(pattern)[::-1], value[::-1], longest=longest)
    return value[: len(value) - length]


def _tokens(pattern: str) -> list[_Token]:
    return [_token(found) for found in _TOKEN.finditer(pattern)]


def _token(found: re.Match[str]) -> _Token:
    if found["star"]:
        return _Token(star=True)
    if found["any"]:
        return _Token()
    if found["set"] is not None:
        return _Token(chars=_members(found["set"]), negated=bool(found["no"]))
    return _Token(chars=found["escaped"] or found["char"])


def _members(text: str) -> str:
    def spread(found: re.Match[str]) -> str:
        return "".join(map(chr, range(ord(found[1]), min(ord(found[2]), ord(found[1]) + 1000) + 1)))

    return re.sub(r"(.)-(.)", spread, text, flags=re.DOTALL)


def _matched(tokens: list[_Token], text: str, *, longest: bool) -> int:
    """The length of the shortest or longest matching beginning; 0 where nothing matches."""
    if len(tokens) > _MOST_TOKENS:
        return 0
    lengths = _lengths(tokens, text)
    return max(lengths, default=0) if longest else next(lengths, 0)


def _lengths(tokens: list[_Token], text: str) -> Iterator[int]:
    """Every length at which a beginning of the text matches, ascending: all places in the pattern at once."""
    places = _with_stars_skipped(tokens, {0})
    if len(tokens) in places:
        yield 0
    for length, char in enumerate(text, 1):
        places = _with_stars_skipped(tokens, _step(tokens, places, char))
        if not places:
            return
        if len(tokens) in places:
            yield length


def _step(tokens: list[_Token], places: set[int], char: str) -> set[int]:
    open_places = (place for place in places if place < len(tokens))
    return {place if tokens[place].star else place + 1 for place in open_places if tokens[place].accepts(char)}


def _with_stars_skipped(tokens: list[_Token], places: set[int]) -> set[int]:
    found = set(places)
    for place in sorted(places):
        while place < len(tokens) and tokens[place].star:
            place += 1  # noqa: PLW2901 - the same
            found.add(place)
    return found
