"""What a runner's own log must not show."""

from __future__ import annotations

import re
import threading
from collections import deque
from typing import Final
from weakref import WeakSet

from delegate_core.logs.mask import Mask

__all__ = ["Secrecy"]

_LATELY: Final = 8
"""Tasks that have ended whose secrets are still hidden: a thread or a destructor of theirs may speak up late."""

_HIDDEN: Final = r"\g<before>******"

_CREDENTIALS: Final = (
    # a header's value, however a library shows it: Bearer abc...
    re.compile(r"(?P<before>\b(?:bearer|basic)\s+)[\w+/=.~-]{16,}", re.IGNORECASE),
    # a parameter of an address: ?token=abc
    re.compile(
        r"(?P<before>[?&][\w.-]*(?:token|secret|passw|signature|credential|api[_-]?key)[\w.-]*=)[^&\s\"'<>]+",
        re.IGNORECASE,
    ),
    # the password within an address: https://user:password@host
    re.compile(r"(?P<before>\b[a-z][a-z0-9+.-]*://[^\s/:@\"']*:)[^\s/@\"']+(?=@)", re.IGNORECASE),
    # a signed or encrypted token, wherever it stands
    re.compile(r"(?P<before>)\beyJ[\w-]{8,}\.[\w-]*\.[\w.-]+"),
)


class Secrecy:
    """Hides in lines of a runner's own log what the runner and its present and latest tasks know to be secret.

    Besides, what has the form of a credential is hidden whoever it belongs to: a library may show a token that was made
    a moment ago, or an address with a password in it.

    Values may be added, and texts hidden, from any thread.
    """

    def __init__(self, *values: str) -> None:
        self._own = Mask(values)
        self._lock = threading.RLock()  # a destructor that fails meanwhile has its error hidden in the same thread
        self._masks: WeakSet[Mask] = WeakSet()
        self._lately: deque[Mask] = deque(maxlen=_LATELY)

    def add(self, *values: str) -> None:
        """Hide these from now on."""
        self._own.add(*values)

    def include(self, mask: Mask) -> None:
        """Hide also what this mask hides, now or later: that of a task.

        It is forgotten once nobody else holds it and a few others have been included since.
        """
        with self._lock:
            self._masks.add(mask)
            self._lately.append(mask)

    def text(self, text: str) -> str:
        """The text as it may be shown."""
        text = self.known(text)
        for credential in _CREDENTIALS:
            text = credential.sub(_HIDDEN, text)
        return text

    def known(self, text: str) -> str:
        """The text without the values, whatever else in it may look like a credential."""
        with self._lock:
            masks = [self._own, *self._masks]
        for mask in masks:
            text = mask.text(text)
        return text
