"""Tokens: what they hold, when they are made anew, what is refused, and that they never show."""

import json
import logging
import re
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import OctKey

from delegate_core.errors import CredentialsError
from delegate_harness import HarnessSettings
from delegate_harness.auth import MadeTokens, ReadyToken, parse_secret
from tests.harness.scripted import ACCOUNT, SECRET

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "harness-tokens.json").read_text())
ENCRYPTED = VECTORS["valid"][0]["token"]


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def opened(token: str, secret: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of an encrypted token."""
    found = jwe.decrypt_compact(token, OctKey.import_key(bytes.fromhex(secret)), algorithms=["dir", "A128GCM"])
    assert found.plaintext is not None
    return dict(found.headers()), json.loads(found.plaintext)


def signed(**claims: Any) -> str:
    return jwt.encode({"sub": "acct", **claims}, "k" * 32, algorithm="HS256")


@pytest.mark.parametrize("vector", VECTORS["valid"], ids=["plain", "random"])
def test_a_token_is_made_as_the_go_client_makes_it(vector: dict[str, Any]) -> None:
    clock = Clock()
    tokens = MadeTokens(vector["account_id"], vector["account_secret"], clock=clock)
    header, claims = opened(tokens.header().removeprefix("Delegate "), vector["account_secret"])
    recorded_header, recorded = opened(vector["token"], vector["account_secret"])
    assert (header, recorded_header) == (vector["header"], vector["header"])
    assert claims.keys() == recorded.keys()
    assert recorded == vector["claims"]
    assert {name: claims[name] for name in ("iss", "sub", "aud")} == {n: recorded[n] for n in ("iss", "sub", "aud")}
    assert (claims["iat"], claims["exp"]) == (clock.now, clock.now + 1200)
    assert claims["jti"] != recorded["jti"]


@pytest.mark.parametrize(("secret", "complaint"), VECTORS["invalid_secrets"].items())
def test_a_secret_that_cannot_work_is_named_without_showing_it(secret: str, complaint: str) -> None:
    with pytest.raises(CredentialsError, match=complaint) as caught:
        MadeTokens(ACCOUNT, secret)
    assert "32 hexadecimal digits" in str(caught.value)
    assert repr(secret) not in repr(caught.value)


@given(st.text(max_size=80))
def test_any_text_is_a_key_or_a_credentials_error(text: str) -> None:
    usable = re.fullmatch(r"[0-9a-fA-F]{32}", text.strip())
    with nullcontext() if usable else pytest.raises(CredentialsError):
        assert len(parse_secret(text)) == 16


def test_a_secret_pasted_with_spaces_around_works() -> None:
    assert parse_secret(f" {SECRET}\n") == bytes.fromhex(SECRET)


def test_a_token_serves_for_ten_minutes() -> None:
    clock = Clock()
    tokens = MadeTokens(ACCOUNT, SECRET, clock=clock)
    first = tokens.header()
    clock.now += 599
    assert tokens.header() == first
    clock.now += 1
    assert tokens.header() != first


def test_a_clock_set_back_gets_a_new_token() -> None:
    clock = Clock()
    tokens = MadeTokens(ACCOUNT, SECRET, clock=clock)
    first = tokens.header()
    clock.now -= 3600
    assert tokens.header() != first


def test_a_refused_token_is_made_anew_once_for_all_who_were_refused_with_it() -> None:
    tokens = MadeTokens(ACCOUNT, SECRET)
    refused = tokens.header()
    assert tokens.renew(refused)
    renewed = tokens.header()
    assert renewed != refused
    assert tokens.renew(refused)
    assert tokens.header() == renewed


def test_a_ready_token_is_sent_as_it_is() -> None:
    tokens = ReadyToken(ENCRYPTED)
    assert tokens.header() == f"Delegate {ENCRYPTED}"
    assert not tokens.renew(tokens.header())


def test_a_token_file_is_read_again_after_a_refusal(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{ENCRYPTED}\n")
    tokens = ReadyToken(file=file)
    refused = tokens.header()
    assert not tokens.renew(refused)
    newer = VECTORS["valid"][1]["token"]
    file.write_text(newer)
    assert tokens.renew(refused)
    assert tokens.header() == f"Delegate {newer}"
    assert tokens.renew(refused), "who was refused with the old one has the new one to try"


@pytest.mark.parametrize("content", ["", "half.a", signed(exp=1)], ids=["empty", "torn", "expired"])
def test_a_token_file_that_holds_nothing_usable_is_not_taken(tmp_path: Path, content: str) -> None:
    file = tmp_path / "token"
    file.write_text(ENCRYPTED)
    tokens = ReadyToken(file=file)
    file.write_text(content)
    assert not tokens.renew(tokens.header())
    assert tokens.header() == f"Delegate {ENCRYPTED}"


def test_a_token_file_that_vanished_brings_nothing_new(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(ENCRYPTED)
    tokens = ReadyToken(file=file)
    file.unlink()
    assert not tokens.renew(tokens.header())


@pytest.mark.parametrize("content", [None, b"\xff\xfe"], ids=["missing", "binary"])
def test_a_token_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(CredentialsError, match="token file"):
        ReadyToken(file=file)


def test_a_signed_token_whose_time_is_over_is_refused_with_the_time() -> None:
    with pytest.raises(CredentialsError, match=r"expired at 2001-09-09T01:46:40\+00:00"):
        ReadyToken(signed(exp=1_000_000_000))


@pytest.mark.parametrize("claims", [{"exp": 4_000_000_000}, {}, {"exp": "soon"}])
def test_a_signed_token_with_time_left_or_none_named_is_taken(claims: dict[str, Any]) -> None:
    assert ReadyToken(signed(**claims)).header()


@pytest.mark.parametrize("text", ["abc", "a.b c.d", "ä.b.c", "Delegate a.b.c", "a.b.c\nd", "x.y.z"])
def test_what_is_no_token_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(CredentialsError) as caught:
        ReadyToken(text)
    assert text not in str(caught.value)


def test_no_secret_shows_in_a_repr(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    made, ready = MadeTokens(ACCOUNT, SECRET), ReadyToken(ENCRYPTED)
    settings = HarnessSettings(endpoint="http://m.example", account_id=ACCOUNT, account_secret=SECRET)
    shown = f"{made!r} {made} {ready!r} {ready} {settings!r} {settings} {caplog.text}"
    for secret in (SECRET, ENCRYPTED, made.header(), made.header().split(".")[-1]):
        assert secret not in shown
