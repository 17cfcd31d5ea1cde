"""Docstrings of our style as Markdown: ``code``, examples after a double colon, sections such as ``Raises:``."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from docs.generators.markdown import prose

__all__ = ["markdown_of"]

_SECTIONS = ("Args", "Attributes", "Raises", "Returns")
_SECTION = re.compile(rf"^({'|'.join(_SECTIONS)}):\n((?: .*\n|\n(?= ))+)", re.MULTILINE)
_ITEM = re.compile(r"^([\w*, ]+): (.*)$", re.DOTALL)
_EXAMPLE = re.compile(r"^(?P<before>.*?)::\n\n(?P<code>(?:(?: {4}.*)?\n)*(?: {4}.*))", re.MULTILINE)


def markdown_of(docstring: str) -> str:
    """A docstring, as ``inspect.getdoc`` gives it."""
    parts: list[str] = []
    position, text = 0, f"{docstring}\n"
    for found in _SECTION.finditer(text):
        parts += [_with_examples(text[position : found.start()]), _section(found[1], found[2])]
        position = found.end()
    return "\n\n".join(part for part in (*parts, _with_examples(text[position:])) if part)


def _with_examples(text: str) -> str:
    parts: list[str] = []
    position = 0
    for found in _EXAMPLE.finditer(text):
        before = (text[position : found.start()] + found["before"]).strip().removesuffix("Example").rstrip()
        parts += [prose(before) + ("" if before.endswith(".") else ":")] if before else []
        parts.append(f"```python\n{textwrap.dedent(found['code']).strip()}\n```")
        position = found.end()
    return "\n\n".join([*parts, prose(text[position:].strip())]).strip()


def _section(name: str, body: str) -> str:
    if name == "Returns":
        return f"Returns: {prose(' '.join(body.split()))}"
    return "\n".join([f"{name}:", "", *(_item(item) for item in _items(body))])


def _items(body: str) -> Iterator[str]:
    """The entries of a section: each begins with the least indentation, its further lines have more."""
    entries: list[str] = []
    for line in textwrap.dedent(body.strip("\n")).splitlines():
        if line.startswith(" ") and entries:
            entries[-1] += f" {line.strip()}"
        elif line.strip():
            entries.append(line.strip())
    return iter(entries)


def _item(text: str) -> str:
    found = _ITEM.match(text)
    return f"* `{found[1]}`: {prose(found[2])}" if found else f"* {prose(text)}"
