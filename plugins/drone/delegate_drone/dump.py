"""The trace of HTTP calls for whoever looks for a fault: what ``DRONE_RPC_DUMP_HTTP`` asks for.

The token is shown as ``******``. So are the secrets that the server puts into a stage's details: only bodies that are
JSON, and thus can be gone through, are shown, and the texts of errors.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from typing import Any

from delegate_core.http import Reply

__all__ = ["HttpDump"]

_LOG = logging.getLogger("delegate_drone.http")
_HIDDEN = "******"
_SECRET_KEYS = frozenset({"authorization", "netrc", "password", "secret", "secrets", "signer", "token"})
_SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization", "set-cookie", "x-drone-token"})
_ACCOUNT = re.compile(r"://[^/@\s]+@")
_LONGEST = 4096


class HttpDump:
    """Writes calls and their replies, a line for each head, header and body.

    Args:
        token: never written, wherever it turns up.
        bodies: write bodies as well, cut at 4096 characters.
        write: takes one line; by default the logger ``delegate_drone.http``, as INFO.
    """

    def __init__(self, token: str, *, bodies: bool = False, write: Callable[[str], None] = _LOG.info) -> None:
        self._token = token
        self._bodies = bodies
        self._write = write

    def request(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> None:
        """A call goes out."""
        self._line(f"> {method} {url}")
        self._headers(">", headers)
        if self._bodies and body:
            self._line(f"> {_shown(body, error=False)}")

    def reply(self, reply: Reply) -> None:
        """Its reply is here."""
        self._line(f"< {reply.status} to {reply.method} {reply.url}, {len(reply.body)} bytes")
        self._headers("<", reply.headers)
        if self._bodies and reply.body:
            self._line(f"< {_shown(reply.body, error=reply.status >= 300)}")

    def fault(self, method: str, url: str, reason: str) -> None:
        """There will be no reply."""
        self._line(f"! {method} {url}: {reason}")

    def _headers(self, mark: str, headers: Mapping[str, str]) -> None:
        for name, value in headers.items():
            self._line(f"{mark} {name}: {_HIDDEN if name.lower() in _SECRET_HEADERS else value}")

    def _line(self, text: str) -> None:
        self._write(text.replace(self._token, _HIDDEN) if self._token else text)


def _shown(body: bytes, *, error: bool) -> str:
    try:
        return json.dumps(_without_secrets(json.loads(body)))[:_LONGEST]
    except (ValueError, RecursionError):  # half of a reply could hold half of a secret
        text = _ACCOUNT.sub("://******@", body.decode(errors="replace"))
        return repr(text)[:_LONGEST] if error else f"({len(body)} bytes that are no JSON)"


def _without_secrets(value: Any) -> Any:
    match value:
        case dict():
            return {key: _hidden(key, each) for key, each in value.items()}
        case list():
            return [_without_secrets(each) for each in value]
    return value


def _hidden(key: str, value: Any) -> Any:
    if key == "Data" and isinstance(value, str):  # the manifest
        return f"({len(value)} characters)"
    return _HIDDEN if value and key.lower() in _SECRET_KEYS else _without_secrets(value)
