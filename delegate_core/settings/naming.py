"""What a setting is called: as a flag, in the environment, in the file.

A field `poll_interval` is the flag `--poll-interval`, the variable `DELEGATE_POLL_INTERVAL`, and `poll_interval` in
the file. A field may name another flag, and further variables that other programs gave it:

    class HarnessSettings(BaseModel):
        account_id: Annotated[str, Environment("DRONE_DELEGATE_ACCOUNT_ID", "DLITE_ACCOUNT_ID")]
        tags: Annotated[tuple[str, ...], Flag("tag")] = ()
        account_secret: SecretStr

A `SecretStr` can also be given as the name of a file that holds it: `account_secret_file`, everywhere.
"""

import types
import typing
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, SecretBytes, SecretStr
from pydantic.fields import FieldInfo

__all__ = ["PREFIX", "Environment", "FileOnly", "Flag", "Setting", "nearest", "settings_of"]

PREFIX = "DELEGATE_"
"""What our own environment variables begin with."""

Shape = Literal["one", "many", "pairs"]


class Environment:
    """Further environment variables of a field, asked in this order after our own.

    Args:
        names: the variables.
        unit: what a bare number in them means: ``ms`` for a variable that holds milliseconds.
    """

    def __init__(self, *names: str, unit: str = "") -> None:
        self.names = names
        self.unit = unit


@dataclass(frozen=True, slots=True)
class Flag:
    """Another name for a field's flag and variable: `Flag("tag")` for `tags`.

    Attributes:
        name: of the flag.
        variable: what stands behind `DELEGATE_`, where that is not the flag's name.
    """

    name: str
    variable: str = ""


@dataclass(frozen=True, slots=True)
class FileOnly:
    """A field that is a tree: given in the settings file, or by a program, but by no flag and no variable."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A field of a settings model, and what it is called.

    Attributes:
        name: of the field, and in the file.
        flag: with its dashes; empty for one that only the file has.
        variables: of the environment, in order of precedence.
        secret: never shown.
        from_file: may be read from a file of its own: a secret, unless the model has a field for that file itself.
        shape: one value, many (a comma between them), or pairs (`name=value`, a comma between them).
        units: of a bare number, by variable.
    """

    name: str
    flag: str
    variables: tuple[str, ...]
    secret: bool
    shape: Shape
    units: Mapping[str, str] = field(default_factory=dict)
    from_file: bool = False

    def also(self, environment: Environment | None) -> "Setting":
        """The setting with further variables."""
        if environment is None:
            return self
        units = {**self.units, **dict.fromkeys(environment.names, environment.unit)}
        return replace(self, variables=(*self.variables, *environment.names), units=units)

    @property
    def file_variant(self) -> "Setting | None":
        """The setting that names the file of a secret."""
        if not self.from_file:
            return None
        return Setting(f"{self.name}_file", f"{self.flag}-file", (f"{self.variables[0]}_FILE",), False, "one")


def settings_of(model: type[BaseModel]) -> Mapping[str, Setting]:
    """Every setting of a model by its field's name, in the order of the fields."""
    fields = model.model_fields
    settings = {name: _setting(name, field) for name, field in fields.items()}
    return {
        name: replace(setting, from_file=setting.secret and f"{name}_file" not in fields)
        for name, setting in settings.items()
    }


def nearest(name: str, names: Collection[str]) -> str | None:
    """The name that was probably meant."""
    found = get_close_matches(name, names, n=1)
    return found[0] if found else None


def _setting(name: str, info: FieldInfo) -> Setting:
    given = next((mark for mark in info.metadata if isinstance(mark, Flag)), Flag(name.replace("_", "-")))
    flag = given.name
    own = PREFIX + (given.variable or flag.replace("-", "_").upper())
    kinds = set(_kinds(info.annotation))
    secret = not kinds.isdisjoint({SecretStr, SecretBytes})
    if any(isinstance(mark, FileOnly) for mark in info.metadata):
        return Setting(name, "", (), secret, "one")
    setting = Setting(name, f"--{flag}", (own,), secret, _shape(kinds))
    for mark in info.metadata:
        if isinstance(mark, Environment):
            setting = setting.also(mark)
    return setting


def _shape(kinds: set[Any]) -> Shape:
    if not kinds.isdisjoint({dict, Mapping}):
        return "pairs"
    return "one" if kinds.isdisjoint({tuple, list, set, frozenset}) else "many"


def _kinds(annotation: Any) -> list[Any]:
    """The classes an annotation allows, without their parameters: `tuple[str, ...] | None` is tuple and None."""
    origin = get_origin(annotation)
    if origin in {typing.Union, types.UnionType}:
        return [kind for part in get_args(annotation) for kind in _kinds(part)]
    if origin is typing.Annotated:
        return _kinds(get_args(annotation)[0])
    return [origin or annotation]
