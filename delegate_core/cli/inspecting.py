"""``delegate plugins show`` and ``check``: what installed plugins bring, and what is wrong with them.

``check`` looks at the handlers that the settings file declares too, since a plugin may claim the same task types.
"""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from delegate_core.cli.contributed import commands_of
from delegate_core.errors import PluginError, SettingsError
from delegate_core.handlers import HandlerRegistry
from delegate_core.handlers.base import TaskHandler
from delegate_core.handlers.declared import DECLARED, declared_handlers
from delegate_core.handlers.middleware import checked_middleware
from delegate_core.plugins import Found, contribution, hooks_of, installed, settings_model_of
from delegate_core.settings import RunnerSettings, find_file, load

__all__ = ["check_plugins", "show_plugin"]


@dataclass(frozen=True, slots=True)
class ServedType:
    """A task type or pattern that a plugin serves."""

    type: str
    kind: str
    origin: str
    limit: int | None
    engine: str | None


@dataclass(slots=True)
class Inspected:
    """One installed backend or plugin."""

    name: str
    kind: str
    distribution: str
    version: str
    module: str
    hooks: list[str] = field(default_factory=list)
    settings: list[str] = field(default_factory=list)
    task_types: list[ServedType] = field(default_factory=list)
    engines: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.name} ({f'{self.distribution} {self.version}'.rstrip()})"


def show_plugin(name: str, *, as_json: bool) -> int:
    """Print what one brings; 1 if something of it is broken.

    Raises:
        PluginError: there is none of this name.
    """
    everything = _inspect_all(HandlerRegistry())
    found = [one for one in everything if one.name == name]
    if not found:
        known = ", ".join(sorted({one.name for one in everything})) or "none"
        raise PluginError(f"no plugin {name!r} is installed; installed: {known}")
    if as_json:
        _print_json(found)
    else:
        sys.stdout.write("\n".join(map(_described, found)))
    return _status(found)


def check_plugins(*, as_json: bool) -> int:
    """Print what is broken of all; 1 if something is."""
    declared, registry = _declared()
    found = [*_inspect_all(registry), *declared]
    if as_json:
        _print_json(found)
        return _status(found)
    for one in found:
        sys.stdout.write(f"{'broken' if one.problems else 'ok':<7} {one}\n")
        sys.stdout.write("".join(f"        {_indented(problem)}\n" for problem in one.problems))
    if not found:
        sys.stdout.write("no backend and no plugin is installed\n")
    return _status(found)


def _status(found: Iterable[Inspected]) -> int:
    return 1 if any(one.problems for one in found) else 0


def _print_json(found: Iterable[Inspected]) -> None:
    sys.stdout.write(json.dumps([asdict(one) for one in found], indent=2) + "\n")


def _described(one: Inspected) -> str:
    types = [f"{each.type} ({each.kind}: {each.origin}{_extras(each)})" for each in one.task_types]
    rows = {
        "module": [one.module],
        "hooks": one.hooks,
        "settings": one.settings,
        "task types": types,
        "engines": one.engines,
        "commands": one.commands,
    }
    lines = [f"{one.name}, a {one.kind} of {one.distribution} {one.version}"]
    for title, values in rows.items():
        text = "\n".join(values) if title == "task types" else textwrap.fill(", ".join(values), 90)
        lines += [f"  {title:<12}{_indented(text, 14)}"] if values else []
    lines += [f"  {'broken':<12}{_indented(problem, 14)}" for problem in one.problems]
    return "\n".join(lines) + "\n"


def _extras(each: ServedType) -> str:
    limit = f", at most {each.limit} at once" if each.limit else ""
    return limit + (f", on the engine {each.engine}" if each.engine else "")


def _indented(text: str, columns: int = 8) -> str:
    return ("\n" + " " * columns).join(line.strip() for line in text.splitlines())


# ---------------------------------------------------------------------- looking


def _declared() -> tuple[list[Inspected], HandlerRegistry]:
    """The handlers of the settings file, if there is one that declares any, and the registry with them in it."""
    file = find_file(None, os.environ, Path.cwd())
    if file is None:
        return [], HandlerRegistry()
    seen = Inspected(file.name, "handlers", str(file), "", "")
    registry = HandlerRegistry()
    try:
        handlers = declared_handlers(load(RunnerSettings, flags={}, environ={}, file=file).values.handler)
    except SettingsError as error:
        seen.problems.append(str(error))
        return [seen], registry
    seen.task_types = [_served(one) for one in handlers]
    for one in handlers:
        try:
            registry.add(one, DECLARED)
        except PluginError as error:
            seen.problems.append(str(error))
    return ([seen] if handlers else []), registry


def _inspect_all(registry: HandlerRegistry) -> list[Inspected]:
    """Every installed one. What they serve is put into one registry, as a runner does, so that conflicts show."""
    looked = [_Look(one) for one in installed()]
    engines = frozenset(name for one in looked for name in one.engines())
    for one in looked:
        one.handlers(engines, registry)
    return [one.seen for one in looked]


class _Look:
    """Looking at one, whatever it raises."""

    def __init__(self, found: Found) -> None:
        self.seen = Inspected(found.name, found.kind, found.distribution, found.version, found.module)
        self.seen.commands = [entry.name for entry in commands_of(found.distribution)]
        self._module = self._imported(found)
        if found.kind == "backend" and self._module is not None:
            self._backend(self._module)

    def _imported(self, found: Found) -> ModuleType | None:
        try:
            module = found.load()
            self.seen.hooks = hooks_of(module, str(found))
        except PluginError as error:
            self.seen.problems.append(str(error))
            return None
        return module

    def _backend(self, module: ModuleType) -> None:
        if "create_backend" not in self.seen.hooks:
            self.seen.problems.append(f"{module.__name__} is no backend: it does not implement create_backend")
        try:
            model = settings_model_of(module)
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything
            self._failed("settings_model", error)
        else:
            self.seen.settings = sorted(model.model_fields) if model is not None else []

    def engines(self) -> list[str]:
        """The names of the engines that it brings."""
        self.seen.engines = [str(offer.name) for offer in self._contributed("step_engines")]
        return self.seen.engines

    def handlers(self, engines: frozenset[str], registry: HandlerRegistry) -> None:
        """Its handlers and middleware, as a runner would take them: those of a backend only with that backend."""
        registry = registry if self.seen.kind == "plugin" else HandlerRegistry()
        handlers = self._contributed("task_handlers", engines=engines)
        middleware = self._contributed("task_middleware")
        self.seen.task_types = [_served(one) for one in handlers if isinstance(one, TaskHandler)]
        for use in (
            lambda: registry.add_all(handlers, f"plugin {self.seen}"),
            lambda: checked_middleware(middleware, f"plugin {self.seen}"),
        ):
            try:
                use()
            except Exception as error:  # noqa: BLE001 - a handler of a plugin may raise anything
                self.seen.problems.append(str(error) if isinstance(error, PluginError) else repr(error))
        missing = {one.engine for one in self.seen.task_types} - engines - {None}
        self.seen.problems += [f"no installed plugin brings the engine {engine!r} that it needs" for engine in missing]

    def _contributed(self, hook: str, **given: object) -> list[Any]:
        if self._module is None or hook not in self.seen.hooks:
            return []
        try:
            return list(contribution(self._module, hook, **given) or ())
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything
            self._failed(hook, error)
            return []

    def _failed(self, hook: str, error: Exception) -> None:
        text = str(error) if isinstance(error, PluginError) else f"{hook} failed: {type(error).__name__}: {error}"
        self.seen.problems.append(text)


def _served(one: TaskHandler) -> ServedType:
    return ServedType(one.task_type, one.kind, one.origin, one.limit, one.engine)
