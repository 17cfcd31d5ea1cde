"""Command-line options made from settings models: one flag a setting, its help from the model's docstring."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from delegate_core.settings import Setting, settings_of

__all__ = ["parameters"]

_ATTRIBUTE = re.compile(r"^\s{4}(\w+): (.+(?:\n\s{5,}.+)*)$", re.MULTILINE)


def parameters(model: type[BaseModel], panel: str, skip: Iterable[str] = ()) -> list[inspect.Parameter]:
    """Parameters of a command for each setting of a model. Not given is None; the settings decide what that means."""
    helps = dict(_ATTRIBUTE.findall(inspect.getdoc(model) or ""))
    made: list[inspect.Parameter] = []
    for name, setting in settings_of(model).items():
        if name not in skip:
            made += _parameters(setting, model.model_fields[name], helps, panel)
    return made


def _parameters(setting: Setting, field: FieldInfo, helps: Mapping[str, str], panel: str) -> list[inspect.Parameter]:
    text = " ".join(helps.get(setting.name, "").split())
    variant = setting.file_variant
    if variant is not None:
        # A secret on the command line would be in every process list, so there is no flag for the value itself.
        return [_parameter(variant, str, f"File that holds it: {text}", panel)]
    return [_parameter(setting, bool if field.annotation is bool else str, text, panel)]


def _parameter(setting: Setting, kind: type, text: str, panel: str) -> inspect.Parameter:
    flags = [f"{setting.flag}/--no-{setting.flag[2:]}"] if kind is bool else [setting.flag]
    option = typer.Option(*flags, help=text[:1].upper() + text[1:], rich_help_panel=panel, show_default=False)
    value: Any = (kind if setting.shape == "one" else list[kind]) | None  # type: ignore[valid-type]  # made at run time
    return inspect.Parameter(
        setting.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[value, option]
    )
