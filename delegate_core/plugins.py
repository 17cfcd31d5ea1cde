"""Finding plugins, choosing the backend, checking and listing them.

Two entry-point groups, whose values are modules: ``delegate_core.backends``, of which only the chosen one is
imported, and ``delegate_core.plugins``, all of which are. Nothing is global: each runner builds its own `Plugins`.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any, Literal

import pluggy

from delegate_core.errors import PluginError
from delegate_core.hooks import Implementation, check_signatures, implementation_of, implementations
from delegate_core.hookspecs import HookSpecs
from delegate_core.markers import PROJECT
from delegate_core.settings import Settings
from delegate_core.settings.naming import nearest

__all__ = [
    "BACKENDS",
    "NEEDED_OF_A_BACKEND",
    "PLUGINS",
    "Found",
    "Plugins",
    "backend_module",
    "contribution",
    "hooks_of",
    "installed",
    "settings_model_of",
]

BACKENDS = "delegate_core.backends"
PLUGINS = "delegate_core.plugins"
NEEDED_OF_A_BACKEND = ("authenticate", "register", "fetch_tasks", "claim", "report")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """An installed plugin, not imported yet."""

    name: str
    kind: Literal["backend", "plugin"]
    module: str
    distribution: str
    version: str
    entry: EntryPoint = field(repr=False, compare=False)

    def __str__(self) -> str:
        """The name with its origin, for errors."""
        return f"{self.name} ({self.distribution} {self.version})"

    def load(self) -> ModuleType:
        """Import it.

        Raises:
            PluginError: names the plugin, its distribution and what was raised.
        """
        try:
            module: ModuleType = self.entry.load()
        except (Exception, SystemExit) as error:
            raise PluginError(
                f"plugin {self} cannot be imported: {type(error).__name__}: {error}\n"
                f"  update or uninstall {self.distribution}, or leave it out with --disable-plugin {self.name}"
            ) from error
        return module


def installed() -> list[Found]:
    """All installed backends and plugins, by kind and name."""
    found = [_found(entry, kind) for group, kind in _GROUPS.items() for entry in entry_points(group=group)]
    return sorted(set(found), key=lambda one: (one.kind, one.name, one.distribution))


_GROUPS: Mapping[str, Literal["backend", "plugin"]] = {BACKENDS: "backend", PLUGINS: "plugin"}


def _found(entry: EntryPoint, kind: Literal["backend", "plugin"]) -> Found:
    distribution = entry.dist
    name, version = (distribution.name, distribution.version) if distribution else ("?", "?")
    return Found(entry.name, kind, entry.value, name, version, entry)


def backend_module(name: str) -> ModuleType:
    """Import the module of the backend with this name.

    Raises:
        PluginError: there is none, two distributions offer it, or it cannot be imported.
    """
    backends = [one for one in installed() if one.kind == "backend"]
    matching = [one for one in backends if one.name == name]
    if not matching:
        known = ", ".join(sorted({one.name for one in backends})) or "none is installed"
        meant = nearest(name, {one.name for one in backends})
        if meant:
            raise PluginError(f"unknown backend {name!r}; known backends: {known}; did you mean {meant}?")
        raise PluginError(
            f"unknown backend {name!r}; known backends: {known}\n"
            f"  a backend comes with its plugin, for example: pip install delegate-{name}"
        )
    if len(matching) > 1:
        raise PluginError(f"backend {name!r} is offered twice: {' and '.join(map(str, matching))}; uninstall one")
    return matching[0].load()


def contribution(module: ModuleType, hook: str, **given: object) -> Any:
    """What a backend's module answers to one of its own hooks; None where it does not implement it."""
    manager = _manager()
    _register(manager, module, module.__name__)
    found = implementation_of(manager, hook, module)
    return found(**given) if found else None


def hooks_of(module: ModuleType, name: str) -> list[str]:
    """The hooks that a plugin's module implements, in the order of the specs.

    Raises:
        PluginError: it implements an unknown hook, or one in a wrong way.
    """
    manager = _manager()
    _register(manager, module, name)
    known = [hook for hook in vars(HookSpecs) if not hook.startswith("_")]
    return [hook for hook in known if implementation_of(manager, hook, module) is not None]


def settings_model_of(module: ModuleType) -> type[Settings] | None:
    """The settings model that a backend's module brings.

    Raises:
        PluginError: it is none.
    """
    model = contribution(module, "settings_model")
    if model is not None and not (isinstance(model, type) and issubclass(model, Settings)):
        raise PluginError(
            f"{module.__name__}: settings_model must answer a class derived from delegate_core.settings.Settings"
        )
    return model


class Plugins:
    """The plugins of one runner: the backend, the installed ones, and those given by hand."""

    def __init__(self, backend: object, extra: Iterable[object] = ()) -> None:
        self._manager = _manager()
        self.backend = backend
        self.problems: list[str] = []
        self._optional: set[str] = set()
        self._add(backend, type(backend).__name__)
        for plugin in extra:
            self._add(plugin, _name_of(plugin))
        self._check_backend()

    def _add(self, plugin: object, name: str) -> None:
        _register(self._manager, plugin, name)

    def _check_backend(self) -> None:
        missing = [hook for hook in NEEDED_OF_A_BACKEND if self.addressed(hook) is None]
        if missing:
            raise PluginError(
                f"{type(self.backend).__name__} is no backend: it does not implement {', '.join(missing)}"
            )

    @property
    def packages(self) -> frozenset[str]:
        """Names of the packages that the runner is made of: the core's, the backend's, those of its other plugins."""
        plugins = self._manager.get_plugins()
        modules = (one.__name__ if isinstance(one, ModuleType) else type(one).__module__ for one in plugins)
        return frozenset(name.partition(".")[0] for name in (__name__, *modules))

    def load_installed(self, *, disabled: Iterable[str] = (), strict: bool = False) -> None:
        """Import and register every installed plugin that is not disabled.

        A broken one is named in `problems` and left out, or with ``strict`` ends the runner.

        Raises:
            PluginError: with ``strict``, or where a disabled name is not installed.
        """
        found = [one for one in installed() if one.kind == "plugin"]
        names = {one.name for one in found}
        if unknown := sorted(set(disabled) - names):
            raise PluginError(
                f"cannot disable {', '.join(unknown)}: no such plugin; installed: {', '.join(sorted(names)) or 'none'}"
            )
        for one in found:
            if one.name not in set(disabled):
                self._load(one, strict=strict)

    def _load(self, one: Found, *, strict: bool) -> None:
        if not strict:
            self._optional.add(str(one))
        try:
            self._add(one.load(), str(one))
        except PluginError as error:
            self.leave_out(str(one), error)

    def leave_out(self, plugin: str, error: PluginError) -> None:
        """Go on without a plugin that cannot be used, if nobody asked for it by name: it only happens to be installed.

        Raises:
            PluginError: somebody did, or with ``strict``.
        """
        if plugin not in self._optional:
            raise error
        self.problems.append(str(error))
        _log.error("left out: %s", error)
        if self._manager.has_plugin(plugin):
            self._manager.unregister(name=plugin)

    def load_named(self, modules: Iterable[str]) -> None:
        """Import and register modules that the settings name.

        Raises:
            PluginError: one cannot be imported or registered.
        """
        for name in modules:
            try:
                module = importlib.import_module(name)
            except (Exception, SystemExit) as error:
                raise PluginError(f"plugin {name} cannot be imported: {type(error).__name__}: {error}") from error
            self._add(module, name)

    def addressed(self, hook: str) -> Implementation | None:
        """The backend's own implementation of a session hook."""
        return implementation_of(self._manager, hook, self.backend)

    def each(self, hook: str) -> list[Implementation]:
        """Every plugin's implementation of a hook, in the order to ask them."""
        return implementations(self._manager, hook)

    def collect(self, hook: str, **given: object) -> Iterator[tuple[str, Any]]:
        """Each plugin's contribution, with the plugin's name.

        Raises:
            PluginError: one raised; it is named. An installed one that nobody asked for is left out instead.
        """
        for implementation in self.each(hook):
            try:
                answer = implementation(**given)
            except Exception as error:  # noqa: BLE001 - a plugin may raise anything
                text = f"plugin {implementation.plugin}: {hook} failed: {type(error).__name__}: {error}"
                self.leave_out(implementation.plugin, PluginError(text))
                continue
            if answer is not None:
                yield implementation.plugin, answer

    def observe(self, hook: str) -> Observer:
        """A callable that tells every plugin, whatever they raise."""
        return Observer(hook, self.each(hook))


class Observer:
    """Tells every plugin of one event. A plugin that raises is logged and hurts nothing."""

    def __init__(self, hook: str, implementations: list[Implementation]) -> None:
        self._hook = hook
        self._implementations = implementations

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._implementations)

    def __call__(self, **given: object) -> None:
        """Tell them."""
        for implementation in self._implementations:
            try:
                implementation(**given)
            except Exception:  # noqa: BLE001 - a plugin may raise anything
                _log.exception("plugin %s failed in %s", implementation.plugin, self._hook)


def _manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(HookSpecs)
    return manager


def _register(manager: pluggy.PluginManager, plugin: object, name: str) -> None:
    try:
        manager.register(plugin, name)
        check_signatures(manager, plugin, name)
    except (ValueError, pluggy.PluginValidationError) as error:
        raise PluginError(f"plugin {name} cannot be used: {' '.join(str(error).split())}") from error
    except PluginError:
        manager.unregister(plugin)
        raise


def _name_of(plugin: object) -> str:
    return plugin.__name__ if isinstance(plugin, ModuleType) else f"{type(plugin).__name__}-{id(plugin):x}"
