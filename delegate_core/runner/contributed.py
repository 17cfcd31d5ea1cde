"""What serves the tasks of one runner, and what goes around them: from the program, the settings and the plugins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from delegate_core.errors import PluginError
from delegate_core.handlers import HandlerRegistry, Middleware, load_handlers
from delegate_core.handlers.base import Serving
from delegate_core.handlers.declared import DECLARED, declared_handlers
from delegate_core.handlers.middleware import checked_middleware
from delegate_core.handlers.script import script
from delegate_core.plugins import Plugins
from delegate_core.settings import RunnerSettings

__all__ = ["collect_handlers", "collect_middleware"]


def collect_handlers(
    plugins: Plugins, settings: RunnerSettings, functions: Mapping[str, Serving], engines: frozenset[str]
) -> HandlerRegistry:
    """All handlers by task type. A plugin that brings a bad one is left out.

    Args:
        plugins: those of the runner.
        settings: name files of handlers, declare some, and say what secrets there are.
        functions: the program's own, by task type.
        engines: names of the engines that handlers may ask for.

    Raises:
        DelegateError: one of the program or of the settings cannot be used, or two serve one type.
    """
    registry = HandlerRegistry(settings.secrets)
    registry.add_functions(functions, "the program")
    for source in settings.handlers:
        registry.add_all(load_handlers(source), source)
    registry.add_all(declared_handlers(settings.handler), DECLARED)
    for plugin, contributed in plugins.collect("task_handlers", engines=engines):
        try:
            registry.add_all(contributed, f"plugin {plugin}")
        except PluginError as error:
            plugins.leave_out(plugin, error)
    if registry.get(script.task_type) is None:
        registry.add(script, "delegate-core")
    registry.check_engines(engines)
    return registry


def collect_middleware(plugins: Plugins, given: Iterable[Middleware]) -> list[Middleware]:
    """The program's middleware, outermost, then that of plugins. A plugin that brings a bad one is left out.

    Raises:
        PluginError: one of the program's is none.
    """
    found = checked_middleware(given, "the program")
    for plugin, contributed in plugins.collect("task_middleware"):
        try:
            found += checked_middleware(contributed, f"plugin {plugin}")
        except PluginError as error:
            plugins.leave_out(plugin, error)
    return found
