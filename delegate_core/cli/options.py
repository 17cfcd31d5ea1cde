"""Command-line options made from settings models: one flag a setting, its help from the model's docstring."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic import ByteSize, SecretStr
from pydantic.fields import FieldInfo

from delegate_core.settings import Setting, Settings, settings_of
from delegate_core.settings.describing import default_of, helps, written

__all__ = ["parameters"]


def parameters(model: type[Settings], skip: Iterable[str] = (), prefix: str = "") -> list[inspect.Parameter]:
    """Parameters of a command for each setting of a model. Not given is None; the settings decide what that means.

    Their names begin with ``prefix``, which no user sees: it tells models apart that have a field of the same name.
    """
    texts = helps(model)
    return [
        _parameter(setting, model, texts.get(name, ""), prefix)
        for name, setting in settings_of(model).items()
        if name not in skip and setting.flag and (setting.from_file or not setting.secret)
    ]


def _parameter(setting: Setting, model: type[Settings], text: str, prefix: str) -> inspect.Parameter:
    field = model.model_fields[setting.name]
    variant = setting.file_variant
    if variant is not None:
        # A secret on the command line would be in every process list, so there is no flag for the value itself.
        option = typer.Option(variant.flag, help=f"File that holds {text}", metavar="PATH", show_default=False)
        return _keyword(prefix + variant.name, str | None, option)
    if field.annotation is bool:
        option = typer.Option(f"{setting.flag}/--no-{setting.flag[2:]}", help=_sentence(text), show_default=False)
        return _keyword(prefix + setting.name, bool | None, option)
    text = _sentence(text) + _default(default_of(model, setting.name))
    option = typer.Option(setting.flag, help=text, metavar=_metavar(setting, field), show_default=False)
    return _keyword(prefix + setting.name, str | None if setting.shape == "one" else list[str] | None, option)


def _keyword(name: str, kind: Any, option: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, option])


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _metavar(setting: Setting, field: FieldInfo) -> str:
    if setting.shape == "pairs":
        return "NAME=VALUE"
    kinds = [field.annotation, *get_args(field.annotation)]
    kinds += [get_args(kind)[0] for kind in kinds if get_origin(kind) is Annotated]
    choices = next((get_args(kind) for kind in kinds if get_origin(kind) is Literal), None)
    if choices:
        return "|".join(map(str, choices))
    names = {int: "NUMBER", float: "DURATION", ByteSize: "SIZE", Path: "PATH"}
    return next((name for kind, name in names.items() if kind in kinds), "TEXT")


def _default(value: Any) -> str:
    """The default as one would write it; nothing for those that are empty or made at run time."""
    if value is None or value in ((), {}, "") or (isinstance(value, SecretStr) and not value.get_secret_value()):
        return ""
    return f" [default: {written(value).strip(chr(34))}]"
