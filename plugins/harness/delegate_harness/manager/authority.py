"""Who may call: the check of the header ``Authorization: Delegate <token>``."""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from .accounts import Accounts, candidates, key_of
from .exchange import RefusalError
from .records import Account, TokenState

__all__ = ["Authority"]

_CACHE_LIMIT = 1_000
_ALGORITHMS = ["dir", "A128GCM"]


class Authority:
    """Checks delegate tokens as the manager does: a key that decrypts, and ``exp``; no other claim counts.

    What was decrypted once is remembered until it expires or any token of the manager changes.

    Args:
        accounts: Whose tokens are tried.
        clock: Seconds since the epoch.
    """

    def __init__(self, accounts: Accounts, clock: Callable[[], float]) -> None:
        self._accounts = accounts
        self._clock = clock
        self._seen: dict[tuple[str, str], float] = {}
        self._epoch = accounts.epoch

    def check(self, account_id: str, header: str, *, skew: float = 0.0) -> None:
        """Let the caller pass, or raise.

        Args:
            account_id: From the query.
            header: The Authorization header, empty where it is missing.
            skew: Seconds the manager's clock goes ahead in this check.

        Raises:
            RefusalError: 401 with INVALID_TOKEN, EXPIRED_TOKEN or REVOKED_TOKEN; 500 where the header does
                not say ``Delegate``.
        """
        if self._expiry(account_id, header) <= self._clock() + skew:
            raise _unauthorized("EXPIRED_TOKEN", "the token has expired")

    def _expiry(self, account_id: str, header: str) -> float:
        self._forget_outdated()
        expiry = self._seen.get((account_id, header))
        if expiry is None:
            expiry = self._decrypt(account_id, header)
            self._seen[account_id, header] = expiry
        return expiry

    def _forget_outdated(self) -> None:
        if self._epoch != self._accounts.epoch or len(self._seen) >= _CACHE_LIMIT:
            self._seen.clear()
            self._epoch = self._accounts.epoch

    def _decrypt(self, account_id: str, header: str) -> float:
        if "Delegate" not in header:
            raise RefusalError(HTTPStatus.INTERNAL_SERVER_ERROR, "DEFAULT_ERROR_CODE", "not a delegate's token")
        account = self._accounts.get(account_id)
        token = header.partition("Delegate")[2].strip()
        return _first_fit(account, token) if account else _reject()


def _first_fit(account: Account, token: str) -> float:
    for secret, state in candidates(account):
        expiry = _expiry_claim(token, secret)
        if expiry is None:
            continue
        if state is TokenState.REVOKED:
            raise _unauthorized("REVOKED_TOKEN", "the token has been revoked")
        return expiry
    return _reject()


def _expiry_claim(token: str, secret: str) -> float | None:
    """The claim ``exp``, or None where this secret does not open the token or it holds no such claim."""
    try:
        opened = jwe.decrypt_compact(token, OctKey.import_key(key_of(secret)), algorithms=_ALGORITHMS)
        return float(json.loads(opened.plaintext or b"")["exp"])
    except (JoseError, ValueError, TypeError, KeyError, RecursionError):
        return None


def _reject() -> float:
    raise _unauthorized("INVALID_TOKEN", "no token of the account fits")


def _unauthorized(code: str, message: str) -> RefusalError:
    return RefusalError(HTTPStatus.UNAUTHORIZED, code, message, headers={"X-Harness-Error": code})
