"""Where a secret is: ``PROVIDER:REFERENCE``, such as ``env:NPM_TOKEN`` or ``vault:secret/ci/npm#token``."""

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

__all__ = ["UNSHOWN", "Reference", "SecretReference"]

UNSHOWN = "secret_reference"
"""The type of the error for a value that is not to be shown: somebody may have written the secret itself."""

_FORM = re.compile(r"([a-z][a-z0-9_-]*):(.+)")


@dataclass(frozen=True, slots=True)
class Reference:
    """A secret's provider, and what that one needs to find it. Neither is secret."""

    provider: str
    place: str

    def __str__(self) -> str:
        return f"{self.provider}:{self.place}"


def _read(value: Any) -> Reference:
    if isinstance(value, Reference):
        return value
    found = _FORM.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise PydanticCustomError(
            UNSHOWN, "say where the secret is, not what it is: env:NAME, file:PATH or vault:PATH#FIELD"
        )
    return Reference(found[1], found[2])


SecretReference = Annotated[
    Reference,
    PlainValidator(_read),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{_FORM.pattern}$", "examples": ["env:NPM_TOKEN", "file:/run/npm"]}),
]
"""A setting that says where a secret is."""
