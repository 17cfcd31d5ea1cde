"""Handlers from ``--handlers FILE.py`` or ``--handlers package.module``."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

from delegate_core.errors import PluginError
from delegate_core.handlers.base import TaskHandler
from delegate_core.handlers.function import FILE_MODULE

__all__ = ["is_file", "load_handlers"]


def is_file(source: str) -> bool:
    """Whether a source of handlers is a file, by how it is written, and not a module."""
    return source.endswith(".py") or "/" in source


def load_handlers(source: str) -> list[TaskHandler]:
    """Import a file or module and return the handlers that it defines, in its own order.

    A file may import what lies beside it, and a module may lie in the current folder.

    Raises:
        PluginError: there is no such file, it does not import (the line is named), or it holds no handler.
    """
    module = _import_file(Path(source)) if is_file(source) else _import_module(source)
    found = [value for value in vars(module).values() if isinstance(value, TaskHandler)]
    unique = list({id(one): one for one in found}.values())
    if not unique:
        raise PluginError(f"no handler in {source}; decorate a function with @handler('TYPE')")
    return unique


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise PluginError(f"handler file {path} does not exist")
    # A name of its own for each path, so that two files called handlers.py can be loaded side by side.
    name = f"{FILE_MODULE}{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PluginError(f"handler file {path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    _reach(path.resolve().parent)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise _import_error(str(path), name, error) from error
    return module


def _import_module(name: str) -> ModuleType:
    _reach(Path.cwd())
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise _import_error(name, name, error) from error


def _reach(folder: Path) -> None:
    """Let handlers import what lies in a folder; last in the path, so that it hides nothing that is installed."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def _import_error(source: str, module: str, error: Exception | SystemExit) -> PluginError:
    if isinstance(error, PluginError):
        return PluginError(f"handlers {source}: {error}")
    trace = traceback.walk_tb(error.__traceback__)
    lines = [line for frame, line in trace if frame.f_globals.get("__name__") == module]
    line = lines[-1] if lines else getattr(error, "lineno", None)  # a SyntaxError is in no frame of the module
    place = f"{source}, line {line}" if line else source
    return PluginError(f"handlers {place}: cannot be imported: {type(error).__name__}: {error}")
