"""Calls to an extension over a real socket."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from delegate_drone.external import ExtensionFailed
from delegate_drone.external.client import subject
from tests.drone.external.builds import KEY, details
from tests.drone.external.extension import DATE, TOKEN, Answer, answering, client
from tests.http.server import Connection, serving

ACCEPT = "application/vnd.drone.secret.v1+json"


def locked(value: Any, key: bytes) -> Answer:
    nonce = b"twelve bytes"
    body = nonce + AESGCM(key).encrypt(nonce, json.dumps(value).encode(), None)
    return Answer(body, headers={"Content-Encoding": "aesgcm"})


async def failure(answer: Answer, token: str = TOKEN) -> str:
    async with answering(lambda _: answer, token) as extension, client(extension.url, token=token) as ours:
        with pytest.raises(ExtensionFailed) as caught:
            await ours.ask(ACCEPT, {})
        return str(caught.value)


@pytest.mark.parametrize("transport", ["httpx", "reqwest"])
async def test_an_extension_that_verifies_believes_us(transport: str) -> None:
    async with answering(lambda _: Answer.of({"data": "x"})) as extension:
        async with client(extension.url, transport=transport) as ours:
            assert await ours.ask(ACCEPT, {"name": "é \ud800"}) == {"data": "x"}
        (question,) = extension.questions
    assert question.content == {"name": "é \ud800"}
    assert question.headers["accept"] == ACCEPT
    assert question.headers["accept-encoding"] == "identity"
    assert question.headers["date"] == DATE


async def test_an_extension_with_another_token_refuses_and_the_error_says_so() -> None:
    async with answering(lambda _: Answer(), token="another") as extension, client(extension.url) as ours:
        with pytest.raises(ExtensionFailed, match=r"the secret extension at 127\.0\.0\.1:.* 400: Invalid Signature"):
            await ours.ask(ACCEPT, {})
        assert extension.questions == []


def test_the_keys_of_the_repository_are_not_sent() -> None:
    told = subject(details("push"))
    assert told["repo"]["slug"] == "octo/hello"
    assert told["build"]["event"] == "push"
    assert KEY not in json.dumps(told)
    assert {"secret", "signer"}.isdisjoint(told["repo"])


async def test_no_content_is_no_answer() -> None:
    async with answering(lambda _: Answer(status=204)) as extension, client(extension.url) as ours:
        assert await ours.ask(ACCEPT, {}) is None


async def test_an_answer_encrypted_with_the_token_is_read() -> None:
    answer = locked({"data": "x"}, TOKEN.encode()[:32])
    async with answering(lambda _: answer) as extension, client(extension.url) as ours:
        assert await ours.ask(ACCEPT, {}) == {"data": "x"}


async def test_an_answer_encrypted_with_another_key_says_so() -> None:
    assert "was encrypted with another key" in await failure(locked({}, b"k" * 32))


async def test_an_encrypted_answer_needs_a_long_token() -> None:
    assert "a token of at least 32 characters" in await failure(locked({}, b"k" * 32), token="short")


@pytest.mark.parametrize("status", [301, 404, 500])
async def test_any_other_status_is_a_failure_with_the_begin_of_what_was_said(status: int) -> None:
    text = await failure(Answer(b"access denied\x1b[2J\n " + b"no way " * 500, status))
    assert f"status {status}: access denied [2J no way no way" in text
    assert len(text) < 300


async def test_what_looks_like_a_key_is_not_repeated() -> None:
    secret = "AKIAIOSFODNN7EXAMPLE+0123456789"
    text = await failure(Answer(f"{secret} and {TOKEN} are wrong".encode(), 500))
    assert text.endswith("*** and *** are wrong")


async def test_a_short_token_is_not_repeated_either() -> None:
    assert (await failure(Answer(b"hidden is wrong", 500), token="hidden")).endswith("*** is wrong")


async def test_an_answer_that_is_not_json_is_a_failure_that_does_not_show_it() -> None:
    for body in (b"hidden but not JSON", b'{"hidden": ' + b"[" * 200_000):
        text = await failure(Answer(body))
        assert "not JSON" in text
        assert "hidden" not in text


async def test_an_extension_that_does_not_answer_is_given_up() -> None:
    async def silent(connection: Connection) -> None:
        await connection.gone()

    async with serving(silent) as server, client(server.url, seconds=0.1) as ours:
        with pytest.raises(ExtensionFailed, match=r"no full reply within 0\.1 s"):
            await ours.ask(ACCEPT, {})


async def test_an_extension_that_is_not_there_is_named_without_its_path_and_password() -> None:
    async with client("http://user:hidden@127.0.0.1:9/secret/path") as ours:
        with pytest.raises(
            ExtensionFailed, match=r"the secret extension at 127\.0\.0\.1:9: connection refused"
        ) as caught:
            await ours.ask(ACCEPT, {})
        assert "hidden" not in str(caught.value) + repr(ours)
        assert TOKEN not in repr(ours)


async def test_a_cancelled_question_ends_at_once() -> None:
    asked = anyio.Event()

    async def silent(connection: Connection) -> None:
        await connection.receive()
        asked.set()
        await connection.gone()

    async with serving(silent) as server, client(server.url) as ours, anyio.create_task_group() as group:
        group.start_soon(ours.ask, ACCEPT, {})
        await asked.wait()
        group.cancel_scope.cancel()
