"""Who may call: the delegate token as the manager checks it."""

import json
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from delegate_harness.manager import EmbeddedManager

from .delegate import NO_TLS, Clock, token

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors" / "harness-tokens.json").read_text())
OTHER_SECRET = "ffeeddccbbaa99887766554433221100"
POLL = "/api/agent/delegates/nobody/task-events"


async def poll(manager: EmbeddedManager, authorization: str | None, account: str | None = None) -> httpx.Response:
    headers = {} if authorization is None else {"Authorization": authorization}
    async with httpx.AsyncClient(base_url=manager.url, headers=headers, trust_env=False, verify=NO_TLS) as http:
        return await http.get(POLL, params={"accountId": manager.account_id if account is None else account})


def told(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, reply.json()["responseMessages"][0]["code"]


@pytest.mark.parametrize("vector", VECTORS["valid"], ids=lambda vector: vector["account_id"])
async def test_a_token_recorded_from_the_go_client_opens_its_account(
    manager: EmbeddedManager, vector: dict[str, Any]
) -> None:
    manager.state.accounts.add(vector["account_id"], vector["account_secret"])
    reply = await poll(manager, f"Delegate {vector['token']}", vector["account_id"])
    assert reply.status_code == 200


@pytest.mark.parametrize("secret", VECTORS["invalid_secrets"])
async def test_a_secret_that_is_no_key_is_refused_when_the_account_is_made(
    manager: EmbeddedManager, secret: str
) -> None:
    with pytest.raises(ValueError, match="account secret must be"):
        manager.state.accounts.add("crooked", secret)


async def test_no_claim_but_the_expiry_is_looked_at(manager: EmbeddedManager) -> None:
    odd = token(manager.account_secret, iss="x", sub="somebody else", aud="y")
    assert (await poll(manager, f"Delegate {odd}")).status_code == 200


@pytest.mark.parametrize("text", ["nonsense", "a.b.c.d.e", ""])
async def test_what_is_no_token_is_invalid(manager: EmbeddedManager, text: str) -> None:
    assert told(await poll(manager, f"Delegate {text}".strip())) == (401, "INVALID_TOKEN")


async def test_a_token_of_another_secret_is_invalid(manager: EmbeddedManager) -> None:
    reply = await poll(manager, f"Delegate {token(OTHER_SECRET)}")
    assert told(reply) == (401, "INVALID_TOKEN")
    assert reply.headers["X-Harness-Error"]
    assert reply.json().keys() == {"metaData", "resource", "responseMessages"}


async def test_a_signed_token_is_invalid_even_with_the_right_key(manager: EmbeddedManager) -> None:
    signed = jwt.encode({"exp": 4_000_000_000}, bytes.fromhex(manager.account_secret) * 2, "HS256")
    assert told(await poll(manager, f"Delegate {signed}")) == (401, "INVALID_TOKEN")


async def test_a_token_without_an_expiry_is_invalid(manager: EmbeddedManager) -> None:
    endless = token(manager.account_secret, exp=None)
    assert told(await poll(manager, f"Delegate {endless}")) == (401, "INVALID_TOKEN")


async def test_an_unknown_account_has_no_valid_token(manager: EmbeddedManager) -> None:
    authorization = f"Delegate {token(manager.account_secret)}"
    assert told(await poll(manager, authorization, "unknown")) == (401, "INVALID_TOKEN")


async def test_a_token_that_was_good_expires_with_the_clock(manager: EmbeddedManager, clock: Clock) -> None:
    authorization = f"Delegate {token(manager.account_secret)}"
    assert (await poll(manager, authorization)).status_code == 200
    clock.advance(1200)
    assert told(await poll(manager, authorization)) == (401, "EXPIRED_TOKEN")


async def test_a_token_that_was_good_is_refused_once_revoked(manager: EmbeddedManager) -> None:
    authorization = f"Delegate {token(manager.account_secret)}"
    assert (await poll(manager, authorization)).status_code == 200
    manager.state.accounts.revoke_token(manager.account_id)
    assert told(await poll(manager, authorization)) == (401, "REVOKED_TOKEN")


async def test_each_active_token_of_an_account_is_tried(manager: EmbeddedManager) -> None:
    manager.state.accounts.revoke_token(manager.account_id)
    manager.state.accounts.add_token(manager.account_id, "second", OTHER_SECRET)
    assert (await poll(manager, f"Delegate {token(OTHER_SECRET)}")).status_code == 200


async def test_an_active_token_of_equal_value_wins_over_a_revoked_one(manager: EmbeddedManager) -> None:
    manager.state.accounts.revoke_token(manager.account_id)
    manager.state.accounts.add_token(manager.account_id, "copy", manager.account_secret)
    assert (await poll(manager, f"Delegate {token(manager.account_secret)}")).status_code == 200


async def test_the_account_key_is_tried_last(manager: EmbeddedManager) -> None:
    account = manager.state.accounts.get(manager.account_id)
    assert account is not None
    account.tokens.clear()
    assert (await poll(manager, f"Delegate {token(manager.account_secret)}")).status_code == 200


@pytest.mark.parametrize("scheme", ["Bearer ", ""])
async def test_a_header_without_the_word_delegate_is_a_server_error(manager: EmbeddedManager, scheme: str) -> None:
    authorization = scheme + token(manager.account_secret)
    assert told(await poll(manager, authorization)) == (500, "DEFAULT_ERROR_CODE")


async def test_a_missing_header_is_a_server_error(manager: EmbeddedManager) -> None:
    assert told(await poll(manager, None)) == (500, "DEFAULT_ERROR_CODE")


async def test_a_missing_account_is_named(manager: EmbeddedManager) -> None:
    reply = await poll(manager, f"Delegate {token(manager.account_secret)}", "")
    assert reply.status_code == 400
    assert "accountId" in reply.text


async def test_no_secret_shows_in_the_text_of_an_account(manager: EmbeddedManager) -> None:
    assert manager.account_secret not in repr(manager.state.accounts.get(manager.account_id))
