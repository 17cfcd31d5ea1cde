"""What handlers, their tests and programs may import, from its docstrings and signatures."""

from __future__ import annotations

import ast
import dataclasses
import enum
import functools
import inspect
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel

import delegate_core
from delegate_core.testing import running, servers
from docs.generators.docstrings import markdown_of
from docs.generators.markdown import joined

__all__ = ["GROUPS", "page"]

_INTRODUCTION = """\
# Python

<!-- Made from docstrings by docs/generators/python_api.py: make reference. -->

<!-- given:
from pydantic import BaseModel
from delegate_core import *
async def app(scope, receive, send): ...
-->

What handlers, their tests and programs import: `from delegate_core import ...`. It is typed. What is not on this
page, on that of [hooks](../hooks.md) or of [plugins](../plugins.md) is private, and may change."""

GROUPS = {
    "Handlers": (
        "handler",
        "TaskContext",
        "Task",
        "TaskResult",
        "Outcome",
        "CancelCause",
        "ProcessSpec",
        "ProcessExit",
    ),
    "Handlers that are no Python functions": (
        "executable",
        "forward",
        "asgi",
        "request",
        "SecretFrom",
        "Download",
        "PlatformDownload",
        "GitRepository",
    ),
    "Programs": ("Runner", "Snapshot", "DelegateError"),
    "Plugins": ("hookimpl", "Offer", "TaskHandler", "Handler"),
}
"""The public names by who wants them."""

_OPTIONS = frozenset({"SecretFrom", "Download", "PlatformDownload", "GitRepository"})
"""What is only filled in: their methods are the runner's."""

_LEFT = """\
`RunnerSettings` are the [settings](settings.md), as keywords: `RunnerSettings(capacity=4)`; made so, they read no
file and no variable. A `Middleware` is an async function of a task, its context and `proceed`: see
[handlers](../handlers.md#middleware)."""

_TESTS = """\
## Tests

The fixtures of the pytest plugin that comes with `delegate-core`; how they are used is on [the page about
handlers](../handlers.md#testing-one). The suites that a backend or an engine of your own has to pass are
`delegate_core.testing.contract.BackendContract` and `delegate_core.testing.engine_contract.EngineContract`: see
[plugins](../plugins.md#a-backend)."""


def page() -> str:
    """The whole page."""
    parts = [_INTRODUCTION]
    for title, names in {**GROUPS, "More": _others()}.items():
        parts += [f"## {title}"] if names else []
        parts += [part for name in names for part in _entry(name, getattr(delegate_core, name))]
    return joined([*parts, _LEFT, _TESTS, *_fixtures()])


def _others() -> tuple[str, ...]:
    """Public names that no group has."""
    told = {"RunnerSettings", "Middleware", *(name for names in GROUPS.values() for name in names)}
    return tuple(name for name in delegate_core.__all__ if name not in told)


def _fixtures() -> Iterator[str]:
    yield from _function("run_task", _nested(running.make_run_task, "run_task"))
    yield from _class("EndedTask", running.EndedTask)
    yield from _function("embedded_server", _parsed(servers.embedded))
    yield from _class("EmbeddedServer", servers.EmbeddedServer)
    yield from _class("ServedTask", servers.ServedTask)


def _entry(name: str, value: Any) -> Iterable[str]:
    if inspect.isclass(value):
        return _class(name, value)
    if inspect.isfunction(value):
        return _function(name, _parsed(value))
    return [f"### {name}", "Marks a function as a hook's implementation: see [hooks](../hooks.md)."]


# ---------------------------------------------------------------------- functions


def _function(name: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    yield f"### {name}"
    yield _code(_signature(name, node))
    yield markdown_of(ast.get_docstring(node) or "")


@functools.cache
def _parsed(function: Any) -> ast.FunctionDef | ast.AsyncFunctionDef:
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function)))).body
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)  # noqa: S101 - nothing else was asked for
    return node


def _nested(function: Any, name: str) -> ast.FunctionDef:
    """The function of this name that another one makes."""
    return next(one for one in ast.walk(_parsed(function)) if isinstance(one, ast.FunctionDef) and one.name == name)


def _signature(name: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """As one reads it: without ``self``, an argument a line where it is long."""
    arguments = ", ".join(_divided(ast.unparse(node.args)))
    arguments = arguments.removeprefix("self").removeprefix("cls").removeprefix(", ")
    opening = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{opening} {name}({arguments}){returns}: ..."


def _code(line: str) -> str:
    tree = ast.parse(line).body[0]
    if len(line) <= 100 or not isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef):
        return f"```python\n{line}\n```"
    head, _, rest = line.partition("(")
    inner, _, end = rest.rpartition(")")
    arguments = "".join(f"    {one},\n" for one in _divided(inner))
    return f"```python\n{head}(\n{arguments}){end}\n```"


def _divided(arguments: str) -> Iterator[str]:
    """The arguments one by one: commas within brackets and texts divide nothing."""
    (call,) = ast.parse(f"def f({arguments}): ...").body
    assert isinstance(call, ast.FunctionDef)  # noqa: S101 - it was written so
    given = call.args
    plain = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(plain) - len(given.defaults)) + list(given.defaults)
    yield from (_argument(one, default) for one, default in zip(plain, defaults, strict=True))
    if given.vararg:
        yield f"*{ast.unparse(given.vararg)}"
    elif given.kwonlyargs:
        yield "*"
    yield from (_argument(one, default) for one, default in zip(given.kwonlyargs, given.kw_defaults, strict=True))
    if given.kwarg:
        yield f"**{ast.unparse(given.kwarg)}"


def _argument(one: ast.arg, default: ast.expr | None) -> str:
    return ast.unparse(one) + (f" = {_quoted(default)}" if default is not None else "")


def _quoted(default: ast.expr) -> str:
    return ast.unparse(default).replace("'", '"')


# ---------------------------------------------------------------------- classes


def _class(name: str, value: type[Any]) -> Iterator[str]:
    yield f"### {name}"
    yield _made(name, value)
    yield markdown_of(inspect.getdoc(value) or "")
    yield _fields(value)
    for member, found in vars(value).items() if name not in _OPTIONS else ():
        if not member.startswith("_") and (function := _method(found)) is not None:
            yield from _member(name, member, found, _parsed(function))


def _made(name: str, value: type[Any]) -> str:
    """How one is made, for classes that a program makes with arguments of their own."""
    own = vars(value).get("__init__")
    if own is None or dataclasses.is_dataclass(value) or issubclass(value, BaseModel | enum.Enum | Exception):
        return ""
    if name in {"TaskContext", "EmbeddedServer"}:
        return ""  # a handler or a test is given one
    return _code(_signature("__init__", _parsed(own)).replace(" -> None", ""))


def _fields(value: type[Any]) -> str:
    """The fields of a value that is read, or the members of an enumeration."""
    if issubclass(value, enum.Enum):
        return "\n".join(f'* `{one.name}`: `"{one.value}"`' for one in value)
    if not (dataclasses.is_dataclass(value) or issubclass(value, BaseModel)) or "Attributes:" in (value.__doc__ or ""):
        return ""
    names = value.model_fields if issubclass(value, BaseModel) else [one.name for one in dataclasses.fields(value)]
    return f"Fields: {', '.join(f'`{name}`' for name in names)}." if "Args:" not in (value.__doc__ or "") else ""


def _method(found: Any) -> Any:
    """The function within a member that is a method or a property."""
    if isinstance(found, property):
        return found.fget
    if isinstance(found, classmethod | staticmethod):
        return found.__func__
    return found if inspect.isfunction(found) else None


def _member(owner: str, name: str, found: Any, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    yield f"#### {owner}.{name}"
    if isinstance(found, property):
        yield f"```python\n{name}: {ast.unparse(node.returns) if node.returns else 'Any'}\n```"
    else:
        yield _code(_signature(name, node))
    yield markdown_of(ast.get_docstring(node) or "")
