"""The contract with plugins is written down: every hook with its prose and an example that can be used as it is."""

from __future__ import annotations

import ast
import inspect
import textwrap

import pytest

from delegate_core.hookspecs import HookSpecs
from delegate_core.runner.backend import Backend

HOOKS = {name: spec for name, spec in vars(HookSpecs).items() if not name.startswith("_")}

SESSION_HOOKS = {
    "authenticate", "register", "resume", "fetch_tasks", "claim", "progress", "open_log", "watch", "report", "recover",
    "heartbeat", "deregister",
}  # fmt: skip


def example_of(name: str) -> ast.FunctionDef | ast.AsyncFunctionDef:
    text = inspect.getdoc(HOOKS[name]) or ""
    assert "Example::\n" in text, f"{name} has no example"
    tree = ast.parse(textwrap.dedent(text.partition("Example::\n")[2]))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert len(functions) == 1
    return functions[0]


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_described_before_its_example(name: str) -> None:
    prose = (inspect.getdoc(HOOKS[name]) or "").partition("Example::")[0].strip()
    assert prose.split("\n")[0].endswith(".")


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_has_an_example_with_its_name_its_colour_and_arguments_of_its_own(name: str) -> None:
    example, spec = example_of(name), HOOKS[name]
    assert example.name == name
    assert [ast.unparse(decorator).partition("(")[0] for decorator in example.decorator_list] == ["hookimpl"]
    assert isinstance(example, ast.AsyncFunctionDef) == inspect.iscoroutinefunction(spec)
    known = set(inspect.signature(spec).parameters)
    assert {argument.arg for argument in example.args.args} <= known | {"self"}


@pytest.mark.parametrize("name", sorted(SESSION_HOOKS))
def test_every_session_hook_is_a_typed_call_of_the_backend_with_the_same_arguments(name: str) -> None:
    spec, call = inspect.signature(HOOKS[name]), inspect.signature(getattr(Backend, name))
    assert list(spec.parameters) == list(call.parameters)


def test_every_async_hook_is_of_the_session_but_two_questions() -> None:
    found = {name for name, spec in HOOKS.items() if inspect.iscoroutinefunction(spec)}
    assert found == SESSION_HOOKS | {"dispatch", "resolve_secret"}
