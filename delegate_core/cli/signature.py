"""The options of ``run``, ``doctor`` and ``dev``: settings of the core, of the backend named, of the engines."""

from __future__ import annotations

import inspect
import os
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from delegate_core.cli.options import parameters
from delegate_core.installed_engines import engine_offers, flag_prefix
from delegate_core.plugins import backend_module, settings_model_of
from delegate_core.settings import RunnerSettings, find_file

__all__ = ["command"]

_SETTINGS_FILE = typer.Option("--config", help="The settings file; default: ./delegate.toml, or the user's.")
_SHOW_LINES = typer.Option("--task-logs/--no-task-logs", help="Print the lines of the tasks' logs too.")
_PATIENCE = typer.Option("--patience", metavar="DURATION", help="How long each look at the network may take.")
_JSON = typer.Option("--json", help="Print JSON.")
_NO_RUNNER = typer.Option("--no-runner", help="Only the server, for a runner of your own.")
_PORT = typer.Option("--port", min=0, max=65535, help="The server's port on 127.0.0.1; 0: a free one.")
_OPTION = typer.Option("--option", help="An option of the embedded server, name=value. Repeatable.")


def command(name: str, function: Callable[..., None], arguments: Sequence[str]) -> Callable[..., None]:
    """The command's function, with an option for each setting of the core, the backend and the engines."""
    backend = _peek(arguments)
    model = settings_model_of(backend_module(backend)) if backend and name != "dev" else None
    made = [*_PARAMETERS[name], *parameters(RunnerSettings)]
    if model is not None:
        made += parameters(model)
    disabled, named = _options(arguments, "--disable-plugin"), _options(arguments, "--plugin")
    for offer in engine_offers(disabled=disabled, named=named).values():
        made += parameters(offer.settings, prefix=flag_prefix(offer.name)) if offer.settings else []

    def call(**given: Any) -> None:
        function(**given)

    call.__signature__ = inspect.Signature(made)  # type: ignore[attr-defined]  # what typer reads
    return call


def _own(name: str, kind: Any, default: Any, option: Any) -> inspect.Parameter:
    annotation = Annotated[kind, option]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


_CONFIG = _own("config", Path | None, None, _SETTINGS_FILE)
_PARAMETERS = {
    "run": [_CONFIG, _own("task_logs", bool, False, _SHOW_LINES)],
    "doctor": [_CONFIG, _own("as_json", bool, False, _JSON), _own("patience", str, "5s", _PATIENCE)],
    "dev": [
        _CONFIG,
        _own("task_logs", bool, True, _SHOW_LINES),
        _own("no_runner", bool, False, _NO_RUNNER),
        _own("port", int, 0, _PORT),
        _own("option", list[str] | None, None, _OPTION),
    ],
}
"""By command, the options that are no settings."""


def _peek(arguments: Sequence[str]) -> str:
    """The backend's name, before the options are known: from the flag, the environment, or the file."""
    named = _option(arguments, "--backend") or os.environ.get("DELEGATE_BACKEND")
    if named:
        return named
    config = _option(arguments, "--config")
    file = find_file(Path(config) if config else None, os.environ, Path.cwd())
    try:
        values = tomllib.loads(file.read_text("utf-8-sig")) if file and file.is_file() else {}
    except (OSError, ValueError, RecursionError):
        return ""  # loading the settings says what is wrong with it
    return str(values.get("backend", ""))


def _option(arguments: Sequence[str], flag: str) -> str:
    return next(iter(_options(arguments, flag)), "")


def _options(arguments: Sequence[str], flag: str) -> list[str]:
    following = zip(arguments, [*arguments[1:], ""], strict=True)
    return [
        next_ if argument == flag else argument.partition("=")[2]
        for argument, next_ in following
        if argument == flag or argument.startswith(f"{flag}=")
    ]
