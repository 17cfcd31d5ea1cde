"""Every setting: name, what it is, default, flag, variables, and whether a reload takes it up."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from delegate_core.handlers.asgi import AsgiOptions
from delegate_core.handlers.executable import ExecutableOptions
from delegate_core.handlers.forwarding import ForwardOptions
from delegate_core.handlers.options import ExchangeOptions
from delegate_core.handlers.request import RequestOptions
from delegate_core.installed_engines import engine_offers
from delegate_core.plugins import backend_module, installed, settings_model_of
from delegate_core.runner.reloading import CHANGEABLE
from delegate_core.settings import RunnerSettings, Setting, Settings, settings_of
from delegate_core.settings.describing import default_of, helps, json_schema, written
from docs.generators.markdown import code, joined, prose, table

__all__ = ["page"]

_INTRODUCTION = """\
# Settings

<!-- Made from the settings' models by docs/generators/settings.py: make reference. -->

A flag goes before a variable, a variable before `delegate.toml`. The column *key* has a setting's name in the file;
*reload* says whether `delegate reload` takes it up while the runner runs. A secret has no flag of its own, since a
command line is in every process list: `--account-secret-file` names a file, and `DELEGATE_ACCOUNT_SECRET` holds the
value.

Durations are written `10ms`, `3s`, `5m`, `1h30m`; sizes `64KiB`, `5MiB`. *list*: repeat the flag, or write commas
in a variable; *pairs*: `NAME=VALUE`, likewise. Variables of the runner that do not begin with `DELEGATE_`
belong to a backend and are read with it: `DRONE_DELEGATE_` and `DLITE_` to Harness, the other `DRONE_` to Drone.

`delegate config show` prints what is in force and where it came from, `delegate config init` writes a file with all
of this in it, and [the JSON schema](delegate.schema.json) (`delegate config schema`) has editors complete and check
it. How they go together is on [the page about operating](../operating.md#settings)."""

_KINDS: Mapping[str, type[BaseModel]] = {
    "executables": ExecutableOptions,
    "HTTP services": ForwardOptions,
    "ASGI apps": AsgiOptions,
    "requests": RequestOptions,
}

_HANDLERS = """\
## `[handler.NAME]`

A table for each task type or pattern; what each kind does is on [the page about
handlers](../handlers.md#executables-http-services-asgi-apps)."""


def page() -> str:
    """The whole page."""
    own = settings_model_of_backends()
    parts = [_INTRODUCTION, "## The runner", _table(RunnerSettings, _others(own), reloadable=True)]
    for name, model in own.items():
        parts += [
            f"## `[{name}]`: the {name.capitalize()} backend",
            _summary(model),
            _table(model, {}, reloadable=False),
        ]
    for offer in engine_offers().values():
        if offer.settings is not None:
            parts += [f"## `[{offer.name}]`: the container engine", _summary(offer.settings)]
            parts += [_table(offer.settings, {}, reloadable=False)]
    return joined([*parts, _HANDLERS, *_handler_tables()])


def settings_model_of_backends() -> dict[str, type[Settings]]:
    """The installed backends' models, by name."""
    names = sorted({one.name for one in installed() if one.kind == "backend"})
    models = {name: settings_model_of(backend_module(name)) for name in names}
    return {name: model for name, model in models.items() if model is not None}


def _others(models: Mapping[str, type[Settings]]) -> dict[str, list[str]]:
    """Further variables that a backend reads for settings of the runner itself."""
    found: dict[str, list[str]] = {}
    for model in models.values():
        for name, environment in model.runner_environment.items():
            found.setdefault(name, []).extend(_shown(environment.names, environment.unit))
    return found


def _shown(names: Iterable[str], unit: str) -> list[str]:
    return [f"{code(name)} ({unit})" if unit else code(name) for name in names]


def _summary(model: type[Settings]) -> str:
    return prose((inspect.getdoc(model) or "").partition("\n\n")[0])


def _table(model: type[Settings], further: Mapping[str, list[str]], *, reloadable: bool) -> str:
    schema, texts = json_schema(model)["properties"], helps(model)
    titles = ["key", "", "type", "default", "flag", "variables", *(["reload"] if reloadable else [])]
    rows = []
    for name, setting in settings_of(model).items():
        row = [
            code(name),
            _sentence(texts.get(name, "")),
            "secret" if setting.secret else _kind(setting, model, schema.get(name, {})),
            "" if setting.secret else _default(model, name),
            _flag(setting, model),
            _variables(setting, further.get(name, [])),
        ]
        rows.append(row + (["yes" if name in CHANGEABLE else "restart"] if reloadable else []))
    return table(titles, rows)


def _default(model: type[BaseModel], name: str) -> str:
    shown = written(default_of(model, name)).strip('"')
    return "" if shown in {"{}", "[]"} else code(shown)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _flag(setting: Setting, model: type[Settings]) -> str:
    variant = setting.file_variant
    if variant is not None:
        return code(variant.flag)
    if setting.secret or not setting.flag:
        return ""
    both = model.model_fields[setting.name].annotation is bool
    return f"{code(setting.flag)}, {code('--no-' + setting.flag[2:])}" if both else code(setting.flag)


def _variables(setting: Setting, further: list[str]) -> str:
    variant = setting.file_variant
    own = [*setting.variables[:1], *(variant.variables if variant else ()), *setting.variables[1:]]
    return ", ".join([*(shown for name in own for shown in _shown([name], setting.units.get(name, ""))), *further])


def _kind(setting: Setting, model: type[Settings], schema: Mapping[str, Any]) -> str:
    if setting.shape != "one":
        return {"many": "list", "pairs": "pairs"}[setting.shape]
    if choices := schema.get("enum"):
        return ", ".join(code(str(choice)) for choice in choices)
    annotation = str(model.model_fields[setting.name].annotation)
    if "ByteSize" in annotation:
        return "size"
    if "float" in annotation:
        return "duration"
    words = {"integer": "number", "boolean": "switch", "object": "table"}
    return words.get(str(schema.get("type")), "path" if schema.get("format") == "path" else "text")


def _handler_tables() -> Iterator[str]:
    """What all kinds share, then what each has besides."""
    common = frozenset(ExchangeOptions.model_fields)
    yield "Of executables, HTTP services and ASGI apps; `limit` and `announce` of functions and requests too:"
    yield _options(ExchangeOptions, common)
    for kind, model in _KINDS.items():
        yield f"Of {kind}:"
        yield _options(model, model.model_fields.keys() - common)


def _options(model: type[BaseModel], names: Collection[str]) -> str:
    texts: dict[str, str] = {}
    for each in reversed(model.__mro__):
        texts |= helps(each) if issubclass(each, BaseModel) else {}
    rows = [
        [code(name), _sentence(texts.get(name, "")), _default(model, name)]
        for name in model.model_fields
        if name in names
    ]
    return table(["key", "", "default"], rows)
