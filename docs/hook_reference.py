"""Makes docs/hooks.md from the specs: ``python docs/hook_reference.py``. A test holds the page to be current."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from delegate_core import hookspecs

PAGE = Path(__file__).with_name("hooks.md")

_SECTION = re.compile(r"^    # -{10,} (.+)$")


def page() -> str:
    """The whole page."""
    parts = [_INTRODUCTION, _prose(hookspecs.__doc__ or "").partition("\n\n")[2]]
    for title, hooks in _sections():
        parts.append(f"## {title[0].upper()}{title[1:]}")
        parts += [_hook(function) for function in hooks]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


_INTRODUCTION = """\
# Hooks

<!-- Made from delegate_core/hookspecs.py by docs/hook_reference.py. -->

<!-- given: from delegate_core import hookimpl -->

Every hook, in the order of a task's life."""


def _sections() -> Iterator[tuple[str, list[ast.FunctionDef | ast.AsyncFunctionDef]]]:
    """The sections of the spec file, each with its hooks."""
    source = inspect.getsource(hookspecs)
    lines = {number: found[1] for number, line in enumerate(source.splitlines(), 1) if (found := _SECTION.match(line))}
    (specs,) = (node for node in ast.parse(source).body if isinstance(node, ast.ClassDef))
    functions = [node for node in specs.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    starts = [*lines, len(source.splitlines()) + 1]
    for start, end in pairwise(starts):
        yield lines[start], [one for one in functions if start < one.lineno < end]


def _hook(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    text = ast.get_docstring(function) or ""
    prose, _, example = text.partition("Example::")
    return (
        f"### {function.name}\n\n```python\n{signature(function)}\n```\n\n{_prose(prose).strip()}\n\n"
        f"```python\n{textwrap.dedent(example).strip()}\n```"
    )


def signature(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """As a plugin's module writes it, without ``self``."""
    arguments = [
        f"{one.arg}: {ast.unparse(one.annotation)}" if one.annotation else one.arg
        for one in function.args.args
        if one.arg != "self"
    ]
    opening = "async def" if isinstance(function, ast.AsyncFunctionDef) else "def"
    returns = ast.unparse(function.returns) if function.returns else "None"
    line = f"{opening} {function.name}({', '.join(arguments)}) -> {returns}: ..."
    if len(line) <= 100:
        return line
    inner = "".join(f"    {argument},\n" for argument in arguments)
    return f"{opening} {function.name}(\n{inner}) -> {returns}: ..."


def _prose(text: str) -> str:
    """A docstring's marks as those of Markdown."""
    return text.replace("``", "`")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
