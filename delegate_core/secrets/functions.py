"""The functions of expressions: ``<{ text | name }>``. Each takes a text and returns one.

To add one, write a function whose first docstring line says what it does, and name it in `FUNCTIONS`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shlex
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote

__all__ = ["FUNCTIONS"]


def _base64(text: str) -> str:
    """Standard base64, padded, of the UTF-8 text."""
    return base64.b64encode(_bytes(text)).decode()


def _from_base64(text: str) -> str:
    """The UTF-8 text that standard base64 stands for."""
    try:
        return base64.b64decode(text, validate=True).decode()
    except ValueError:
        raise ValueError("the text is no base64 of UTF-8") from None  # the original error quotes it


def _url_encode(text: str) -> str:
    """Percent-encoding of everything but letters, digits and ``_.-~``."""
    return quote(_bytes(text), safe="")


def _json_escape(text: str) -> str:
    """The text as it stands between the quotes of a JSON string."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _shell_quote(text: str) -> str:
    """One word for a POSIX shell."""
    return shlex.quote(text)


def _sha256(text: str) -> str:
    """The SHA-256 sum of the UTF-8 text, in hex digits."""
    return hashlib.sha256(_bytes(text)).hexdigest()


def _trim(text: str) -> str:
    """Without the whitespace around it."""
    return text.strip()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


FUNCTIONS: Final[Mapping[str, Callable[[str], str]]] = {
    "getAsBase64": _base64,
    "fromBase64": _from_base64,
    "urlEncode": _url_encode,
    "jsonEscape": _json_escape,
    "shellQuote": _shell_quote,
    "sha256": _sha256,
    "trim": _trim,
}
