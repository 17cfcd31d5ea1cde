"""Tokens: those that the runner is given, and those that the embedded servers are shown."""

from __future__ import annotations

import time
from contextlib import suppress

from delegate_core.errors import CredentialsError
from delegate_core.status import Access
from delegate_drone.encrypted import DecryptError, decrypt
from delegate_harness.auth import ReadyToken, parse_secret
from delegate_harness.manager.authority import Authority
from delegate_harness.manager.exchange import RefusalError
from delegate_harness.manager.logtokens import LogTokenError, LogTokens
from delegate_harness.manager.state import ManagerState
from tests.fuzz.registry import target, text_of

_WORDS = (
    "eyJhbGciOiJub25lIn0.",
    "eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0",
    "..",
    "Delegate ",
    "Basic ",
    "Bearer ",
    "=",
)
_STATE = ManagerState(None, clock=time.time)
_STATE.accounts.add("account", "0123456789abcdef" * 2)


@target("token-given", words=_WORDS)
def given(data: bytes) -> None:
    """A token or an account's secret is taken or refused, and the refusal does not show it."""
    text = text_of(data)
    for use in (ReadyToken, parse_secret):
        try:
            use(text)
        except CredentialsError as error:
            assert len(text) < 12 or text not in str(error)


@target("token-shown", words=_WORDS, calls=4000)
def shown(data: bytes) -> None:
    """No token that was not made with the key lets anybody in, anywhere."""
    text = text_of(data)
    latin = data.decode("latin-1")
    authority = Authority(_STATE.accounts, time.time)
    with suppress(RefusalError):
        authority.check("account", f"Delegate {latin}")
        raise AssertionError("the manager let it in")
    with suppress(LogTokenError):
        LogTokens(b"k" * 32, time.time).account_of(latin)
        raise AssertionError("the log service let it in")
    access = Access(user="me", password="a password that nobody guesses")
    assert not access.admits({"authorization": latin}, {"delegate_token": latin})
    assert not access.is_token(text)


@target("sealed", words=("=", "\n", "AAAA", "+", "/"))
def sealed(data: bytes) -> None:
    """A sealed secret is opened with its key only."""
    with suppress(DecryptError):
        decrypt(text_of(data), b"0123456789abcdef")
        raise AssertionError("it was opened")
