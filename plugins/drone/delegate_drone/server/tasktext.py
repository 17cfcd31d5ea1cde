"""A task of one type as a manifest: JSON values are YAML, once their characters are such that YAML keeps them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from delegate_core.model import JsonValue

__all__ = ["write_task"]

_OF_DRONE = frozenset(
    ("kind", "type", "name", "trigger", "depends_on", "platform", "node", "clone", "concurrency", "x-delegate", "<<")
)
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")


def write_task(task_type: str, data: JsonValue, timeout: float) -> str:
    """A document with the data's keys beside ``kind``, ``type`` and ``name``.

    Data that is no object, or has a key that means something to Drone, stands under ``x-delegate``, where a runner of
    ours looks for it, and for the timeout in seconds.
    """
    flat = isinstance(data, Mapping) and not _OF_DRONE & data.keys()
    own: dict[str, JsonValue] = {"timeout": timeout} if flat else {"timeout": timeout, "data": data}
    document: dict[str, JsonValue] = {"kind": "pipeline", "type": task_type, "name": task_type, "x-delegate": own}
    if flat and isinstance(data, Mapping):
        document.update(data)
    return "".join(f"{_write(name)}: {_write(_unsubstituted(value))}\n" for name, value in document.items())


def _unsubstituted(value: JsonValue) -> JsonValue:
    """The value with its dollar signs doubled: one of each pair is left when variables have been put in."""
    match value:
        case str():
            return value.replace("$", "$$")
        case list():
            return [_unsubstituted(item) for item in value]
        case dict():
            return {key: _unsubstituted(item) for key, item in value.items()}
        case _:
            return value


def _write(value: JsonValue) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
