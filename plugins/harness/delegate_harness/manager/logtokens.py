"""Tokens of the log service: signed by the manager, bound to one account."""

from __future__ import annotations

from collections.abc import Callable

import jwt

__all__ = ["LogTokenError", "LogTokens"]

LIFETIME_SECONDS = 48 * 3600
_RENEW_SECONDS = 3600
_LEAST_KEY_BYTES = 32


class LogTokenError(Exception):
    """A log token that is not ours, is for something else, or has expired."""


class LogTokens:
    """Signs and checks log tokens and upload links.

    Args:
        key: Signing key, at least 32 bytes.
        clock: Seconds since the epoch.
    """

    def __init__(self, key: bytes, clock: Callable[[], float]) -> None:
        if len(key) < _LEAST_KEY_BYTES:
            raise ValueError(f"the signing key needs {_LEAST_KEY_BYTES} bytes, this one has {len(key)}")
        self._key = key
        self._clock = clock
        self._issued: dict[str, tuple[float, str]] = {}

    def issue(self, account_id: str) -> str:
        """A token for the account's logs, valid for 48 hours; the same one for an hour."""
        made, token = self._issued.get(account_id, (0.0, ""))
        now = self._clock()
        if not token or now - made > _RENEW_SECONDS:
            token = self._sign({"accountID": account_id, "exp": int(now) + LIFETIME_SECONDS})
            self._issued[account_id] = (now, token)
        return token

    def account_of(self, token: str) -> str:
        """The account a token was issued to.

        Raises:
            LogTokenError: It is none of ours, or has expired.
        """
        return self._verified(token)["accountID"]

    def issue_link(self, account_id: str, key: str, expires: float) -> str:
        """A token that allows one upload address: this key of this account."""
        return self._sign({"linkFor": account_id, "key": key, "exp": int(expires)})

    def link_target(self, token: str) -> tuple[str, str]:
        """The account and key an upload link was made for; raises LogTokenError as ``account_of``."""
        claims = self._verified(token, "linkFor")
        return claims["linkFor"], claims["key"]

    def _sign(self, claims: dict[str, object]) -> str:
        return jwt.encode(claims, self._key, algorithm="HS256")

    def _verified(self, token: str, purpose: str = "accountID") -> dict[str, str]:
        try:
            options: jwt.types.Options = {"verify_exp": False, "require": ["exp", purpose]}
            claims: dict[str, str] = jwt.decode(token, self._key, algorithms=["HS256"], options=options)
        except jwt.InvalidTokenError as error:
            raise LogTokenError(f"invalid log token: {error}") from None
        if float(claims["exp"]) <= self._clock():
            raise LogTokenError("the log token has expired")
        return claims
