"""Settings as people and editors read them: their help, their values as written in a file, their JSON schema."""

import inspect
import json
import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from pydantic import BaseModel, ByteSize, SecretBytes, SecretStr
from pydantic_core import PydanticUndefined

from delegate_core.settings.durations import format_duration
from delegate_core.settings.naming import settings_of

__all__ = ["default_of", "helps", "json_schema", "written"]

_ATTRIBUTE = re.compile(r"^\s{4}(\w+): (.+(?:\n\s{5,}.+)*)$", re.MULTILINE)

_HIDDEN = "******"


def helps(model: type[BaseModel]) -> dict[str, str]:
    """What the model's docstring says of each field, as one line."""
    found = _ATTRIBUTE.findall(inspect.getdoc(model) or "")
    return {name: " ".join(text.replace("``", "").split()) for name, text in found}


def written(value: Any) -> str:  # noqa: C901, PLR0911 - a case for each kind of value
    """A value as it would stand in the settings file; a secret's is hidden, and None is empty."""
    match value:
        case None:
            return ""
        case SecretStr() | SecretBytes():
            return json.dumps(_HIDDEN if value.get_secret_value() else "")
        case bool():
            return "true" if value else "false"
        case ByteSize():
            return json.dumps(_size(value))
        case float():
            return json.dumps(format_duration(value))
        case int():
            return str(value)
        case str() | PurePath():
            return json.dumps(str(value), ensure_ascii=False)
        case Mapping():
            pairs = ", ".join(f"{_key(str(name))} = {written(each)}" for name, each in value.items())
            return f"{{ {pairs} }}" if pairs else "{}"
        case BaseModel():
            return written(dict(value))
        case ((str(), str()), *_) if all(_is_pair(each) for each in value):
            return written(dict(value))
        case list() | tuple() | set() | frozenset():
            return f"[{', '.join(written(each) for each in value)}]"
        case _:
            return json.dumps(str(value), ensure_ascii=False)


def _is_pair(value: Any) -> bool:
    """A name and its value, of a setting that is a table in the file and keeps its order."""
    return isinstance(value, tuple) and [type(part) for part in value] == [str, str]


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of a settings table: what may be written there, a secret's file variant included."""
    schema = model.model_json_schema()
    texts = helps(model)
    properties = {name: _property(part, texts.get(name, "")) for name, part in schema.get("properties", {}).items()}
    for setting in settings_of(model).values():
        if setting.file_variant is not None:
            text = f"file that holds {texts.get(setting.name, setting.name)}"
            properties[setting.file_variant.name] = {"type": "string", "description": text}
    made = {"type": "object", "additionalProperties": False, "properties": properties}
    return {**made, "$defs": schema["$defs"]} if "$defs" in schema else made


def _property(part: Mapping[str, Any], text: str) -> dict[str, Any]:
    """A field's schema with its help. What stands for "not given" is left out of a file, so it is not in here."""
    kept = {key: value for key, value in part.items() if key != "title" and not (key == "default" and value is None)}
    choices = [choice for choice in kept.pop("anyOf", []) if choice != {"type": "null"}]
    if len(choices) == 1:
        kept.update(choices[0])
    elif choices:
        kept["anyOf"] = choices
    return {**kept, "description": text} if text else kept


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name)


def _size(value: int) -> str:
    """In the largest unit that needs no fraction."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value % 1024 or not value or unit == "GiB":
            break
        value //= 1024
    return f"{value}{unit}"


def default_of(model: type[BaseModel], name: str) -> Any:
    """A field's default; None where it has none, or one that is made at run time."""
    default = model.model_fields[name].default
    return None if default is PydanticUndefined else default
