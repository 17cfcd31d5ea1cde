"""From bytes as they come to whole lines of text."""

from collections.abc import Iterator

__all__ = ["LineSplitter"]

_LONGEST_CHARACTER = 4
"""Bytes of UTF-8 that one character takes at most."""


class LineSplitter:
    r"""Cuts a stream of bytes into lines of text, the same lines whatever the chunks.

    `\n` and `\r\n` end a line; a lone `\r`, as progress bars print it, stays in the text. A line longer than
    the limit comes in pieces, never cut inside a character. Bytes that are not UTF-8 show as U+FFFD.

    Args:
        limit: bytes of a piece, at least 4.

    Raises:
        ValueError: the limit has no room for a character.
    """

    def __init__(self, limit: int = 16384) -> None:
        if limit < _LONGEST_CHARACTER:
            raise ValueError(f"the line limit is {limit} bytes; it must be at least {_LONGEST_CHARACTER}")
        self._limit = limit
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """Take the next bytes; return the complete lines (or pieces of long ones) without line ends."""
        whole, end, rest = (self._rest + data).rpartition(b"\n")
        lines = self._ended(whole) if end else []
        # A final "\r" may belong to the line end, so it does not yet count as text.
        while len(rest) - rest.endswith(b"\r") > self._limit:
            cut = self._cut(rest)
            lines.append(_text(rest[:cut]))
            rest = rest[cut:]
        self._rest = rest
        return lines

    def _ended(self, whole: bytes) -> list[str]:
        """The text of lines that have ended; decoded at once where none is long, as no character holds a line end."""
        ended = whole.split(b"\n")
        if max(map(len, ended)) > self._limit:
            return [piece for line in ended for piece in self._pieces(line.removesuffix(b"\r"))]
        lines = _text(whole).split("\n")
        return [line.removesuffix("\r") for line in lines] if b"\r" in whole else lines

    def finish(self) -> list[str]:
        """The stream is over: return its last line if that had no line end."""
        rest, self._rest = self._rest, b""
        return list(self._pieces(rest)) if rest else []

    def _pieces(self, line: bytes) -> Iterator[str]:
        while len(line) > self._limit:
            cut = self._cut(line)
            yield _text(line[:cut])
            line = line[cut:]
        yield _text(line)

    def _cut(self, line: bytes) -> int:
        """Where to cut a line longer than the limit: before the character that would not fit."""
        for place in range(self._limit, self._limit - _LONGEST_CHARACTER, -1):
            if line[place] & 0b1100_0000 != 0b1000_0000:
                return place
        return self._limit


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace")
