"""What an operator should see to before it hurts: it keeps no task from running, so it is no hold and no trouble."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Advice", "Advices"]


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing.

    Attributes:
        about: a word or three; there is one advice about each thing.
        text: what there is.
        cure: what to do about it.
    """

    about: str
    text: str
    cure: str


class Advices:
    """What there is to see to now, in the order in which it was found."""

    def __init__(self) -> None:
        self._given: dict[str, Advice] = {}

    def give(self, about: str, text: str, cure: str) -> None:
        """Say it, in place of what was said about the same thing."""
        self._given[about] = Advice(about, text, cure)

    def withdraw(self, about: str) -> None:
        """It has been seen to."""
        self._given.pop(about, None)

    def all(self) -> tuple[Advice, ...]:
        """What there is."""
        return tuple(self._given.values())
