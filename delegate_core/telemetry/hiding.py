"""Texts as they may leave: without secrets, and not too long."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from delegate_core.logs import Mask
from delegate_core.telemetry.attributes import Attributes

__all__ = ["Hiding"]

_LONGEST: Final = 1000
"""Characters."""


class Hiding:
    """Hides what the runner knows to be secret, and what a task brings.

    Args:
        shown: a text as it may be shown, as far as the runner knows.
        masks: of the task: it is claimed before the runner hides them in what it shows itself.
    """

    def __init__(self, shown: Callable[[str], str], masks: Iterable[str] = ()) -> None:
        self._shown = shown
        self._mask = Mask(masks)

    def text(self, text: str) -> str:
        """The text as it may leave."""
        return self._shown(self._mask.text(text))[:_LONGEST]

    def attributes(self, attributes: Attributes) -> Attributes:
        """All of them as they may leave."""
        return {name: self.text(value) if isinstance(value, str) else value for name, value in attributes.items()}
