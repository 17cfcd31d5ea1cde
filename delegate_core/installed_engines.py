"""The engines that installed plugins bring, with their settings: for a command, before there is a runner."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from delegate_core.engines.contribution import EngineSetup, OpenEngine, StepEngine
from delegate_core.errors import PluginError
from delegate_core.plugins import contribution, installed
from delegate_core.settings import Origin, Problem, RunnerSettings, Settings, load

__all__ = ["ConfiguredEngine", "configured_engines", "engine_offers", "flag_prefix"]


@dataclass(frozen=True, slots=True)
class ConfiguredEngine:
    """An engine and its settings.

    Attributes:
        offer: the engine.
        settings: an instance of its settings model, or None.
        warnings: of loading them, a line each.
        origins: of the values that were given.
        problems: what is wrong, where they were loaded leniently.
        given: of what is wrong, the value as it was given.
    """

    offer: StepEngine
    settings: Settings | None
    warnings: tuple[str, ...] = ()
    origins: Mapping[str, Origin] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    given: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def open(self, owner: str, doubt: Callable[[], object] = lambda: None) -> AbstractAsyncContextManager[OpenEngine]:
        """Open it for this owner; see `EngineSetup`."""
        return self.offer.open(EngineSetup(settings=self.settings, owner=owner, doubt=doubt))


def engine_offers(*, disabled: Collection[str] = (), named: Iterable[str] = ()) -> dict[str, StepEngine]:
    """The engines of the installed plugins, less the disabled ones, and of the modules named, by the engines' names.

    What cannot be used is left out: a runner names it when it loads its plugins.
    """
    offers: dict[str, StepEngine] = {}
    for module in _modules(disabled, named):
        try:
            brought = contribution(module, "step_engines") or ()
            offers.update({offer.name: offer for offer in brought})
        except Exception:  # noqa: BLE001, S112 - a plugin may raise anything, and is named by the runner
            continue
    return offers


def configured_engines(
    offers: Mapping[str, StepEngine],
    *,
    environ: Mapping[str, str],
    file: Path | None,
    flags: Mapping[str, Any] | None = None,
    others: Collection[type[Settings]] = (),
    lenient: bool = False,
) -> dict[str, ConfiguredEngine]:
    """The engines with what flags, environment and settings file say of them.

    Args:
        offers: see `engine_offers`.
        environ: the environment.
        file: the settings file; each engine has a table of its name there.
        flags: the command line; an engine's begin with its `flag_prefix`.
        others: further models whose variables are known.
        lenient: what is wrong is said by ``problems`` instead.

    Raises:
        SettingsError: everything that is wrong with one of them.
    """
    models = [offer.settings for offer in offers.values() if offer.settings is not None]
    return {
        name: _configured(offer, environ, file, flags or {}, [RunnerSettings, *models, *others], lenient=lenient)
        for name, offer in offers.items()
    }


def flag_prefix(engine: str) -> str:
    """What tells the flags of an engine from settings of the same name that the runner or its backend has."""
    return f"{engine}__"


def _configured(
    offer: StepEngine,
    environ: Mapping[str, str],
    file: Path | None,
    flags: Mapping[str, Any],
    others: Collection[type[Settings]],
    *,
    lenient: bool,
) -> ConfiguredEngine:
    if offer.settings is None:
        return ConfiguredEngine(offer, None)
    prefix = flag_prefix(offer.name)
    own = {name.removeprefix(prefix): value for name, value in flags.items() if name.startswith(prefix)}
    loaded = load(
        offer.settings, flags=own, environ=environ, file=file, table=offer.name, others=others, lenient=lenient
    )
    return ConfiguredEngine(offer, loaded.values, loaded.warnings, loaded.origins, loaded.problems, loaded.given)


def _modules(disabled: Collection[str], named: Iterable[str]) -> Iterator[ModuleType]:
    for one in installed():
        if one.kind == "plugin" and one.name not in disabled:
            try:
                yield one.load()
            except PluginError:
                continue
    for name in named:
        try:
            yield importlib.import_module(name)
        except (Exception, SystemExit):  # noqa: BLE001, S112 - the runner says what is wrong with it
            continue
