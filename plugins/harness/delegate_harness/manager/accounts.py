"""The manager's accounts and their delegate tokens."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace

from .records import Account, Token, TokenState

__all__ = ["DEFAULT_TOKEN", "Accounts", "key_of"]

DEFAULT_TOKEN = "default_token"  # noqa: S105 - the name of a token, not its value


class Accounts:
    """Accounts by id; ``epoch`` grows whenever a token changes, so that checks made before are void."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self.epoch = 0

    def add(self, account_id: str, secret: str | None = None) -> Account:
        """Make an account.

        Args:
            account_id: Its id.
            secret: Its key, 32 hexadecimal digits; None: a random one.

        Raises:
            ValueError: The secret is not 16 bytes in hexadecimal.
        """
        secret = secrets.token_hex(16) if secret is None else secret
        key_of(secret)
        account = Account(account_id, secret, {DEFAULT_TOKEN: Token(DEFAULT_TOKEN, secret)})
        self._accounts[account_id] = account
        self.epoch += 1
        return account

    def get(self, account_id: str) -> Account | None:
        """The account of that id."""
        return self._accounts.get(account_id)

    def add_token(self, account_id: str, name: str, secret: str | None = None) -> Token:
        """Give an account one more token (a random key where none is named)."""
        token = Token(name, secrets.token_hex(16) if secret is None else secret)
        key_of(token.secret)
        self._put(account_id, token)
        return token

    def revoke_token(self, account_id: str, name: str = DEFAULT_TOKEN) -> None:
        """Put a token out of force: whoever comes with it is told REVOKED_TOKEN."""
        self._put(account_id, replace(self._accounts[account_id].tokens[name], state=TokenState.REVOKED))

    def _put(self, account_id: str, token: Token) -> None:
        self._accounts[account_id].tokens[token.name] = token
        self.epoch += 1


def key_of(secret: str) -> bytes:
    """The encryption key of a secret.

    Raises:
        ValueError: It is not 16 bytes in hexadecimal.
    """
    try:
        key = bytes.fromhex(secret)
    except ValueError:
        raise ValueError("an account secret must be 32 hexadecimal digits, this one has others") from None
    if len(key) != 16:
        raise ValueError(f"an account secret must be 16 bytes in hexadecimal, this one has {len(key)}")
    return key


def candidates(account: Account) -> Iterator[tuple[str, TokenState]]:
    """Secrets to try on a caller's token, in the manager's order: active, revoked, the account key."""
    for state in (TokenState.ACTIVE, TokenState.REVOKED):
        yield from ((token.secret, state) for token in account.tokens.values() if token.state is state)
    yield account.secret, TokenState.ACTIVE
