"""The Python of every page runs: what a page defines is defined, and its tests pass.

The blocks of a page are one program, in their order. Before a block, ``<!-- given: CODE -->`` has what a reader brings
along, and ``<!-- fragment: WHY -->`` says that it cannot run, and why. Tutorials are done by test_tutorials.py.
"""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.docs.blocks import Block, all_blocks

_GIVEN = re.compile(r"<!-- given:\s+(.+?)\s*-->", re.DOTALL)
_FRAGMENT = re.compile(r"<!-- fragment: \S.+? -->\s*\Z", re.DOTALL)
_EXAMPLES_ONLY = {"docs/hooks.md", "docs/reference/python.md"}
"""Made from docstrings: their examples leave out what they name."""


def is_signature(block: Block) -> bool:
    """Nothing but heads of functions and kinds of attributes."""
    return all(
        (isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and ast.unparse(node.body[-1]) == "...")
        or (isinstance(node, ast.AnnAssign) and node.value is None)
        for node in ast.parse(block.text).body
    )


def programs() -> dict[str, list[Block]]:
    """The blocks of each page that are to run."""
    pages: dict[str, list[Block]] = {}
    for block in all_blocks():
        if block.language == "python" and not block.page.startswith("docs/tutorials/"):
            pages.setdefault(block.page, []).append(block)
    return pages


def parts(page: str) -> Iterator[tuple[Block, str]]:
    """What is given and what is shown, in their order; fragments and signatures left out."""
    for block in programs()[page]:
        for given in _GIVEN.findall(block.before):
            yield block, given
        if not _FRAGMENT.search(block.before) and not is_signature(block):
            yield block, block.text


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """What the blocks of a page are run as; models find their annotations in it."""
    made = ModuleType("of_a_page")
    monkeypatch.setitem(sys.modules, made.__name__, made)
    return made


@pytest.mark.parametrize("page", programs())
async def test_a_page_runs_from_its_first_block_to_its_last(
    page: str, module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for block, text in parts(page):
        code = compile(text, str(block), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        ran = eval(code, module.__dict__)  # noqa: S307 - what this repository's pages tell everybody to run
        if inspect.isawaitable(ran):
            await ran


@pytest.mark.parametrize("page", sorted(programs().keys() - _EXAMPLES_ONLY))
def test_a_page_names_nothing_that_nobody_has_defined(page: str) -> None:
    shown = "\n".join(text for _, text in parts(page))
    line = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--isolated",
        "--select=F821",
        "--output-format=concise",
        "-",
    ]
    checked = subprocess.run(line, input=shown, text=True, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stdout


def shown_tests() -> list[tuple[str, str]]:
    """The tests that pages show: page and name."""
    return [
        (page, node.name)
        for page in programs()
        for _, text in parts(page)
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]


@pytest.mark.parametrize(("page", "name"), shown_tests())
def test_a_test_that_a_page_shows_passes(
    page: str,
    name: str,
    module: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.chdir(tmp_path)
    for block, text in parts(page):
        exec(compile(text, str(block), "exec"), module.__dict__)  # noqa: S102 - as above
    test = getattr(module, name)
    given = {"any_backend": "harness"}
    test(**{one: given.get(one) or request.getfixturevalue(one) for one in inspect.signature(test).parameters})


def test_a_mistake_in_a_page_is_found(module: ModuleType) -> None:
    for _, text in parts("docs/handlers/asgi.md"):
        with pytest.raises(NameError):
            exec(text.replace("from starlette.applications import Starlette", ""), module.__dict__)  # noqa: S102 - as above


def test_few_blocks_are_fragments() -> None:
    """Each says why; a reader cannot try them."""
    blocks = [block for block in all_blocks() if block.language == "python"]
    assert sum("<!-- fragment:" in block.before for block in blocks) <= 2
