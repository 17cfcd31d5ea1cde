"""Pulling images, from a registry that the tests serve."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from delegate_core.engines.contribution import EngineSetup
from delegate_core.engines.surroundings import LocalSurroundings
from delegate_core.pipeline.container import Container, Pull, RegistryCredentials
from delegate_core.pipeline.spec import Platform, Stage, Step
from delegate_core.pipeline.states import Broken, Ending, Exited
from delegate_core.testing.engine_contract_base import PATIENCE, Printed
from delegate_docker.connection import connected
from delegate_docker.engine import DockerEngine
from delegate_docker.settings import DockerSettings
from tests.docker import daemon
from tests.docker.registry import Registry, registry

pytestmark = pytest.mark.anyio

ACCOUNT = ("octocat", "correct-horse")


@pytest.fixture(scope="module")
def root(docker_host: str) -> bytes:
    return daemon.box_archive()


@pytest.fixture
def served(root: bytes, request: pytest.FixtureRequest) -> Iterator[Registry]:
    with registry(root, getattr(request, "param", None)) as served:
        yield served


async def run(
    host: str,
    folder: Path,
    container: Container,
    platform: Platform = Platform(),  # noqa: B008 - it is frozen
    commands: tuple[str, ...] = ("echo ran",),
) -> tuple[Ending, str]:
    settings = DockerSettings(host=host, config=folder)
    printed = Printed()
    async with connected(settings) as client:
        engine = DockerEngine(client, EngineSetup(settings=settings, owner="pulling"))
        async with engine.open(Stage(name="s", platform=platform), LocalSurroundings(folder)) as place:
            with anyio.fail_after(PATIENCE):
                step = Step(name="s", commands=commands, container=container)
                ending = await place.run(step, printed.write)
    return ending, printed.text


async def test_a_missing_image_is_pulled_once_and_the_log_says_how(
    docker_host: str, tmp_path: Path, served: Registry
) -> None:
    container = Container(image=f"{served.host}/team/box:1")
    ending, text = await run(docker_host, tmp_path, container)
    assert ending == Exited(0), text
    assert "Pulling from team/box" in text
    assert "Pull complete" in text
    assert text.endswith("+ echo ran\nran\n")
    assert "Extracting" not in text
    before = served.manifests_asked
    assert await run(docker_host, tmp_path, container) == (Exited(0), "+ echo ran\nran\n")
    assert served.manifests_asked == before


@pytest.mark.parametrize(
    ("tag", "pull", "again"),
    [("latest", Pull.DEFAULT, True), ("2", Pull.ALWAYS, True), ("latest", Pull.IF_NOT_EXISTS, False)],
)
async def test_when_an_image_that_is_there_is_pulled_again(
    docker_host: str,
    tmp_path: Path,
    served: Registry,
    tag: str,
    pull: Pull,
    again: bool,  # noqa: FBT001 - a case
) -> None:
    container = Container(image=f"{served.host}/team/box:{tag}", pull=pull)
    await run(docker_host, tmp_path, container)
    before = served.manifests_asked
    assert (await run(docker_host, tmp_path, container))[0] == Exited(0)
    assert (served.manifests_asked > before) == again


@pytest.mark.parametrize("served", [ACCOUNT], indirect=True)
async def test_an_account_opens_a_registry_and_its_password_is_in_no_error(
    docker_host: str, tmp_path: Path, served: Registry
) -> None:
    image = f"{served.host}/team/private:1"
    ending, _ = await run(docker_host, tmp_path, Container(image=image))
    assert isinstance(ending, Broken)
    assert f"cannot pull the image {image} without an account" in ending.error
    wrong = RegistryCredentials(address=served.host, username="octocat", password="wrong-horse")
    ending, text = await run(docker_host, tmp_path, Container(image=image, credentials=wrong))
    assert isinstance(ending, Broken)
    assert "as octocat" in ending.error
    assert "wrong-horse" not in ending.error + text
    right = RegistryCredentials(address=served.host, username=ACCOUNT[0], password=ACCOUNT[1])
    assert (await run(docker_host, tmp_path, Container(image=image, credentials=right)))[0] == Exited(0)


@pytest.mark.parametrize("served", [ACCOUNT], indirect=True)
async def test_docker_s_own_accounts_are_used_where_a_step_brings_none(
    docker_host: str, tmp_path: Path, served: Registry
) -> None:
    auth = base64.b64encode(":".join(ACCOUNT).encode()).decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {f"http://{served.host}/v1/": {"auth": auth}}}))
    ending, text = await run(docker_host, tmp_path, Container(image=f"{served.host}/team/known:1"))
    assert ending == Exited(0), text


async def test_a_pull_that_fails_breaks_the_step_although_an_older_image_is_there(
    docker_host: str, tmp_path: Path, root: bytes
) -> None:
    with registry(root) as served:
        container = Container(image=f"{served.host}/team/gone:1", pull=Pull.ALWAYS)
        assert (await run(docker_host, tmp_path, container))[0] == Exited(0)
    ending, text = await run(docker_host, tmp_path, container)
    assert isinstance(ending, Broken)
    assert "ran" not in text


AMD, ARM = Platform(os="linux", arch="amd64"), Platform(os="linux", arch="arm64")


async def test_the_variant_of_a_multi_platform_image_is_the_one_that_the_pipeline_names(
    docker_host: str, tmp_path: Path, root: bytes
) -> None:
    with registry(root, platforms=("linux/amd64", "linux/arm/v6", "linux/arm/v7")) as served:
        container = Container(image=f"{served.host}/team/many:1", pull=Pull.IF_NOT_EXISTS)
        for arch, variant, text in (
            ("amd64", "", "for linux/amd64"),
            ("arm", "v7", "for linux/arm/v7"),
        ):
            platform = Platform(os="linux", arch=arch, variant=variant)
            ending, printed = await run(docker_host, tmp_path, container, platform, ())
            assert (ending, printed.splitlines()[-1]) == (Exited(0), text)
        asked = served.manifests_asked
        assert await run(docker_host, tmp_path, container, platform, ()) == (Exited(0), f"{text}\n")
        assert served.manifests_asked == asked, "it is there already"


async def test_an_image_that_is_not_for_the_pipeline_s_platform_breaks_the_step_with_both_named(
    docker_host: str, tmp_path: Path, root: bytes
) -> None:
    with registry(root, platforms=("linux/amd64", "linux/s390x")) as served:
        image = f"{served.host}/team/few:1"
        assert (await run(docker_host, tmp_path, Container(image=image), AMD))[0] == Exited(0)
        ending, _ = await run(docker_host, tmp_path, Container(image=image), ARM)
        assert isinstance(ending, Broken)
        assert f"cannot pull the image {image} for linux/arm64 without an account" in ending.error
        ending, _ = await run(docker_host, tmp_path, Container(image=image, pull=Pull.NEVER), ARM)
        there = f"the image {image} is there for linux/amd64 alone, not for linux/arm64, and its step never pulls it"
        assert ending == Broken(there)


async def test_an_image_of_one_platform_is_not_run_for_another(
    docker_host: str, tmp_path: Path, served: Registry
) -> None:
    ending, text = await run(docker_host, tmp_path, Container(image=f"{served.host}/team/single:1"), ARM)
    assert isinstance(ending, Broken)
    assert "does not match the specified platform: wanted linux/arm64, actual: linux/amd64" in ending.error
    assert "ran" not in text
