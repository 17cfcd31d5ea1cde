"""Delegate tokens: made from the account's secret, or given ready."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import jwt
from joserfc import jwe
from joserfc.jwk import OctKey
from joserfc.jwt import encode

from delegate_core.errors import CredentialsError
from delegate_core.model import Credentials

__all__ = ["MadeTokens", "ReadyToken", "Tokens", "parse_secret"]

LIFETIME = 20 * 60
"""Seconds that a token is valid: what the Go delegate client asks for."""

RENEWED_AFTER = LIFETIME / 2
"""Seconds after which a token is made anew."""

_HEADER = {"alg": "dir", "enc": "A128GCM", "typ": "JWT"}
_SECRET_BYTES = 16
_COMPACT = re.compile(r"[\w-]+(\.[\w-]*){2}|[\w-]+(\.[\w-]*){4}", re.ASCII)
_SIGNED_DOTS = 2

_log = logging.getLogger(__name__)


class Tokens(Protocol):
    """Where the token of a request comes from."""

    def header(self) -> str:
        """The value of the Authorization header."""
        ...

    def renew(self, refused: str) -> bool:
        """After the server called the token of this header expired: see to another. False: there is no other.

        Several calls may be refused with one token: only the first of them makes or reads another.
        """
        ...


def parse_secret(secret: str) -> bytes:
    """The key in an account's secret.

    Raises:
        CredentialsError: it is not 32 hexadecimal digits. The text does not show it.
    """
    cure = "copy the delegate token of the account again: 32 hexadecimal digits"
    try:
        key = bytes.fromhex(secret.strip())
    except ValueError:
        raise CredentialsError(f"the account secret is not hexadecimal; {cure}") from None
    if len(key) != _SECRET_BYTES:
        raise CredentialsError(f"the account secret decodes to {len(key)} bytes, {_SECRET_BYTES} needed; {cure}")
    return key


class MadeTokens(Credentials):
    """Tokens made from the account's secret: JWE, direct encryption with A128GCM, as the manager expects them."""

    def __init__(self, account_id: str, secret: str, *, clock: Callable[[], float] = time.time) -> None:
        self._account_id = account_id
        self._key = OctKey.import_key(parse_secret(secret))
        self._clock = clock
        self._header = ""
        self._made = float("-inf")

    def header(self) -> str:
        """The token, made anew at half its life."""
        now = self._clock()
        # Also when the clock was set back, for the token's times would lie in the future.
        if not 0 <= now - self._made < RENEWED_AFTER:
            self._header = f"Delegate {self._make(int(now))}"
            self._made = now
        return self._header

    def renew(self, refused: str) -> bool:
        """Make another at the next call, unless that was done since."""
        if refused == self._header:
            self._made = float("-inf")
        return True

    def _make(self, now: int) -> str:
        claims = {
            "iss": "issuer",
            "sub": self._account_id,
            "aud": ["audience"],
            "iat": now,
            "exp": now + LIFETIME,
            "jti": str(uuid.uuid4()),
        }
        registry = jwe.JWERegistry(algorithms=["dir", "A128GCM"])
        return encode(_HEADER, claims, self._key, registry=registry)


class ReadyToken(Credentials):
    """A token that somebody else made: sent as it is; one from a file is read again when the server refuses it."""

    def __init__(self, token: str = "", file: Path | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self._file = file
        self._clock = clock
        self._token = self._checked(token or self._read())

    def header(self) -> str:
        """The token."""
        return f"Delegate {self._token}"

    def renew(self, refused: str) -> bool:
        """Read the file again; False if it holds nothing new that could be used."""
        if self.header() != refused:
            return True
        try:
            self._token = self._checked(self._read())
        except CredentialsError as error:
            _log.warning("no newer token: %s", error)
        return self.header() != refused

    def _read(self) -> str:
        if self._file is None:
            return ""
        try:
            return self._file.read_text("ascii").strip()
        except OSError as error:
            raise CredentialsError(f"cannot read the token file {self._file}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise CredentialsError(f"the token file {self._file} holds no text; give the file of the token") from None

    def _checked(self, token: str) -> str:
        """Refuse what cannot be a token, and a signed one whose time is over. An encrypted one cannot be read."""
        if not _COMPACT.fullmatch(token):
            raise CredentialsError("the delegate token is neither a signed (JWS) nor an encrypted (JWE) compact token")
        expires = _expiry(token) if token.count(".") == _SIGNED_DOTS else None
        if expires is not None and expires <= self._clock():
            when = datetime.fromtimestamp(expires, UTC).isoformat(timespec="seconds")
            raise CredentialsError(f"the delegate token has expired at {when}; get a new one")
        return token


def _expiry(token: str) -> float | None:
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        # The library's text may quote the token.
        raise CredentialsError("the delegate token cannot be read: it is damaged; copy it again") from None
    expires = claims.get("exp")
    return float(expires) if isinstance(expires, int | float) else None
