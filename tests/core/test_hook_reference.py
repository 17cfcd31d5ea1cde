"""The hook reference: made from the specs, complete, current, and each hook is implemented in a test."""

from __future__ import annotations

import ast
import inspect
import runpy
from functools import cache
from pathlib import Path

import pytest

from delegate_core.hookspecs import HookSpecs

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "hooks.md").read_text("utf-8")
HOOKS = {name: spec for name, spec in vars(HookSpecs).items() if not name.startswith("_")}


def test_the_page_is_what_the_specs_say_now() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "hook_reference.py"))["page"]()
    assert made == PAGE, "run `python docs/hook_reference.py`"


def section_of(hook: str) -> str:
    assert PAGE.count(f"\n### {hook}\n") == 1, f"{hook} has no heading of its own"
    return PAGE.partition(f"\n### {hook}\n")[2].partition("\n##")[0]


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_a_heading_its_exact_signature_prose_and_an_example(hook: str) -> None:
    _, signature, prose, example, _ = section_of(hook).split("```", 4)
    (shown,) = ast.parse(signature.removeprefix("python\n")).body
    assert isinstance(shown, ast.FunctionDef | ast.AsyncFunctionDef)
    spec = inspect.signature(HOOKS[hook])
    wanted = {name: one.annotation for name, one in spec.parameters.items() if name != "self"}
    assert {one.arg: ast.unparse(one.annotation) for one in shown.args.args if one.annotation} == {
        name: ast.unparse(ast.parse(annotation)) for name, annotation in wanted.items()
    }
    assert shown.returns is not None
    assert ast.unparse(shown.returns) == ast.unparse(ast.parse(spec.return_annotation))
    assert isinstance(shown, ast.AsyncFunctionDef) == inspect.iscoroutinefunction(HOOKS[hook])
    assert len(prose.split()) > 5
    assert f"def {hook}(" in example


@cache
def implemented() -> frozenset[str]:
    """The hooks that tests, or what is shipped for them, implement."""
    files = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "delegate_core" / "testing").glob("*.py")]
    trees = (ast.walk(ast.parse(text)) for file in files if "hookimpl" in (text := file.read_text("utf-8")))
    functions = (node for tree in trees for node in tree if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(
        one.name for one in functions if any("hookimpl" in ast.unparse(mark) for mark in one.decorator_list)
    )


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_implemented_in_a_test(hook: str) -> None:
    assert hook in implemented()
