"""The streaming mask: hides every form of every secret, however the text is cut into chunks."""

import threading
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from typing import Any, Final, NamedTuple

from ahocorasick_rs import BytesAhoCorasick, MatchKind

from delegate_core.logs import forms

__all__ = ["LONG", "Mask", "MaskStream"]

_HEAD: Final = 6
"""Bytes by which a place is recognised where a pattern may begin; shorter tails are looked up whole."""

LONG: Final = 128
"""Bytes beyond which a pattern is found by as many of its first ones; more than a line of base64 has."""

_Match = tuple[int, int]
"""Start and end of what is hidden."""

_Place = tuple[int, int, int]
"""Number of a beginning, and its start and end: what an automaton returns."""


class Mask:
    """The secrets of one task, and the mask over all that it prints.

    What is hidden is the same for every chunking: going through the whole stream from its start, the longest
    pattern that matches is replaced, and the search goes on behind it. Adjacent matches give adjacent
    replacements. The patterns of a secret are in `delegate_core.logs.forms`.

    Secrets may be added from any thread and at any time; a stream belongs to one writer at a time.

    Args:
        values: the secrets known from the start.
        replacement: shown in place of each match.
        short: is told of each value that is added later and too short to be masked, as `add` returns it.
    """

    def __init__(
        self,
        values: Iterable[str] = (),
        *,
        replacement: str = "******",
        short: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._replacement = replacement.encode()
        self._lock = threading.RLock()  # a destructor that fails meanwhile has its error masked in the same thread
        self._patterns: set[bytes] = set()
        self._matcher: _Matcher | None = None
        self._stale = False
        self._short: Callable[[str], object] = lambda _: None
        self.add(*values)
        self._short = short

    def add(self, *values: str) -> tuple[str, ...]:
        """Hide these secrets as well, in every stream, from the next byte fed on and in text still held back.

        Returns:
            A warning for each value too short to be masked (under 3 characters without surrounding
            whitespace). It never contains the value. A value that is empty or only whitespace hides nothing
            and gives no warning.
        """
        added = frozenset[bytes]().union(*map(forms.patterns, values))
        with self._lock:
            self._stale = self._stale or not added <= self._patterns
            self._patterns |= added
        lengths = (len(value.strip()) for value in values)
        warnings = tuple(_too_short(length) for length in lengths if 0 < length < forms.MIN_LENGTH)
        for warning in warnings:
            self._short(warning)
        return warnings

    def stream(self) -> "MaskStream":
        """A new stream of bytes under this mask."""
        return MaskStream(self)

    def text(self, text: str) -> str:
        """Mask a whole text at once, such as an error's."""
        matcher = self._current()
        if matcher is None:
            return text
        data = text.encode("utf-8", "surrogatepass")
        return matcher.replace(data, matcher.find(data).matches, len(data)).decode("utf-8", "surrogatepass")

    def json(self, value: Any) -> Any:
        """Mask every string in a JSON value, keys included; of keys that become equal the last one stays."""
        match value:
            case str():
                return self.text(value)
            case dict():
                return {self.json(key): self.json(member) for key, member in value.items()}
            case list() | tuple():
                return [self.json(member) for member in value]
            case _:
                return value

    def _current(self) -> "_Matcher | None":
        """The automaton for all secrets so far, built at the first use after an addition; None for none."""
        if not self._stale:
            return self._matcher
        with self._lock:
            if self._stale:
                self._matcher = _Matcher(self._patterns, self._replacement)
                self._stale = False
            return self._matcher


class MaskStream:
    """One stream of bytes under a mask. It keeps back only what may yet become a match, or a longer one."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes; return all that can be shown for sure, masked."""
        matcher = self._mask._current()  # noqa: SLF001 - the stream is the other half of Mask
        data = self._held + data if self._held else data
        if matcher is None:
            self._held = b""
            return data
        if self._held and matcher.begins_pattern(data):
            self._held = data  # at once, for a long secret may come in many small pieces
            return b""
        found = matcher.find(data)
        end = matcher.certain_end(data, found)
        self._held = data[end:]
        return matcher.replace(data, found.matches, end)

    def finish(self) -> bytes:
        """The stream is over: return the rest, masked."""
        data, self._held = self._held, b""
        matcher = self._mask._current()  # noqa: SLF001 - the stream is the other half of Mask
        return data if matcher is None else matcher.replace(data, matcher.find(data).matches, len(data))


class _Found(NamedTuple):
    matches: list[_Match]
    places: list[_Place]


class _Matcher:
    """Immutable: finds a set of patterns, and the tails that may become one.

    An automaton costs some fifty times the memory of its patterns, so of a long one it has the beginning only.
    """

    def __init__(self, patterns: Iterable[bytes], replacement: bytes) -> None:
        self._replacement = replacement
        self._sorted = sorted(patterns)
        short = [pattern for pattern in self._sorted if len(pattern) <= LONG]
        self._short = BytesAhoCorasick(short, MatchKind.LeftmostLongest)
        self._long = _LongPatterns(pattern for pattern in self._sorted if len(pattern) > LONG)
        self._beginnings = frozenset(
            pattern[:length] for pattern in self._sorted for length in range(1, min(_HEAD + 1, len(pattern)))
        )
        heads = {pattern[:_HEAD] for pattern in self._sorted if len(pattern) > _HEAD + 1}
        self._heads = BytesAhoCorasick(heads)

    def find(self, data: bytes) -> _Found:
        """All matches in order, leftmost and longest, none overlapping another; and where long ones may begin."""
        places = self._long.places(data)
        return _Found(self._with_long(data, places) if places else self._in_short(data, 0), places)

    def certain_end(self, data: bytes, found: _Found) -> int:
        """How much of `data` no further byte can change.

        That is up to the first place from which the rest is the beginning of a longer pattern, unless the
        place lies inside a match: a match that began earlier is taken first, so nothing can begin there.
        """
        for place in self._open_places(data, found.places):
            if not _inside(place, found.matches):
                return place
        return len(data)

    def replace(self, data: bytes, matches: list[_Match], end: int) -> bytes:
        """`data` up to `end`, which no match reaches over, with the replacement for each match."""
        if not matches:
            return data[:end]
        parts: list[bytes] = []
        shown = 0
        for start, stop in matches:
            if start >= end:
                break
            parts += (data[shown:start], self._replacement)
            shown = stop
        parts.append(data[shown:end])
        return b"".join(parts)

    def begins_pattern(self, text: bytes) -> bool:
        """Whether a pattern begins with `text` and goes on: sorted, it would stand right behind it."""
        index = bisect_right(self._sorted, text)
        return index < len(self._sorted) and self._sorted[index].startswith(text)

    def _in_short(self, data: bytes, start: int) -> list[_Match]:
        """The matches of short patterns from a place on, as if nothing stood before it."""
        rest = data[start:] if start else data
        return [(start + first, start + stop) for _, first, stop in self._short.find_matches_as_indexes(rest)]

    def _with_long(self, data: bytes, places: list[_Place]) -> list[_Match]:
        matches: list[_Match] = []
        short, taken, end = self._in_short(data, 0), 0, 0
        for place in places:
            long = self._long.at(data, place) if place[1] >= end else None
            if long is None:
                continue
            start, stop = long
            while taken < len(short) and short[taken][0] < start:
                end = short[taken][1]
                taken += 1
            if end <= start:
                matches += [*short[:taken], long]
                short, taken, end = self._in_short(data, stop), 0, stop
        return matches + short

    def _open_places(self, data: bytes, places: list[_Place]) -> Iterator[int]:
        """In order, each place from which the rest of `data` is a proper beginning of some pattern."""
        window = max(0, len(data) - LONG + 1)
        yield from (place[1] for place in places if self._long.open_at(data, place))
        short = max(window, len(data) - _HEAD)
        tail = data[window:] if window else data
        for _, start, _ in self._heads.find_matches_as_indexes(tail, overlapping=True):
            if window + start < short and self.begins_pattern(tail[start:]):
                yield window + start
        for place in range(short, len(data)):
            if data[place:] in self._beginnings:
                yield place


class _LongPatterns:
    """Those that are found by their beginnings. Two that begin alike are told apart by what follows."""

    def __init__(self, patterns: Iterable[bytes]) -> None:
        by_beginning: dict[bytes, list[bytes]] = {}
        for pattern in sorted(patterns, key=len, reverse=True):
            by_beginning.setdefault(pattern[:LONG], []).append(pattern)
        self._patterns = list(by_beginning.values())
        self._beginnings = BytesAhoCorasick(by_beginning) if by_beginning else None

    def places(self, data: bytes) -> list[_Place]:
        """In order, where one of the beginnings is."""
        return [] if self._beginnings is None else self._beginnings.find_matches_as_indexes(data, overlapping=True)

    def at(self, data: bytes, place: _Place) -> _Match | None:
        """The longest pattern there."""
        number, start, _ = place
        whole = next((pattern for pattern in self._patterns[number] if data.startswith(pattern, start)), None)
        return None if whole is None else (start, start + len(whole))

    def open_at(self, data: bytes, place: _Place) -> bool:
        """Whether the rest of the data is a proper beginning of a pattern there."""
        number, start, _ = place
        longer = [pattern for pattern in self._patterns[number] if len(pattern) > len(data) - start]
        return bool(longer) and any(map(bytes.startswith, longer, repeat(data[start:])))


def _inside(place: int, matches: list[_Match]) -> bool:
    """Whether `place` lies behind the first byte of a match and before its end."""
    for start, stop in reversed(matches):
        if stop <= place:
            return False
        if start < place:
            return True
    return False


def _too_short(length: int) -> str:
    noun = "character" if length == 1 else "characters"
    return f"a secret of {length} {noun} is too short to mask"
