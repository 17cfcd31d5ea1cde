"""Where secrets come from without a plugin: variables, files, and a Vault server."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from delegate_core.secrets import SecretError, builtin
from tests.http.server import answering, reply
from tests.http.server import serving as http_serving
from tests.secrets.vault import TOKEN, Vault, serving


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Vault]:
    for name in [name for name in os.environ if name.startswith("VAULT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    with serving() as vault:
        monkeypatch.setenv("VAULT_ADDR", vault.url + "/")
        monkeypatch.setenv("VAULT_TOKEN", TOKEN)
        yield vault


async def refused(reference: str) -> str:
    provider, _, place = reference.partition(":")
    with pytest.raises(SecretError) as caught:
        await builtin(provider, place)
    return str(caught.value)


async def test_a_variable_of_the_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN", "hunter2")
    monkeypatch.setenv("EMPTY_TOKEN", "")
    assert await builtin("env", "A_TOKEN") == "hunter2"
    for name in ("EMPTY_TOKEN", "NO_TOKEN"):
        said = await refused(f"env:{name}")
        assert said == f"the environment variable {name} is not set: start the runner with it"


async def test_a_file_without_its_last_line_end(tmp_path: Path) -> None:
    file = tmp_path / "token"
    for content, value in [("a\nb\r\n", "a\nb"), ("a\n", "a"), (" a", " a")]:
        file.write_bytes(content.encode())
        assert await builtin("file", str(file)) == value


async def test_a_file_that_cannot_be_a_secret(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "large").write_text("x" * (256 * 1024 + 1))
    said = [await refused(f"file:{tmp_path / name}") for name in ("pipe", "empty", "binary", "none", "large")]
    ends = ["pipe is no file: ", "empty is empty: ", "binary: not UTF-8 text: ", "none: No such file or directory: ",
            "large has more than 256 KiB: "]  # fmt: skip
    assert all(f"{tmp_path}/{end}" in text for text, end in zip(said, ends, strict=True))


async def test_another_provider_is_not_the_cores() -> None:
    assert await builtin("keyring", "x") is None


async def test_vault_gives_fields_of_both_kinds_of_store(vault: Vault) -> None:
    vault.first["ci/npm"] = {"token": "one"}
    vault.second["ci/db"] = [{"password": "old"}, {"password": "new", "port": 5432}]
    assert await builtin("vault", "kv/ci/npm#token") == "one"
    assert await builtin("vault", "team/secret/ci/db#password") == "new"
    assert await builtin("vault", "team/secret/data/ci/db#password") == "new"
    assert await builtin("vault", "team/secret/ci/db?version=1#password") == "old"
    assert await builtin("vault", "team/secret/ci/db#port") == "5432"


async def test_a_token_that_may_not_ask_for_mounts_uses_the_path_as_it_is(vault: Vault) -> None:
    vault.tells_mounts = False
    vault.first["ci/npm"] = {"token": "one"}
    vault.second["ci/db"] = [{"password": "new"}]
    assert await builtin("vault", "kv/ci/npm#token") == "one"
    assert await builtin("vault", "team/secret/data/ci/db#password") == "new"


async def test_vault_refusals_say_what_and_where(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    vault.first["a"] = {"b": "hunter2", "c": "", "d": None}
    vault.second["gone"] = [{"x": "y"}, None]
    assert await refused("vault:kv/a#z") == "Vault: kv/a has no field 'z'; it has: b, c, d"
    assert await refused("vault:kv/a#c") == "Vault: the field 'c' of kv/a is empty"
    assert await refused("vault:kv/a#d") == "Vault: the field 'd' of kv/a is empty"
    assert await refused("vault:kv/none#z") == "Vault: there is no secret kv/none; see `vault kv get kv/none`"
    assert "there is no secret team/secret/gone" in await refused("vault:team/secret/gone#x")
    assert "write vault:PATH#FIELD" in await refused("vault:kv/a")
    assert "write vault:PATH#FIELD" in await refused("vault:kv/../sys/a#b")
    monkeypatch.setenv("VAULT_TOKEN", "hvs.stolen")
    said = await refused("vault:kv/a#b")
    assert said == "Vault: the token may not read kv/a, or has expired (status 403)"
    monkeypatch.setenv("VAULT_ADDR", "vault.example")
    assert "VAULT_ADDR must hold the server's address" in await refused("vault:kv/a#b")


async def test_vault_is_asked_again_after_a_passing_fault_and_not_for_ever(vault: Vault) -> None:
    vault.first["a"] = {"b": "one"}
    vault.failures = [503, 503]
    assert await builtin("vault", "kv/a#b") == "one"
    vault.failures = [503, 503, 503]
    assert await refused("vault:kv/a#b") == f"Vault at {vault.url}: sealed or in maintenance (status 503); unseal it"


async def test_a_vault_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:1")
    monkeypatch.setenv("VAULT_TOKEN", TOKEN)
    said = await refused("vault:kv/a#b")
    assert said.startswith("Vault: ")
    assert "127.0.0.1:1" in said
    assert TOKEN not in said


async def test_vaults_token_may_be_in_a_file_and_the_namespace_is_sent(
    vault: Vault, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    vault.first["a"] = {"b": "one"}
    monkeypatch.delenv("VAULT_TOKEN")
    assert f"none in the file {tmp_path / '.vault-token'}" in await refused("vault:kv/a#b")
    (tmp_path / ".vault-token").write_text(TOKEN + "\n")
    monkeypatch.setenv("VAULT_NAMESPACE", "ns1")
    assert await builtin("vault", "kv/a#b") == "one"
    assert set(vault.namespaces) == {"ns1"}


async def test_a_vault_over_tls_is_trusted_by_its_own_authority_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authority, tls = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("VAULT_TOKEN", TOKEN)
    with serving(tls) as vault:
        vault.first["a"] = {"b": "one"}
        monkeypatch.setenv("VAULT_ADDR", vault.url)
        said = await refused("vault:kv/a#b")
        assert said.startswith("Vault: ")
        assert "certificate" in said
        assert TOKEN not in said
        monkeypatch.setenv("VAULT_CACERT", str(tmp_path / "none.pem"))
        assert "none.pem: No such file" in await refused("vault:kv/a#b")
        monkeypatch.setenv("VAULT_CACERT", str(tmp_path / "ca.pem"))
        assert await builtin("vault", "kv/a#b") == "one"


async def test_an_answer_that_is_no_vaults_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_TOKEN", TOKEN)
    async with http_serving(answering(reply(b"<html>"))) as server:
        monkeypatch.setenv("VAULT_ADDR", server.url.removesuffix("/x"))
        assert (await refused("vault:kv/a#b")).startswith("Vault: ")
