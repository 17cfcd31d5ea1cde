"""``delegate config``: what a runner would be started with, whether that is right, and a file to begin with."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from delegate_core.cli.loading import AllSettings, Table, load_all
from delegate_core.errors import SettingsError
from delegate_core.handlers import HandlerRegistry
from delegate_core.handlers.declared import DECLARED, declared_handlers, declared_schema
from delegate_core.installed_engines import engine_offers
from delegate_core.plugins import backend_module, installed, settings_model_of
from delegate_core.runner.users import TaskUsers
from delegate_core.settings import RunnerSettings, Settings, settings_of
from delegate_core.settings.describing import default_of, helps, json_schema, written

__all__ = ["check", "init", "listed", "schema", "show", "verdict"]

Listed = dict[str, dict[str, dict[str, str]]]

_HIDDEN: Final = '"******"'
_WIDTH: Final = 100


def show(config: Path | None, backend: str | None, *, given: bool, as_json: bool) -> int:
    """Print every setting with its value and where that came from."""
    tables = [(table, list(_shown(table, given=given))) for table in load_all(config, {"backend": backend}).tables()]
    if as_json:
        sys.stdout.write(json.dumps(_listed(tables), indent=2, ensure_ascii=False) + "\n")
    else:
        _print_tables(tables)
    return 0


def listed(tables: Iterable[Table]) -> Listed:
    """Every setting by table and name, with its value and where that came from; secrets are hidden."""
    return _listed((table, list(_shown(table, given=False))) for table in tables)


def _listed(tables: Iterable[tuple[Table, list[tuple[str, str, str]]]]) -> Listed:
    return {
        table.name or "runner": {name: {"value": value, "from": origin} for name, value, origin in rows}
        for table, rows in tables
    }


def _shown(table: Table, *, given: bool) -> Iterator[tuple[str, str, str]]:
    fields = type(table.values).model_fields
    for name, setting in settings_of(type(table.values)).items():
        origin = table.origins.get(name)
        if given and origin is None:
            continue
        value = getattr(table.values, name)
        hidden = setting.secret or not fields[name].repr
        text = (_HIDDEN if _is_given(value) else "") if hidden else written(value)
        yield name, text, str(origin or "default")


def _is_given(value: Any) -> bool:
    return bool(value.get_secret_value()) if hasattr(value, "get_secret_value") else bool(value)


def _print_tables(tables: Iterable[tuple[Table, list[tuple[str, str, str]]]]) -> None:
    from rich.table import Table as Drawn  # noqa: PLC0415 - only where people read
    from rich.text import Text  # noqa: PLC0415 - the same

    from delegate_core.console.printing import terminal_of  # noqa: PLC0415 - the same

    console = terminal_of(sys.stdout, os.environ)
    for table, rows in tables:
        if not rows:
            continue
        drawn = Drawn(box=None, pad_edge=False, header_style="bold")
        drawn.add_column(Text(f"[{table.name}]" if table.name else "SETTING"), no_wrap=True)
        drawn.add_column("VALUE", overflow="fold")
        drawn.add_column("FROM", no_wrap=True)
        for name, value, origin in rows:
            style = "dim" if origin == "default" else ""
            drawn.add_row(Text(name, style), Text(value, style), Text(origin, style))
        console.print(drawn)
        console.print()


# ---------------------------------------------------------------------- check


def check(config: Path | None, backend: str | None) -> int:
    """Say whether a runner could be started with these settings. Mistakes are raised, all of them at once."""
    loaded = load_all(config, {"backend": backend})
    _check_address(loaded)
    HandlerRegistry(loaded.runner.secrets).add_all(declared_handlers(loaded.runner.handler), DECLARED)
    TaskUsers.of(loaded.runner, loaded.runner.capacity or 1)
    for warning in loaded.warnings:
        sys.stdout.write(f"warning: {warning}\n")
    sys.stdout.write(verdict(loaded) + "\n")
    return 0


def _check_address(loaded: AllSettings) -> None:
    """Whether the status could be served where it is to be.

    Raises:
        SettingsError: that is no address.
    """
    from delegate_core.status import parse_bind  # noqa: PLC0415 - imports a server

    if loaded.runner.status.strip().lower() == "off":
        return
    try:
        parse_bind(loaded.runner.status)
    except SettingsError as error:
        raise SettingsError(f"status ({loaded.core.origin('status')}): {error}") from None


def verdict(loaded: AllSettings) -> str:
    """What settings were read for, how many, and from where."""
    number = sum(len(table.origins) for table in loaded.tables())
    read = f"{loaded.file} and the environment" if loaded.file else "the environment; there is no delegate.toml"
    warned = f", {len(loaded.warnings)} warnings" if len(loaded.warnings) > 1 else ", 1 warning" * len(loaded.warnings)
    return f"good for --backend {loaded.runner.backend}: {number} settings given, from {read}{warned}"


# ---------------------------------------------------------------------- init and schema


def init(target: Path, backend: str | None, *, force: bool) -> int:
    """Write a settings file that says nothing yet and explains everything.

    Raises:
        SettingsError: it is there already, or cannot be written.
    """
    text = "\n".join(_file_lines(backend))
    try:
        with target.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text + "\n")
        target.chmod(0o600)
    except FileExistsError:
        raise SettingsError(f"{target} exists already; --force replaces it") from None
    except OSError as error:
        raise SettingsError(f"cannot write {target}: {error.strerror}") from None
    sys.stdout.write(f"written: {target}; uncomment what you need, then: delegate config check\n")
    return 0


_HANDLER_LINES = (
    "# A handler for a task type or a pattern: an executable, an HTTP service, an ASGI app, a function.",
    '# handler.resize = { executable = "./resize" }',
    "",
)


def _file_lines(backend: str | None) -> Iterator[str]:
    yield "# Settings of a delegate runner. What is commented out shows the default, where there is one."
    yield "# A flag goes before a variable (DELEGATE_CAPACITY), a variable before this file."
    yield ""
    yield from _model_lines(RunnerSettings, {"backend": backend} if backend else {})
    yield from _HANDLER_LINES
    for name, model in _models(backend):
        yield f"[{name}]"
        yield from _model_lines(model, {})


def _model_lines(model: type[Settings], values: dict[str, str]) -> Iterator[str]:
    texts = helps(model)
    for name, setting in settings_of(model).items():
        if not setting.flag:
            continue  # a tree of tables, which may not stand before what is at the top level
        yield from textwrap.wrap(texts.get(name, ""), _WIDTH, initial_indent="# ", subsequent_indent="# ")
        if name in values:
            yield f"{name} = {written(values[name])}"
        elif setting.file_variant is not None:
            yield f"# {setting.file_variant.name} ="
        else:
            yield f"# {name} = {'' if setting.secret else written(default_of(model, name))}".rstrip()
        yield ""


def _models(backend: str | None) -> Iterator[tuple[str, type[Settings]]]:
    names = [backend] if backend else sorted({one.name for one in installed() if one.kind == "backend"})
    for name in names:
        model = settings_model_of(backend_module(name))
        if model is not None:
            yield name, model
    for offer in engine_offers().values():
        if offer.settings is not None:
            yield offer.name, offer.settings


def schema() -> int:
    """Print the JSON schema of the settings file, with the tables of the installed backends and engines."""
    top = json_schema(RunnerSettings)
    handler = declared_schema()
    definitions = {**top.pop("$defs", {}), **handler.pop("$defs")}
    top["properties"]["handler"] |= {"additionalProperties": handler}
    for name, model in _models(None):
        table = json_schema(model)
        definitions.update(table.pop("$defs", {}))
        top["properties"][name] = table
    made = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "delegate.toml", **top}
    sys.stdout.write(json.dumps({**made, "$defs": definitions} if definitions else made, indent=2) + "\n")
    return 0
