"""What a server answered, and how an answer that cannot be used is described."""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from delegate_core.http.errors import BadReply

__all__ = ["Reply"]

_SHOWN = 200
_LOOKED_AT = 4096
_NAMED_SECRET = re.compile(
    r"""(?i)([\w-]*(?:token|secret|passw|credential|authorization|api[_-]?key)[\w-]*["']?\s*[:=]\s*["']?)"""
    r"""(?:(?:basic|bearer|delegate)\s+)?[^\s"'<>&,;}]+"""
)
_LONG_RUN = re.compile(r"[\w+=.~-]{24,}")


class Reply(NamedTuple):
    """A server's answer. Its repr shows neither headers nor body: both may carry tokens.

    Attributes:
        status: the HTTP status, a redirect's too.
        headers: names in lower case; values of a repeated name joined with a comma.
        body: decompressed.
        method: of the request, for messages.
        url: of the request, for messages.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    method: str = ""
    url: str = ""

    def __repr__(self) -> str:
        return f"Reply({self.status}, {len(self.body)} bytes)"

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            BadReply: the body is not JSON.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise BadReply(self._complaint()) from None

    def _complaint(self) -> str:
        kind = _clean(self.headers.get("content-type", ""))[:_SHOWN]
        return (
            f"{self.method} {_public(self.url)}: status {self.status} with {kind or 'no content type'}: "
            f"{self._suspicion(kind)}{self._excerpt()}"
        )

    def _suspicion(self, kind: str) -> str:
        if not self.body.strip():
            return "answered nothing where JSON was expected"
        if "html" in kind or self.body.lstrip()[:1] == b"<":
            return "answered HTML (a proxy's or a login page? is the address right?): "
        return "answered something that is not JSON: "

    def _excerpt(self) -> str:
        text = self.body[:_LOOKED_AT].decode(errors="replace")
        masked = _LONG_RUN.sub("***", _NAMED_SECRET.sub(r"\1***", _clean(text)))
        return masked[:_SHOWN]


def _clean(text: str) -> str:
    """In one line, without what could steer a terminal."""
    return " ".join("".join(char if char.isprintable() and char != "\ufffd" else " " for char in text).split())


def _public(url: str) -> str:
    """A URL without user, password, query and fragment: any of them may carry a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
