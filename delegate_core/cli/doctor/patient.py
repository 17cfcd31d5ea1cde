"""The runner that is looked at, as far as it can be put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from delegate_core.cli.loading import AllSettings, load_all
from delegate_core.diagnosis import Diagnosis
from delegate_core.errors import DelegateError, PluginError, StateError
from delegate_core.history import History
from delegate_core.model import Registration
from delegate_core.plugins import contribution
from delegate_core.runner import Runner

__all__ = ["Patient"]


@dataclass(frozen=True, slots=True)
class Patient:
    """A runner that is not started.

    Attributes:
        loaded: its settings; None: `unreadable` says why there are none.
        runner: with its backend, plugins and handlers; None: `unusable` says why it cannot be put together.
        environ: the environment.
        patience: seconds that one look at the network may take.
    """

    environ: Mapping[str, str]
    patience: float
    loaded: AllSettings | None = None
    unreadable: DelegateError | None = None
    runner: Runner | None = None
    unusable: DelegateError | None = None

    @classmethod
    def of(cls, config: Path | None, flags: Mapping[str, Any], environ: Mapping[str, str], patience: float) -> Self:
        """The one that these settings would start."""
        try:
            loaded = load_all(config, flags, environ)
        except DelegateError as error:
            return cls(environ, patience, unreadable=error)
        try:
            return cls(environ, patience, loaded, runner=_put_together(loaded))
        except DelegateError as error:
            return cls(environ, patience, loaded, unusable=error)

    @property
    def backend(self) -> str:
        """The backend's name; empty where none is known."""
        return (self.loaded.runner.backend or "") if self.loaded else ""

    def diagnosis(self, runner: Runner) -> Diagnosis:
        """What plugins are told of it."""
        assert self.loaded is not None  # noqa: S101 - for the type checker: there is a runner
        return Diagnosis(
            settings=self.loaded.runner,
            registration=Registration(
                name=runner.name,
                instance=_instance(runner.state_dir),
                task_types=runner.handlers.types(),
                tags=tuple(self.loaded.runner.tags),
                capacity=runner.slots.capacity,
            ),
            state_dir=runner.state_dir.absolute(),
            engines={name: engine.settings for name, engine in self.loaded.engines.items()},
            needed=runner.handlers.engines(),
            environ=self.environ,
            patience=self.patience,
        )


def _put_together(loaded: AllSettings) -> Runner:
    backend = contribution(loaded.module, "create_backend", settings=loaded.backend)
    if backend is None:
        raise PluginError(f"{loaded.module.__name__} is no backend: it does not implement create_backend")
    engines = {name: engine.settings for name, engine in loaded.engines.items()}
    return Runner(backend, settings=loaded.runner, installed=True, engine_settings=engines)


def _instance(folder: Path) -> str:
    try:
        return History(folder).instance()
    except StateError:
        return ""
