"""What a scalar means where YAML types it, and the values that manifests are made of."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping as AbstractMapping
from dataclasses import dataclass
from typing import TypeAlias

from delegate_drone.manifest.nodes import Mapping, Mark, Node, Scalar, Sequence

__all__ = [
    "EnvironmentValue",
    "SecretRef",
    "Setting",
    "Value",
    "is_null",
    "parse_size",
    "plain_value",
    "scalar_text",
    "scalar_value",
]

Value: TypeAlias = "bool | int | float | str | bytes | tuple[Value, ...] | AbstractMapping[str, Value] | None"
"""A typed YAML value: settings are made of these."""

_PREFIX = "tag:yaml.org,2002:"
_TRUE = frozenset({"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"})
_FALSE = frozenset({"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"})
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_WORDS: dict[str, bool | float] = {
    **dict.fromkeys(_TRUE, True),
    **dict.fromkeys(_FALSE, False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((sign + word for sign in ("", "+") for word in (".inf", ".Inf", ".INF")), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}
_INTEGER = re.compile(r"[-+]?(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<bin>[01]+)|0[oO]?(?P<oct>[0-7]+)|[1-9][0-9]*|0)$")
_FLOAT = re.compile(r"[-+]?[0-9]*\.?[0-9]+([eE][-+][0-9]+)?$")
_NUMERIC_START = frozenset("+-.0123456789")
_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?) ?(?P<unit>[kmgtp]?)(?:i?b)?$", re.IGNORECASE)
_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_LONGEST_NUMBER = 400


@dataclass(frozen=True, slots=True)
class SecretRef:
    """``from_secret: name``; ``value`` is what stands beside it, for runs without that secret."""

    name: str
    mark: Mark
    value: str = ""


EnvironmentValue: TypeAlias = str | SecretRef
"""An environment value keeps the text of the file: `1.10`, `010` and `yes` stay what they are."""

Setting: TypeAlias = "Value | SecretRef"
"""A plugin's setting is typed, or comes from a secret."""


def is_null(node: Node) -> bool:
    """Whether the node is written as nothing, ``~`` or ``null``."""
    return isinstance(node, Scalar) and scalar_value(node) is None


def scalar_value(node: Scalar) -> bool | int | float | str | bytes | None:
    """The scalar typed as Drone's parser does.

    That is YAML 1.1 with its truth words (``y`` and ``on`` too), ``010`` as octal 8 and ``1_000`` as 1000, but without
    base 60 and dates, which stay text; a float with an exponent needs the exponent's sign. A scalar that variables were
    put into stays text, or a build's metadata would decide its type; only an empty one is null.
    """
    if node.tag is not None and node.tag != "!":
        return _tagged(node.text, node.tag.removeprefix(_PREFIX))
    if not node.plain or node.tag == "!":
        return node.text
    if node.substituted:
        return node.text or None
    return _resolved(node.text)


def _tagged(text: str, tag: str) -> bool | int | float | str | bytes | None:
    value = _resolved(text)
    if tag == "binary":
        return _binary(text)
    if tag == "float" and isinstance(value, int):
        return float(value)
    return value if tag in {"bool", "int", "float", "null"} else text


def _binary(text: str) -> bytes | str:
    try:
        return base64.b64decode(text, validate=False)
    except (binascii.Error, ValueError):
        return text


def _resolved(text: str) -> bool | int | float | str | None:
    if text in _NULL:
        return None
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in _NUMERIC_START and len(text) <= _LONGEST_NUMBER:
        return _number(text.replace("_", ""), text)
    return text


def _number(digits: str, text: str) -> int | float | str:
    integer = _integer(digits)
    if integer is not None and -(2**63) <= integer < 2**64:
        return integer
    return float(digits) if _FLOAT.match(digits) else text


def _integer(digits: str) -> int | None:
    found = _INTEGER.match(digits)
    if found is None:
        return None
    sign = -1 if digits.startswith("-") else 1
    for name, base in (("hex", 16), ("bin", 2), ("oct", 8)):
        if found[name] is not None:
            return sign * int(found[name], base)
    return int(digits)


def scalar_text(node: Scalar) -> str:
    """The scalar where a text is wanted: as written, null as empty, ``!!binary`` decoded."""
    value = scalar_value(node)
    if value is None:
        return ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else node.text


def plain_value(node: Node) -> Value:
    """The whole node as typed values; of keys given twice the last wins, as in Drone."""
    match node:
        case Scalar():
            return scalar_value(node)
        case Sequence():
            return tuple(plain_value(item) for item in node.items)
        case Mapping():
            return {_key(entry.key): plain_value(entry.value) for entry in node.entries}


def _key(node: Node) -> str:
    return scalar_text(node) if isinstance(node, Scalar) else "{}"


def parse_size(text: str) -> int | None:
    """A number of bytes: ``1024``, ``1k`` = ``1KiB`` = 1024, ``1.5g``; None if it is no size."""
    if re.fullmatch(r"-?\d{1,18}", text):
        return int(text)
    found = _SIZE.match(text)
    if found is None or len(text) > 40:
        return None
    return int(float(found["number"]) * 1024 ** _UNITS[found["unit"].lower()])
