"""Awaiting hooks: the one module between pluggy and the rest, which sees only typed calls.

pluggy keeps discovery, order, validation and blocking. It calls every implementation at once and knows nothing of
coroutines: with ``firstresult`` the first coroutine wins even if it would return None, and an error loses its
plugin's name. So implementations are called here, one by one, each with its plugin's name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pluggy

from delegate_core.errors import PluginError
from delegate_core.hookspecs import HookSpecs

__all__ = ["Implementation", "check_signatures", "implementation_of", "implementations"]

_SKIPPED = "self"


@dataclass(frozen=True, slots=True)
class Implementation:
    """One plugin's implementation of one hook."""

    plugin: str
    function: Callable[..., Any]
    arguments: tuple[str, ...]

    def __call__(self, **given: object) -> Any:
        """Call it with those of the given arguments that it takes."""
        return self.function(*[given[name] for name in self.arguments])


def implementations(manager: pluggy.PluginManager, hook: str) -> list[Implementation]:
    """All implementations of a hook, in the order in which they are to be asked."""
    caller: pluggy.HookCaller = getattr(manager.hook, hook)
    # pluggy keeps them in calling order from the last to the first.
    return [_wrap(found) for found in reversed(caller.get_hookimpls())]


def implementation_of(manager: pluggy.PluginManager, hook: str, plugin: object) -> Implementation | None:
    """The implementation that one plugin brings, for hooks that are addressed to it."""
    caller: pluggy.HookCaller = getattr(manager.hook, hook)
    return next((_wrap(found) for found in caller.get_hookimpls() if found.plugin is plugin), None)


def _wrap(found: pluggy.HookImpl) -> Implementation:
    return Implementation(found.plugin_name, found.function, tuple(found.argnames))


def check_signatures(manager: pluggy.PluginManager, plugin: object, name: str) -> None:
    """Refuse a plugin whose implementations are sync where the spec is async, or the other way round.

    Unknown hooks and unknown arguments are pluggy's to refuse.
    """
    for caller in manager.get_hookcallers(plugin) or []:
        for found in caller.get_hookimpls():
            if found.plugin is plugin:
                _check_colour(caller.name, found, name)


def _check_colour(hook: str, found: pluggy.HookImpl, name: str) -> None:
    spec = getattr(HookSpecs, hook, None)
    if spec is None:
        known = ", ".join(sorted(_spec_names()))
        raise PluginError(f"plugin {name} implements the unknown hook {hook!r}; the hooks are: {known}")
    if found.hookwrapper or found.wrapper:
        raise PluginError(f"plugin {name}: hook {hook} cannot be wrapped; implement it with tryfirst=True instead")
    wanted, given = inspect.iscoroutinefunction(spec), inspect.iscoroutinefunction(found.function)
    if wanted != given:
        need, have = ("async def", "def") if wanted else ("def", "async def")
        raise PluginError(f"plugin {name}: hook {hook} must be written with `{need}`, not `{have}`")


def _spec_names() -> Iterator[str]:
    return (name for name in vars(HookSpecs) if not name.startswith("_"))
