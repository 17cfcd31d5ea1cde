"""JSON as Go's encoder writes it and as its decoder reads and refuses it."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from .errors import BadBodyError

__all__ = ["decode", "encode"]

_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}
_WORDS = ("true", "false", "null")


def encode(value: Any) -> bytes:
    """The value on one line, with its line end; what HTML could take for its own is escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.translate(_ESCAPES).encode() + b"\n"


def decode(body: bytes) -> Any:
    """The first value of a body; what comes after it is ignored, and broken text becomes U+FFFD.

    Raises:
        BadBodyError: there is none, it breaks off (``EOF``, ``unexpected EOF``), or it is no JSON.
    """
    text = body.decode("utf-8", "replace").lstrip(" \t\r\n")
    if not text:
        raise BadBodyError("EOF")
    try:
        value, _ = json.JSONDecoder(parse_constant=_refuse).raw_decode(text)
    except json.JSONDecodeError as error:
        raise BadBodyError(_explain(text, error)) from None
    except RecursionError:
        raise BadBodyError("exceeded max depth") from None
    except ValueError:
        raise BadBodyError("json: cannot unmarshal number") from None
    return _without_surrogates(value) if "\\u" in text else value


def _refuse(name: str) -> NoReturn:
    raise BadBodyError(f"invalid character '{name[0]}' looking for beginning of value")


def _explain(text: str, error: json.JSONDecodeError) -> str:
    rest = text[error.pos :].rstrip()
    if not rest or error.msg.startswith("Unterminated") or any(word.startswith(rest) for word in _WORDS):
        return "unexpected EOF"
    return f"invalid character {rest[0]!r} looking for beginning of value"


def _without_surrogates(value: Any) -> Any:
    """Half a surrogate pair is U+FFFD to Go; here it could neither be stored nor sent."""
    match value:
        case str():
            return value.encode("utf-8", "surrogatepass").decode("utf-8", "replace") if _lone(value) else value
        case list():
            return [_without_surrogates(each) for each in value]
        case dict():
            return {_without_surrogates(key): _without_surrogates(each) for key, each in value.items()}
        case _:
            return value


def _lone(text: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in text)
