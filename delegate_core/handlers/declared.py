"""Handlers from ``[handler.NAME]`` tables of the settings file: the same options as in code, checked the same way.

::

    [handler.resize]
    executable = "./resize"

    [handler."image/*"]
    forward = "http://127.0.0.1:9000/image"

    [handler.thumbnail]
    asgi = "my_package.web:app"

    [handler.fib]
    function = "my_package.handlers:fib"

    [handler.cgi]
    request = true
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model

from delegate_core.errors import SettingsError
from delegate_core.handlers.base import TaskHandler
from delegate_core.handlers.function import Handler
from delegate_core.handlers.options import problems

__all__ = ["DECLARED", "declared_handlers", "declared_schema"]

DECLARED = "the settings file"
"""Where they came from, for conflicts."""


class _Function(BaseModel):
    model_config = ConfigDict(extra="forbid")

    function: str
    limit: Annotated[int, Field(ge=1)] | None = None
    announce: tuple[str, ...] = ()


def declared_handlers(tables: Mapping[str, Any]) -> list[TaskHandler]:
    """The handlers that the tables declare, by task type or pattern.

    Raises:
        SettingsError: everything that is wrong with the tables, a line each.
    """
    wrong: list[str] = []
    made: list[TaskHandler] = []
    for task_type, table in tables.items():
        try:
            made.append(_made(task_type, table))
        except ValidationError as error:
            wrong += [f"{_place(task_type)} {problem}" for problem in problems(error)]
        except ValueError as error:
            wrong.append(f"{_place(task_type)} {error}")
    if wrong:
        raise SettingsError("\n".join(wrong))
    return made


def declared_schema() -> dict[str, Any]:
    """The JSON schema of one table, with its definitions under ``$defs``."""
    from delegate_core.handlers.asgi import AsgiOptions  # noqa: PLC0415 - for this only
    from delegate_core.handlers.executable import ExecutableOptions  # noqa: PLC0415 - the same
    from delegate_core.handlers.forwarding import ForwardOptions  # noqa: PLC0415 - the same
    from delegate_core.handlers.request import RequestOptions  # noqa: PLC0415 - the same

    app = create_model("AsgiApp", __base__=AsgiOptions, asgi=(str, ...))
    return TypeAdapter(ExecutableOptions | ForwardOptions | app | _Function | RequestOptions).json_schema()


def _made(task_type: str, table: Any) -> TaskHandler:
    if not isinstance(table, dict):
        raise ValueError(f'must be a table with one of {", ".join(_KINDS)}: executable = "./program"')  # noqa: TRY004
    kinds = [kind for kind in _KINDS if kind in table]
    if not kinds:
        near = next((hit for key in table for hit in get_close_matches(key, _KINDS, n=1)), None)
        hint = f": did you mean {near}?" if near else ""
        raise ValueError(f"says no kind; give one of {', '.join(_KINDS)}{hint}")
    if len(kinds) > 1:
        raise ValueError(f"is of two kinds, {' and '.join(kinds)}; give one")
    return _KINDS[kinds[0]](task_type, table)


def _function(task_type: str, table: dict[str, Any]) -> TaskHandler:
    options = _Function.model_validate(table)
    found = _imported(options.function)
    if isinstance(found, TaskHandler):
        handler = found.renamed(task_type)
        handler.limit = options.limit or handler.limit
        handler.announce = options.announce or handler.announce
        return handler
    return Handler(task_type, found, limit=options.limit, announce=options.announce)


def _executable(task_type: str, table: dict[str, Any]) -> TaskHandler:
    from delegate_core.handlers.executable import ExecutableHandler, ExecutableOptions  # noqa: PLC0415 - if declared

    return ExecutableHandler(task_type, ExecutableOptions.model_validate(table))


def _forward(task_type: str, table: dict[str, Any]) -> TaskHandler:
    from delegate_core.handlers.forwarding import ForwardHandler, ForwardOptions  # noqa: PLC0415 - if declared

    return ForwardHandler(task_type, ForwardOptions.model_validate(table))


def _asgi(task_type: str, table: dict[str, Any]) -> TaskHandler:
    from delegate_core.handlers.asgi import AsgiHandler, AsgiOptions  # noqa: PLC0415 - if declared

    name, rest = table["asgi"], {key: value for key, value in table.items() if key != "asgi"}
    options = AsgiOptions.model_validate(rest)
    return AsgiHandler(task_type, _imported(name), options, name)


def _request(task_type: str, table: dict[str, Any]) -> TaskHandler:
    from delegate_core.handlers.request import RequestHandler, RequestOptions  # noqa: PLC0415 - if declared

    return RequestHandler(task_type, RequestOptions.model_validate(table))


_KINDS: dict[str, Callable[[str, dict[str, Any]], TaskHandler]] = {
    "executable": _executable,
    "forward": _forward,
    "asgi": _asgi,
    "function": _function,
    "request": _request,
}


def _imported(name: Any) -> Any:
    """What ``package.module:name`` names; a module may lie in the current folder."""
    module, _, attribute = name.partition(":") if isinstance(name, str) else ("", "", "")
    if not module or not attribute:
        raise ValueError(f"names {name!r}; write it as package.module:name")
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"names {name}, which cannot be imported: {reason}") from error
    return found


def _place(task_type: str) -> str:
    bare = task_type.replace("-", "").replace("_", "").isalnum() and task_type.isascii()
    return f"[handler.{task_type}]" if bare else f'[handler."{task_type}"]'
