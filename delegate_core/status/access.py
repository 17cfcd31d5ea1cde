"""Who may look: a token that only this machine's user can read, or a user with a password."""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["COOKIE", "Access"]

COOKIE = "delegate_token"


@dataclass(frozen=True, slots=True)
class Access:
    """What a caller has to know.

    Args:
        token: as ``Authorization: Bearer``, or in the cookie that a page's first call leaves.
        user: for basic authentication; without a password nobody gets in by it.
        password: of the user.
    """

    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def scheme(self) -> str:
        """What a refused caller is told to come with."""
        return 'Basic realm="delegate"' if self.password else "Bearer"

    def admits(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> bool:
        """Whether a request may pass. Every comparison takes the same time whatever is wrong."""
        kind, _, given = headers.get("authorization", "").partition(" ")
        match kind.lower():
            case "bearer":
                return self.is_token(given.strip())
            case "basic":
                return self._is_user(given.strip())
        return self.is_token(cookies.get(COOKIE, ""))

    def caller(self, headers: Mapping[str, str]) -> str:
        """Who has been admitted: the user, or for whoever has the token, "the operator"."""
        return self.user if headers.get("authorization", "").lower().startswith("basic ") else "the operator"

    def is_token(self, given: str) -> bool:
        """Whether this is the token."""
        return _same(given, self.token)

    def _is_user(self, given: str) -> bool:
        try:
            user, _, password = base64.b64decode(given, validate=True).decode().partition(":")
        except ValueError:
            return False
        right_user, right_password = _same(user, self.user), _same(password, self.password)
        return right_user and right_password and bool(self.password)


def _same(given: str, wanted: str) -> bool:
    """Whether two texts are the same, in a time that does not tell how far they are."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), wanted.encode("utf-8", "surrogatepass"))
