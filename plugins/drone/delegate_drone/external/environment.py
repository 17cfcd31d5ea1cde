"""Where a build's extra variables come from: the runner's settings, and an extension."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field, TypeAdapter, ValidationError

from delegate_drone.external.client import Extension, subject
from delegate_drone.external.errors import ExtensionFailed, VariablesError
from delegate_drone.wire import Details, WireModel

__all__ = ["EnvironmentSources", "Variables"]

_ACCEPT = "application/vnd.drone.env.v2+json"


@dataclass(frozen=True, slots=True)
class Variables:
    """The extra variables of a build.

    Attributes:
        plain: shown where they are printed.
        masked: to be treated as secrets. No name is in both.
    """

    plain: Mapping[str, str] = field(default_factory=dict, repr=False)
    masked: Mapping[str, str] = field(default_factory=dict, repr=False)


class _Variable(WireModel):
    """A variable as the extension gives it."""

    name: str
    data: str = Field(default="", repr=False)
    mask: bool = False


_LIST = TypeAdapter(list[_Variable])
_MAP = TypeAdapter(dict[str, str])


class EnvironmentSources:
    """The variables of the runner's settings, and over them those of the extension.

    Args:
        static: from the settings; not masked.
        extension: asked for each build.
    """

    def __init__(self, static: Mapping[str, str] | None = None, extension: Extension | None = None) -> None:
        self.static = dict(static or {})
        self._extension = extension

    async def resolve(self, details: Details) -> Variables:
        """The variables of a build.

        Raises:
            VariablesError: the extension failed. The stage must fail; ``static`` is still there.
        """
        given = await self._given(self._extension, details) if self._extension else []
        latest = {each.name: each for each in given if each.name}
        plain = {name: each.data for name, each in latest.items() if not each.mask}
        masked = {name: each.data for name, each in latest.items() if each.mask}
        static = {name: value for name, value in self.static.items() if name not in latest}
        return Variables({**static, **plain}, masked)

    async def _given(self, extension: Extension, details: Details) -> list[_Variable]:
        try:
            answer = await extension.ask(_ACCEPT, subject(details))
        except ExtensionFailed as error:
            raise VariablesError(str(error)) from None
        try:
            return _variables(answer)
        except ValidationError:
            cure = "it should answer a list of {name, data, mask}"
            raise VariablesError(f"{extension.name} answered something that is no list of variables: {cure}") from None


def _variables(answer: Any) -> list[_Variable]:
    """A map is version 1 of the protocol, which knows no masking; old extensions answer it whatever they are asked."""
    if isinstance(answer, dict):
        return [_Variable(name=name, data=value) for name, value in _MAP.validate_python(answer).items()]
    return _LIST.validate_python(answer or [])
