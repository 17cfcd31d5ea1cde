"""What is wrong with a piece of TOML in a page, by the code that a runner reads it with."""

from __future__ import annotations

import tomllib
from pathlib import Path

from delegate_core.cli.contributed import GROUP
from delegate_core.errors import SettingsError
from delegate_core.handlers.declared import declared_handlers
from delegate_core.installed_engines import engine_offers
from delegate_core.plugins import backend_module, installed, settings_model_of
from delegate_core.settings import RunnerSettings, Settings, load

__all__ = ["problems"]

_NOT_GIVEN = (": missing: give ", "give exactly one", "cannot be imported", "No such file")
"""A page may show a part of a file, and name code and files that a reader has yet to write."""

_ENTRY_POINTS = {"delegate_core.plugins", "delegate_core.backends", GROUP}


def problems(text: str, folder: Path) -> list[str]:
    """Its mistakes, a line each."""
    values = tomllib.loads(text)
    if "project" in values:
        return [group for group in values["project"].get("entry-points", {}) if group not in _ENTRY_POINTS]
    file = folder / "delegate.toml"
    file.write_text(text)
    models = _models()
    others: list[type[Settings]] = [RunnerSettings, *models.values()]
    found = _of(RunnerSettings, file, "", others)
    for name, model in models.items():
        found += _of(model, file, name, others) if name in values else []
    return [line for line in found + _of_handlers(values) if not any(words in line for words in _NOT_GIVEN)]


def _models() -> dict[str, type[Settings]]:
    backends = {one.name: settings_model_of(backend_module(one.name)) for one in installed() if one.kind == "backend"}
    engines = {offer.name: offer.settings for offer in engine_offers().values()}
    return {name: model for name, model in {**backends, **engines}.items() if model is not None}


def _of(model: type[Settings], file: Path, table: str, others: list[type[Settings]]) -> list[str]:
    try:
        load(model, flags={}, environ={}, file=file, table=table, others=others)
    except SettingsError as error:
        return str(error).splitlines()
    return []


def _of_handlers(values: dict[str, object]) -> list[str]:
    tables = values.get("handler", {})
    try:
        declared_handlers(tables if isinstance(tables, dict) else {})
    except SettingsError as error:
        return str(error).splitlines()
    return []
