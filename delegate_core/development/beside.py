"""A backend's embedded server, and a runner connected to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from delegate_core.development.server import DevelopmentServer
from delegate_core.errors import PluginError, SettingsError
from delegate_core.handlers.base import Serving
from delegate_core.plugins import contribution, settings_model_of
from delegate_core.runner import Runner
from delegate_core.settings import RunnerSettings, Settings, secrets_of

__all__ = ["beside_a_server", "development_server", "runner_beside"]


def development_server(module: ModuleType, options: Sequence[str]) -> DevelopmentServer:
    """The embedded server of a backend."""
    if wrong := [option for option in options if "=" not in option]:
        raise SettingsError(f"--option {wrong[0]}: write it as name=value")
    pairs = dict(option.split("=", 1) for option in options)
    server: DevelopmentServer | None = contribution(module, "development_server", options=pairs)
    if server is None:
        raise PluginError(f"{module.__name__} brings no development server")
    return server


def runner_beside(
    module: ModuleType,
    server: DevelopmentServer,
    settings: RunnerSettings,
    state: Path,
    *,
    handlers: Mapping[str, Serving] | None = None,
    plugins: Sequence[object] = (),
    engine_settings: Mapping[str, Settings | None] | None = None,
    installed: bool = True,
) -> Runner:
    """A runner that is connected to the embedded server, with a state folder of its own; it hides all their secrets."""
    model = settings_model_of(module)
    own: Mapping[str, Any] = server.backend_settings()
    connection = model.model_validate(own) if model else None
    backend = contribution(module, "create_backend", settings=connection)
    runner = Runner(
        backend,
        handlers,
        settings=beside_a_server(settings),
        plugins=plugins,
        state_dir=state,
        installed=installed,
        engine_settings=engine_settings,
    )
    for each in (connection, *(engine_settings or {}).values()):
        runner.secrecy.add(*secrets_of(each))
    return runner


def beside_a_server(settings: RunnerSettings) -> RunnerSettings:
    """The settings of a runner whose server is on the same machine: it may ask often."""
    return settings if settings.poll_interval is not None else settings.model_copy(update={"poll_interval": 0.2})
