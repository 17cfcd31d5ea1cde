"""A pipeline of any other type than exec and docker: one task for the handler of that type.

::

    kind: pipeline
    type: fib
    name: numbers
    n: 30

What is left of the document without the keys that mean something to Drone is the handler's data. Values may come from
secrets, at any depth. Under ``x-delegate`` stands what is for the runner: ``timeout``, seconds, for a deadline earlier
than the repository's; and ``data``, for data that is no map, or that needs one of Drone's keys.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping

from delegate_core.model import JsonValue
from delegate_drone.manifest import Foreign, Value

__all__ = ["MissingSecret", "handler_data", "secret_names", "wanted_timeout"]

_OF_DRONE = frozenset(
    ("kind", "type", "name", "trigger", "depends_on", "platform", "node", "clone", "concurrency", "x-delegate")
)
_FROM_SECRET = "from_secret"  # noqa: S105 - a key of the manifest


class MissingSecret(ValueError):
    """The data asks for a secret that this build has not."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no secret {name} for this build")


def handler_data(document: Foreign, secrets: Mapping[str, str]) -> JsonValue:
    """The data of the document's task.

    Args:
        document: with its variables already put in.
        secrets: the values by name.

    Raises:
        MissingSecret: it asks for one that is not there.
    """
    return _json(_payload(document), secrets)


def secret_names(document: Foreign) -> tuple[str, ...]:
    """The secrets that the data asks for, each once."""
    return tuple(dict.fromkeys(_names(_payload(document))))


def wanted_timeout(document: Foreign) -> float | None:
    """Seconds after which the document wants its task ended; None if it does not say."""
    seconds = _own(document).get("timeout")
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    return float(seconds) if is_number and 0 < seconds < math.inf else None  # type: ignore[arg-type, operator]  # a number


def _payload(document: Foreign) -> Value:
    own = _own(document)
    if "data" in own:
        return own["data"]
    fields = document.data if isinstance(document.data, Mapping) else {}
    return {name: value for name, value in fields.items() if name not in _OF_DRONE}


def _own(document: Foreign) -> Mapping[str, Value]:
    own = document.data.get("x-delegate") if isinstance(document.data, Mapping) else None
    return own if isinstance(own, Mapping) else {}


def _secret(value: Value) -> str | None:
    """The name, if the value is ``{from_secret: name}``."""
    name = value.get(_FROM_SECRET) if isinstance(value, Mapping) and len(value) == 1 else None
    return name if isinstance(name, str) else None


def _names(value: Value) -> Iterator[str]:
    name = _secret(value)
    if name is not None:
        yield name
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _names(item)
    elif isinstance(value, tuple):
        for item in value:
            yield from _names(item)


def _json(value: Value, secrets: Mapping[str, str]) -> JsonValue:
    name = _secret(value)
    if name is not None:
        if name not in secrets:
            raise MissingSecret(name)
        return secrets[name]
    match value:
        case bytes():
            return base64.b64encode(value).decode()
        case float() if not math.isfinite(value):
            return str(value)
        case tuple():
            return [_json(item, secrets) for item in value]
        case Mapping():
            return {str(key): _json(item, secrets) for key, item in value.items()}
        case _:
            return value
