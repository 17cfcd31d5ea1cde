"""``delegate config check|init|schema``: whether settings are right, and a file to begin with."""

from __future__ import annotations

import inspect
import json
import sys
import textwrap
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

from delegate_core.cli.loading import AllSettings, load_all
from delegate_core.console.visible import visible
from delegate_core.errors import SettingsError
from delegate_core.handlers import HandlerRegistry
from delegate_core.handlers.declared import DECLARED, declared_handlers, declared_schema
from delegate_core.installed_engines import engine_offers
from delegate_core.plugins import backend_module, installed, settings_model_of
from delegate_core.runner.users import TaskUsers
from delegate_core.settings import RunnerSettings, Settings, load, settings_of
from delegate_core.settings.describing import default_of, helps, json_schema, written

__all__ = ["check", "init", "schema", "verdict"]

_WIDTH: Final = 100

_SCHEMA: Final = "delegate.schema.json"
_TITLE: Final = "delegate.toml"


def check(config: Path | None, backend: str | None) -> int:
    """Say whether a runner could be started with these settings. Mistakes are raised, all of them at once."""
    loaded = load_all(config, {"backend": backend})
    _check_address(loaded)
    HandlerRegistry(loaded.runner.secrets).add_all(declared_handlers(loaded.runner.handler), DECLARED)
    TaskUsers.of(loaded.runner, loaded.runner.capacity or 1)
    for warning in loaded.warnings:
        sys.stdout.write(f"warning: {visible(warning)}\n")
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
    """Write a settings file that says nothing yet and explains everything, and beside it the schema that it names.

    Raises:
        SettingsError: it is there already, or cannot be written.
    """
    text = "\n".join([f"#:schema ./{_SCHEMA}", *_file_lines(backend)])
    try:
        _write_schema(target.with_name(_SCHEMA))
        with target.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text + "\n")
        target.chmod(0o600)
    except FileExistsError:
        raise SettingsError(f"{target} exists already; --force replaces it") from None
    except OSError as error:
        raise SettingsError(f"cannot write {error.filename or target}: {error.strerror}") from None
    sys.stdout.write(
        f"written: {target}, and {_SCHEMA} beside it, by which editors complete and check it\n"
        f"give what it calls required, uncomment what you need, then: delegate config check\n"
    )
    return 0


def _write_schema(target: Path) -> None:
    """Write it, over an older one; never over what is somebody else's."""
    if target.exists() and f'"title": "{_TITLE}"' not in target.read_text("utf-8", "replace"):
        raise SettingsError(f"{target} is in the way: it is no schema of ours; move it")
    target.write_text(_schema_text(), "utf-8")


_HANDLER_LINES = (
    "# A handler for a task type or a pattern: an executable, an HTTP service, an ASGI app, a function.",
    '# handler.resize = { executable = "./resize" }',
    "",
)


def _file_lines(backend: str | None) -> Iterator[str]:
    yield "# Settings of a delegate runner. What is commented out shows the default, where there is one."
    yield "# A flag goes before a variable (DELEGATE_CAPACITY), a variable before this file."
    yield ""
    yield from _model_lines(RunnerSettings, {"backend": backend} if backend else {}, {"backend"})
    yield from _HANDLER_LINES
    for name, model in _models(backend):
        yield f"[{name}]"
        yield from _comment(" ".join((inspect.getdoc(model) or "").partition("\n\n")[0].split()))
        yield ""
        yield from _model_lines(model, {}, required_of(model, name))


def _model_lines(model: type[Settings], values: Mapping[str, str], required: Collection[str]) -> Iterator[str]:
    texts = helps(model)
    for name, setting in settings_of(model).items():
        if not setting.flag:
            continue  # a tree of tables, which may not stand before what is at the top level
        yield from _comment(("Required: " if name in required else "") + texts.get(name, ""))
        if name in values:
            yield f"{name} = {written(values[name])}"
        elif setting.file_variant is not None:
            yield f"# {setting.file_variant.name} ="
        else:
            yield f"# {name} = {'' if setting.secret else written(default_of(model, name))}".rstrip()
        yield ""


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ")


def required_of(model: type[Settings], table: str) -> set[str]:
    """The settings without which a runner cannot be started: those that are missed where nothing is given."""
    missed = load(model, flags={}, environ={}, file=None, table=table, lenient=True).problems
    return {problem.name for problem in missed if problem.message.startswith("missing: ")}


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
    sys.stdout.write(_schema_text())
    return 0


def _schema_text() -> str:
    top = json_schema(RunnerSettings)
    handler = declared_schema()
    definitions = {**top.pop("$defs", {}), **handler.pop("$defs")}
    top["properties"]["handler"] |= {"additionalProperties": handler}
    for name, model in _models(None):
        table = json_schema(model)
        definitions.update(table.pop("$defs", {}))
        top["properties"][name] = table
    made = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": _TITLE, **top}
    return json.dumps({**made, "$defs": definitions} if definitions else made, indent=2) + "\n"
