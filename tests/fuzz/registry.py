"""What a target is, and how its input is taken apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["SEPARATOR", "TARGETS", "Target", "fields", "target", "text_of"]

SEPARATOR: Final = b"\n~~~\n"
"""Between the parts of an input: a corpus of text can be read, and its changes too."""


@dataclass(frozen=True, slots=True)
class Target:
    """A function that takes any bytes, and raises where something does not hold that always should.

    Attributes:
        name: of the target, and of its folder in the corpus.
        run: the function.
        words: what a guided search may put in.
        longest: bytes of an input.
        calls: calls of functions that it may make for each byte, beyond a fixed number: more than that is no work
            in proportion to the input.
    """

    name: str
    run: Callable[[bytes], None]
    words: tuple[str, ...] = ()
    longest: int = 2048
    calls: int = 400


TARGETS: Final[dict[str, Target]] = {}
"""All targets by name."""


def target(
    name: str, *, words: Sequence[str] = (), longest: int = 2048, calls: int = 400
) -> Callable[[Callable[[bytes], None]], Callable[[bytes], None]]:
    """Make a function a target; see `Target` for the arguments."""

    def named(run: Callable[[bytes], None]) -> Callable[[bytes], None]:
        TARGETS[name] = Target(name, run, tuple(words), longest, calls)
        return run

    return named


def fields(data: bytes, count: int) -> list[bytes]:
    """The parts of an input, as many as wanted: what is missing is empty, and the last one has all that is left."""
    parts = data.split(SEPARATOR, count - 1)
    return parts + [b""] * (count - len(parts))


def text_of(data: bytes) -> str:
    """Bytes as a text that may be anything a program gets: what is not UTF-8 becomes half a surrogate pair."""
    return data.decode("utf-8", "surrogateescape")
