"""Whose account an image is pulled with."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delegate_drone.compiler.images import full_reference, registry_host
from delegate_drone.compiler.registries import credentials_for
from delegate_drone.dockerconfig import parse_docker_config, pull_accounts
from delegate_drone.external import RegistriesError, RegistrySources
from tests.drone.external.builds import details
from tests.drone.external.extension import Answer, answering, client


def basic(username: str, password: str) -> str:
    return base64.b64encode(f"{username}:{password}".encode()).decode()


def config(**auths: Any) -> str:
    return json.dumps({"auths": {name.replace("_", "."): entry for name, entry in auths.items()}})


def test_auth_goes_before_username_and_password() -> None:
    text = json.dumps(
        {
            "auths": {
                "https://index.docker.io/v1/": {"auth": basic("ann", "a:b"), "username": "x", "password": "y"},
                "Registry.Example:5000": {"username": "ben", "password": "c"},
            }
        }
    )
    read = parse_docker_config(text, "F")
    assert [(each.address, each.username, each.password) for each in read.accounts] == [
        ("docker.io", "ann", "a:b"),
        ("registry.example:5000", "ben", "c"),
    ]
    assert read.warnings == ()
    assert "a:b" not in repr(read)


@pytest.mark.parametrize("entry", [{"auth": "%%%"}, {"auth": basic("", "hidden")}, {"username": "hidden"}, "hidden"])
def test_an_entry_that_cannot_be_used_is_left_out_and_named(entry: Any) -> None:
    read = parse_docker_config(config(bad_example=entry, good_example={"auth": basic("u", "p")}), "F")
    assert [account.address for account in read.accounts] == ["good.example"]
    assert read.warnings[0].startswith("F: bad.example: ")
    assert "hidden" not in read.warnings[0]


def test_credential_helpers_are_named_in_a_warning() -> None:
    text = json.dumps({"auths": {"a.example": {}}, "credsStore": "desktop", "credHelpers": {"b.example": "ecr-login"}})
    read = parse_docker_config(text, "F")
    assert read.accounts == ()
    assert [warning.partition(" is not")[0] for warning in read.warnings] == [
        "F: credsStore desktop",
        "F: credHelpers ecr-login for b.example",
    ]


@pytest.mark.parametrize(
    ("image", "host"),
    [
        ("alpine", "docker.io"),
        ("alpine:3.20", "docker.io"),
        ("plugins/git", "docker.io"),
        ("index.docker.io/plugins/git", "docker.io"),
        ("quay.example/team/app:1", "quay.example"),
        ("registry:5000/app", "registry:5000"),
        ("localhost/app@sha256:0", "localhost"),
    ],
)
def test_an_image_names_its_registry(image: str, host: str) -> None:
    assert registry_host(full_reference(image)) == host


@given(st.from_regex(r"[a-z0-9]{1,8}(\.[a-z0-9]{1,8}){1,3}(:[0-9]{2,4})?", fullmatch=True), st.sampled_from(["", "/"]))
def test_a_host_is_the_same_however_it_is_written(host: str, end: str) -> None:
    written = [host, host.upper(), f"https://{host}{end}", f"http://{host}/v2/", f"{host}{end}"]
    assert {registry_host(each) for each in written} == {registry_host(host)}
    assert registry_host(registry_host(host)) == registry_host(host)


async def test_pull_secrets_go_before_the_runner_s_config_and_that_before_the_extension(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(config(a_example={"auth": basic("file", "1")}, c_example={"auth": basic("file", "1")}))
    given = [{"address": f"https://{name}.example", "username": "plugin", "password": "2"} for name in "abcd"]
    pull = {
        "first": config(a_example={"auth": basic("first", "3")}, b_example={"auth": basic("first", "3")}),
        "second": config(a_example={"auth": basic("second", "4")}),
    }
    async with answering(lambda _: Answer.of(given)) as extension, client(extension.url, kind="registry") as ours:
        accounts = await RegistrySources(file, ours).resolve(details(), pull)
        assert extension.questions[0].headers["accept"] == "application/vnd.drone.registry.v1+json"
    found = {name: credentials_for(f"{name}.example/app", accounts.accounts) for name in "abcd"}
    assert {name: account and account.username for name, account in found.items()} == {
        "a": "second",
        "b": "first",
        "c": "file",
        "d": "plugin",
    }
    assert credentials_for("alpine", accounts.accounts) is None


async def test_what_cannot_be_read_is_an_error_that_names_its_origin(tmp_path: Path) -> None:
    with pytest.raises(RegistriesError, match="secret login: it is not JSON"):
        await RegistrySources().resolve(details(), {"login": "hidden"})
    with pytest.raises(RegistriesError, match="secret login: it is not JSON"):
        await RegistrySources().resolve(details(), {"login": "[" * 200_000})
    with pytest.raises(RegistriesError, match=r"missing\.json: No such file or directory: .*--registry-config"):
        await RegistrySources(tmp_path / "missing.json").resolve(details())
    with pytest.raises(RegistriesError, match="no `auths` object"):
        await RegistrySources().resolve(details(), {"login": '{"auths": [1]}'})


async def test_a_failing_extension_is_an_error() -> None:
    async with answering(lambda _: Answer(b"no", 500)) as extension, client(extension.url, kind="registry") as ours:
        with pytest.raises(RegistriesError, match=r"the registry extension at .* 500: no"):
            await RegistrySources(extension=ours).resolve(details())


async def test_a_warning_names_where_it_came_from() -> None:
    accounts = await RegistrySources().resolve(details(), {"login": '{"credsStore": "desktop"}'})
    assert accounts.warnings[0].startswith("secret login: credsStore desktop")


@pytest.mark.parametrize("answer", [{"address": "hidden"}, [{"username": "hidden"}]])
async def test_an_answer_of_another_shape_is_an_error_that_does_not_show_it(answer: Any) -> None:
    async with answering(lambda _: Answer.of(answer)) as extension, client(extension.url) as ours:
        with pytest.raises(RegistriesError, match="no list of accounts") as caught:
            await RegistrySources(extension=ours).resolve(details())
    assert "hidden" not in str(caught.value)


async def test_a_pull_secret_that_is_not_given_is_named_and_pulls_go_on_without_it() -> None:
    accounts = await RegistrySources().resolve(details(), {"login": ""})
    assert accounts.warnings == ("image_pull_secrets: secret login is not given: images are pulled without it",)


def test_of_two_pull_secrets_the_later_one_counts_as_in_drone() -> None:
    texts = {"one": config(a_example={"auth": basic("one", "1")}), "two": config(a_example={"auth": basic("two", "2")})}
    assert [account.username for account in pull_accounts(texts).accounts] == ["two", "one"]
