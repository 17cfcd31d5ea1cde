"""Keeps ``${...}`` whole through the YAML parser.

Drone substitutes in the text before it parses; here substitution comes after, in the scalars. So that
``tags: [ ${DRONE_TAG}-arm, latest ]`` still reads as one list of two texts, the characters inside ``${...}`` that mean
something to YAML are swapped for private-use characters of the same width before parsing, and back afterwards. Places
do not move by that.
"""

from __future__ import annotations

import re

__all__ = ["Shield"]

_MEANINGFUL = "{}[],:#"
_EXPRESSION = re.compile(r"\$\{(?:[^{}\"'\\\r\n]|\{[^{}\"'\\\r\n]*\}){0,400}\}{1,2}")
_PRIVATE_USE = range(0xE000, 0xF900)
_ESCAPED = re.compile(r"\\(?:u|U0000)([eEfF][0-9a-fA-F]{3})")


class Shield:
    """One swap, with stand-ins that the text does not contain."""

    def __init__(self, text: str) -> None:
        used = {ord(char) for char in text if ord(char) in _PRIVATE_USE}
        used |= {int(code, 16) for code in _ESCAPED.findall(text)}
        free = (code for code in _PRIVATE_USE if code not in used)
        self._hide = str.maketrans({char: chr(code) for char, code in zip(_MEANINGFUL, free, strict=False)})
        self._show = {int(code): chr(char) for char, code in ((c, ord(str(r))) for c, r in self._hide.items())}

    def hide(self, text: str) -> str:
        """The text as the parser may see it."""
        return _EXPRESSION.sub(lambda found: _swap_expression(found.group(), self._hide), text)

    def show(self, text: str) -> str:
        """A piece of what the parser has read, as it was written."""
        return text.translate(self._show)


def _swap_expression(expression: str, table: dict[int, str]) -> str:
    body, extra = (expression[:-1], "}") if _one_too_many(expression) else (expression, "")
    return body.translate(table) + extra


def _one_too_many(expression: str) -> bool:
    """Whether the last brace closes a flow map around the expression: ``{tag: ${X}}``."""
    return expression.count("}") > expression.count("{")
