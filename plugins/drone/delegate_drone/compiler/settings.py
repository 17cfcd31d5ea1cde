"""A plugin's settings as the variables that it reads."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping

from delegate_drone.manifest import SecretRef, Setting, Value

__all__ = ["encode", "plugin_variables"]


def plugin_variables(settings: Mapping[str, Setting]) -> dict[str, str | SecretRef]:
    """``PLUGIN_`` and the key in upper case; a setting without a value is left out."""
    named = {f"PLUGIN_{key.upper()}": value for key, value in settings.items() if value is not None}
    return {name: value if isinstance(value, SecretRef) else encode(value) for name, value in named.items()}


def encode(value: Value) -> str:
    """A typed value as Drone's plugins expect it: a list of scalars with commas between, everything deeper as JSON."""
    if isinstance(value, Mapping) or (isinstance(value, tuple) and any(map(_is_deep, value))):
        return json.dumps(_json(value), separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    if isinstance(value, tuple):
        return ",".join(map(_scalar, value))
    return _scalar(value)


def _is_deep(value: Value) -> bool:
    return isinstance(value, Mapping | tuple)


def _scalar(value: Value) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case bytes():
            return base64.b64encode(value).decode()
        case float():
            return _float(value)
        case _:
            return str(value)


def _float(value: float) -> str:
    """The shortest digits that give this float again, in Go's spelling: an exponent from 21 digits on."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value.is_integer() and abs(value) < 1e21:
        return str(int(value)) if value or math.copysign(1, value) > 0 else "-0"
    return repr(value)


def _json(value: Value) -> object:
    """JSON's own types; what it has no number for becomes text."""
    match value:
        case Mapping():
            return {key: _json(each) for key, each in value.items()}
        case tuple():
            return [_json(each) for each in value]
        case bytes():
            return _scalar(value)
        case float() if not math.isfinite(value):
            return _scalar(value)
        case _:
            return value
