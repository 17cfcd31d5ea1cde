"""All settings of a runner: its own, its backend's and its engines', from flags, environment and file."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from delegate_core.console.visible import visible
from delegate_core.errors import PluginError, SettingsError
from delegate_core.installed_engines import ConfiguredEngine, configured_engines, engine_offers
from delegate_core.plugins import backend_module, installed, settings_model_of
from delegate_core.settings import Loaded, Origin, Problem, RunnerSettings, Settings, find_file, load
from delegate_core.settings.naming import nearest
from delegate_core.settings.sources import SettingsFile

__all__ = ["AllSettings", "Table", "load_all", "print_warnings", "survey"]


_NO_BACKEND = "no backend is named; add --backend harness, or see `delegate plugins list`"


@dataclass(frozen=True, slots=True)
class Table:
    """One model's settings. ``name`` is that of its table in the file, empty for the runner's own."""

    name: str
    values: Settings
    origins: Mapping[str, Origin]
    problems: tuple[Problem, ...] = ()
    given: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, name: str, loaded: Loaded[Any]) -> Table:
        """Of a model that was loaded."""
        return cls(name, loaded.values, loaded.origins, loaded.problems, loaded.given)


@dataclass(frozen=True, slots=True)
class AllSettings:
    """What a runner is started with.

    Attributes:
        file: the settings file that was read, if any.
        module: the backend's.
        core: the runner's own settings.
        own: the backend's; None: it has none.
        engines: the engines, by name.
        stray: warnings of tables in the file that nothing installed reads.
    """

    file: Path | None
    module: ModuleType
    core: Loaded[RunnerSettings]
    own: Loaded[Settings] | None
    engines: Mapping[str, ConfiguredEngine]
    stray: tuple[str, ...] = ()

    @property
    def runner(self) -> RunnerSettings:
        """The runner's own."""
        return self.core.values

    @property
    def backend(self) -> Settings | None:
        """The backend's."""
        return self.own.values if self.own is not None else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """Of loading all of them, each once."""
        of_engines = (warning for engine in self.engines.values() for warning in engine.warnings)
        return tuple(
            dict.fromkeys([*self.core.warnings, *of_engines, *(self.own.warnings if self.own else ()), *self.stray])
        )

    def tables(self) -> Iterator[Table]:
        """Each model's settings, as the file has them."""
        yield Table.of("", self.core)
        if self.own is not None:
            yield Table.of(self.runner.backend or "", self.own)
        yield from _engine_tables(self.engines)


def _engine_tables(engines: Mapping[str, ConfiguredEngine]) -> Iterator[Table]:
    for name, engine in engines.items():
        if engine.settings is not None:
            yield Table(name, engine.settings, engine.origins, engine.problems, engine.given)


def load_all(config: Path | None, flags: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> AllSettings:
    """The settings of the core, of the backend that is named, and of the installed engines.

    Raises:
        SettingsError: no backend is named, or something is wrong, all of it a line each.
        PluginError: there is no such backend.
    """
    file = find_file(config, environ, Path.cwd())
    try:
        first = load(RunnerSettings, flags=flags, environ=environ, file=file).values
    except SettingsError as error:
        raise _and_the_backends(error, flags, environ, file) from None
    if first.backend is None:
        raise SettingsError(_NO_BACKEND)
    module = backend_module(first.backend)
    model = settings_model_of(module)
    offers = engine_offers(disabled=first.disabled_plugins, named=first.plugins)
    models: list[type[Settings]] = [offer.settings for offer in offers.values() if offer.settings is not None]
    models += [model] if model is not None else []
    core = load(
        RunnerSettings,
        flags=flags,
        environ=environ,
        file=file,
        others=models,
        aliases=model.runner_environment if model is not None else {},
    )
    engines = configured_engines(offers, environ=environ, file=file, flags=flags, others=models)
    stray = tuple(_stray_tables(file, offers)) if file is not None else ()
    if model is None:
        return AllSettings(file, module, core, None, engines, stray)
    others: list[type[Settings]] = [RunnerSettings, *models]
    own = load(model, flags=flags, environ=environ, file=file, table=first.backend, others=others)
    return AllSettings(file, module, core, own, engines, stray)


def survey(config: Path | None, flags: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Iterator[Table]:
    """Each model's settings, with what is wrong with them beside what is right: for showing, never for a start.

    Raises:
        SettingsError: the settings file cannot be read.
        PluginError: there is no such backend.
    """
    file = find_file(config, environ, Path.cwd())
    load_ = partial(load, environ=environ, file=file, lenient=True)
    first = load_(RunnerSettings, flags=flags).values
    model = settings_model_of(backend_module(first.backend)) if first.backend else None
    offers = engine_offers(disabled=first.disabled_plugins or (), named=first.plugins or ())
    engines = configured_engines(offers, environ=environ, file=file, flags=flags, lenient=True)
    aliases = model.runner_environment if model is not None else {}
    core = load_(RunnerSettings, flags=flags, aliases=aliases)
    if not first.backend:
        core = replace(core, problems=(*core.problems, Problem("backend", f"backend: missing: {_NO_BACKEND}")))
    yield Table.of("", core)
    if model is not None:
        yield Table.of(first.backend or "", load_(model, flags=flags, table=first.backend or ""))
    yield from _engine_tables(engines)


def _and_the_backends(
    error: SettingsError, flags: Mapping[str, Any], environ: Mapping[str, str], file: Path | None
) -> SettingsError:
    """The mistakes in the runner's own settings, and those in the backend's, where it can be told which that is."""
    try:
        in_file = SettingsFile.read(file).values if file is not None else {}
        name = flags.get("backend") or environ.get("DELEGATE_BACKEND") or in_file.get("backend")
        model = settings_model_of(backend_module(name)) if isinstance(name, str) else None
        if model is not None:
            load(model, flags=flags, environ=environ, file=file, table=str(name), others=[RunnerSettings])
    except SettingsError as more:
        return SettingsError("\n".join(dict.fromkeys([*str(error).splitlines(), *str(more).splitlines()])))
    except PluginError:
        pass  # the runner's own mistakes come first
    return error


def _stray_tables(file: Path, engines: Collection[str]) -> Iterator[str]:
    """Of each table that is neither of the runner nor of a backend or an engine that is installed."""
    top = SettingsFile.read(file).table("")
    backends = {one.name for one in installed() if one.kind == "backend"}
    known = {*RunnerSettings.model_fields, *backends, *engines}
    for name, value in top.values.items():
        if isinstance(value, dict) and name not in known:
            meant = nearest(name, [*backends, *engines])
            cure = f"did you mean [{meant}]?" if meant else "is its plugin installed?"
            yield f"[{name}] ({top.origins[name]}): nothing reads this table: {cure}"


def print_warnings(warnings: Iterable[str]) -> None:
    """For the person who started us."""
    for warning in warnings:
        sys.stderr.write(f"delegate: warning: {visible(warning)}\n")
