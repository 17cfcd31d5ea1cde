"""Where the value of a secret comes from."""

from __future__ import annotations

from typing import Any

import pytest

from delegate_drone.encrypted import encrypt
from delegate_drone.external import Resolved, SecretError, SecretSources
from delegate_drone.manifest import load_manifest
from delegate_drone.wire import Secret
from tests.drone.external.builds import KEY, details, document
from tests.drone.external.extension import Answer, answering, client


def locked(value: str, key: str = KEY) -> str:
    return encrypt(value, key.encode())


def server(name: str, data: str, *, pull_request: bool = False) -> Secret:
    return Secret(name=name, data=data, pull_request=pull_request)


def store(values: dict[tuple[str, str], str]) -> Any:
    def reply(question: dict[str, Any]) -> Answer:
        value = values.get((question["path"], question["name"]))
        return Answer.of({"data": value}) if value is not None else Answer(status=204)

    return reply


async def test_the_first_source_with_a_value_that_is_not_empty_wins() -> None:
    names = ["a", "b", "c", "d", "e"]
    of_the_server = (server("a", "server"), server("b", ""))
    documents = [
        *(document(name, data=locked("manifest")) for name in "ab"),
        document("c", data=locked("")),
        *(document(name, path="p", key=name) for name in names),
    ]
    static = dict.fromkeys("abc", "runner") | {"d": ""}
    async with (
        answering(store({("p", name): "stored" for name in "abcd"})) as extension,
        client(extension.url) as ours,
    ):
        resolved = await SecretSources(static, ours).resolve(names, documents, details(secrets=of_the_server))
        assert [question.content["name"] for question in extension.questions] == ["d", "e"]
    assert resolved.values == {"a": "server", "b": "manifest", "c": "runner", "d": "stored"}
    assert resolved.missing == ("e",)


async def test_names_of_the_server_and_the_runner_are_compared_without_regard_to_capitals() -> None:
    sources = SecretSources({"Other": "2"})
    resolved = await sources.resolve(["TOKEN", "OTHER"], [], details(secrets=(server("token", "1"),)))
    assert resolved.values == {"TOKEN": "1", "OTHER": "2"}


async def test_of_two_secrets_of_the_server_the_first_that_this_build_may_have_counts() -> None:
    secrets = (server("a", "", pull_request=True), server("A", "1"), server("a", "2", pull_request=True))
    for event, value in (("push", "1"), ("pull_request", "2")):
        resolved = await SecretSources().resolve(["a"], [], details(event, secrets=secrets))
        assert resolved.values == {"a": value}


async def test_a_pull_request_gets_only_the_secrets_that_are_meant_for_it() -> None:
    secrets = (server("a", "1"), server("b", "2", pull_request=True))
    resolved = await SecretSources({"c": "3"}).resolve("abc", [], details("pull_request", secrets=secrets))
    assert resolved.values == {"b": "2"}
    assert resolved.missing == ("a", "c")
    assert resolved.notes == ("secret a is not given to pull requests", "secret c is not given to pull requests")


@pytest.mark.parametrize("event", ["push", "pull_request"])
@pytest.mark.parametrize("fork", ["", "someone/hello"])
@pytest.mark.parametrize("private", [True, False])
async def test_a_fork_s_pull_request_to_a_public_repository_gets_no_encrypted_secret(
    event: str, fork: str, *, private: bool
) -> None:
    build = details(event, fork=fork, private=private)
    resolved = await SecretSources().resolve(["a"], [document("a", data=locked("1"))], build)
    refused = event == "pull_request" and bool(fork) and not private
    assert resolved.values == ({} if refused else {"a": "1"})
    assert ["forks" in note for note in resolved.notes] == ([True] if refused else [])


@pytest.mark.parametrize(
    ("data", "key", "reason"),
    [
        (locked("1", "k" * 32), KEY, "encrypted with another key, or is damaged"),
        ("not base64!", KEY, "its data is not base64"),
        ("AAAA", KEY, "its data is too short"),
        (locked("1"), "", "the key has 0 bytes instead of 16, 24 or 32"),
    ],
    ids=["another key", "no base64", "short", "no key"],
)
async def test_an_encrypted_secret_that_cannot_be_read_is_an_error_with_its_name_and_line(
    data: str, key: str, reason: str
) -> None:
    with pytest.raises(SecretError) as caught:
        await SecretSources({"a": "other"}).resolve(["a"], [document("a", data=data)], details(key=key))
    assert caught.value.name == "a"
    assert str(caught.value).startswith("secret a: the manifest's line 3 cannot be decrypted: ")
    assert reason in str(caught.value)


async def test_an_encrypted_secret_may_be_folded_in_the_manifest() -> None:
    data = locked("folded value")
    text = f"kind: secret\nname: a\ndata: >\n  {data[:20]}\n  {data[20:]}\n"
    (content,) = (each.content for each in load_manifest(text).documents)
    resolved = await SecretSources().resolve(["a"], [content], details())  # type: ignore[list-item]  # it is a secret
    assert resolved.values == {"a": "folded value"}


async def test_the_extension_is_told_the_place_in_the_store_and_the_build() -> None:
    async with answering(store({("p", "k"): "1"})) as extension, client(extension.url) as ours:
        sources = SecretSources(extension=ours)
        resolved = await sources.resolve(["a", "a", "b"], [document("a", path="p", key="k")], details())
        (question,) = extension.questions
    assert question.headers["accept"] == "application/vnd.drone.secret.v1+json"
    assert question.content.keys() == {"path", "name", "repo", "build"}
    assert question.content["build"]["number"] == 7
    assert "secret" not in question.content["repo"]
    assert (resolved.values, resolved.missing) == ({"a": "1"}, ("b",))


async def test_a_failing_extension_is_an_error_that_names_the_secret_and_the_host() -> None:
    async with answering(lambda _: Answer(b"the vault is sealed", 500)) as extension, client(extension.url) as ours:
        documents = [document("b", path="p"), document("a", path="p")]
        with pytest.raises(SecretError) as caught:
            await SecretSources(extension=ours).resolve(["a", "b"], documents, details())
    text = str(caught.value)
    assert caught.value.name == "a"
    assert text.startswith("secret a: the secret extension at 127.0.0.1:")
    assert text.endswith("answered status 500: the vault is sealed")


@pytest.mark.parametrize("answer", [["hidden"], {"data": ["hidden"]}, "hidden"])
async def test_an_answer_that_is_no_secret_is_an_error_that_does_not_show_it(answer: Any) -> None:
    async with answering(lambda _: Answer.of(answer)) as extension, client(extension.url) as ours:
        with pytest.raises(SecretError, match="no secret") as caught:
            await SecretSources(extension=ours).resolve(["a"], [document("a", path="p")], details())
    assert "hidden" not in str(caught.value)


async def test_a_secret_of_an_external_store_says_what_is_missing_where_there_is_no_extension() -> None:
    resolved = await SecretSources().resolve(["a"], [document("a", path="p")], details())
    assert resolved.missing == ("a",)
    assert "--secret-plugin-endpoint" in resolved.notes[0]


def test_values_do_not_show() -> None:
    assert "hidden" not in repr(Resolved({"a": "hidden"}))
