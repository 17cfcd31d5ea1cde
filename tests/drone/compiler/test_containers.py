"""What a docker pipeline's steps have as containers."""

from __future__ import annotations

from typing import Any

import pytest

from delegate_core.pipeline.container import Container, Device, Mount, Pull, RegistryCredentials
from delegate_core.pipeline.spec import HostVolume, Limits, RunPolicy, TemporaryVolume, Workspace
from delegate_drone.compiler import ContainerOptions, Facts, SharedVolume, pull_secrets
from delegate_drone.wire import Build
from tests.drone.compiler.pipelines import DOCKER, compiled, one_step, pipeline, step


def container(fields: str, **arguments: Any) -> Container:
    found = one_step(fields, **arguments).container
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("written", "full"),
    [
        ("golang", "docker.io/library/golang:latest"),
        ("golang:1.22", "docker.io/library/golang:1.22"),
        ("plugins/slack", "docker.io/plugins/slack:latest"),
        ("index.docker.io/plugins/slack:1", "docker.io/plugins/slack:1"),
        ("docker.io/golang", "docker.io/library/golang:latest"),
        ("ghcr.io/octo/hello", "ghcr.io/octo/hello:latest"),
        ("localhost/hello", "localhost/hello:latest"),
        ("localhost:5000/hello", "localhost:5000/hello:latest"),
        ("registry:5000/octo/hello:2", "registry:5000/octo/hello:2"),
        ("golang@sha256:abcd", "docker.io/library/golang@sha256:abcd"),
        ("golang:1@sha256:abcd", "docker.io/library/golang:1@sha256:abcd"),
    ],
)
def test_an_image_gets_its_full_name(written: str, full: str) -> None:
    assert container(f"image: {written}").image == full


@pytest.mark.parametrize("pull", list(Pull))
def test_an_image_is_pulled_as_the_step_says(pull: Pull) -> None:
    assert container(f"pull: {pull}").pull is pull
    assert container("pull: sometimes").pull is Pull.DEFAULT


def test_commands_replace_entrypoint_and_command() -> None:
    fields = "entrypoint: [ /e ]\ncommand: [ x, y ]\n"
    assert (container(fields).entrypoint, container(fields).command) == (("/e",), ("x", "y"))
    with_commands = container(fields + "commands: [ make ]")
    assert (with_commands.entrypoint, with_commands.command) == ((), ())


def test_all_that_a_trusted_step_may_ask_for_is_passed_on() -> None:
    found = container(
        "user: root\nprivileged: true\nnetwork_mode: host\ndns: [ 1.1.1.1 ]\ndns_search: [ example.org ]\n"
        "extra_hosts: [ 'a:1.2.3.4' ]\ndevices: [ { name: /dev/a, path: /dev/b } ]\nshm_size: 64m"
    )
    assert (found.user, found.privileged, found.network_mode) == ("root", True, "host")
    assert (found.dns, found.dns_search, found.hosts) == (("1.1.1.1",), ("example.org",), ("a:1.2.3.4",))
    assert (found.devices, found.shm_size) == ((Device("/dev/a", "/dev/b"),), 64 << 20)


def test_a_steps_limits_replace_those_of_the_runner() -> None:
    options = ContainerOptions(limits=Limits(memory=1, memory_swap=2, cpu_shares=3), shm_size=4)
    assert one_step("user: x", container=options).limits == Limits(memory=1, memory_swap=2, cpu_shares=3)
    assert container("user: x", container=options).shm_size == 4
    limits = one_step("mem_limit: 1k\nmemswap_limit: 2k", container=options).limits
    assert limits == Limits(memory=1024, memory_swap=2048, cpu_shares=3)


@pytest.mark.parametrize("image", ["plugins/docker", "plugins/ecr:1", "docker.io/plugins/gcr", "octo/builder:2"])
def test_a_trusted_plugin_is_privileged(image: str) -> None:
    options = ContainerOptions(privileged_images=("octo/builder",))
    assert container(f"image: {image}\nsettings: {{ repo: x }}", container=options).privileged


@pytest.mark.parametrize(
    "fields",
    [
        "image: plugins/slack",
        "image: evil.example.org/plugins/docker",
        "image: plugins/docker\ncommands: [ x ]",
        "image: plugins/docker\ncommand: [ x ]",
        "image: plugins/docker\nentrypoint: [ x ]",
        "image: plugins/docker\nvolumes: [ { name: v, path: /v } ]",
        *(f"image: plugins/docker\nenvironment: {{ {name}: x }}" for name in ("PATH", "HOME", "DOCKER_HOST")),
        "image: plugins/docker\nenvironment: { DOCKER_OPTS: { from_secret: s } }",
    ],
)
def test_a_plugin_that_could_be_turned_is_not_privileged(fields: str) -> None:
    assert not container(fields).privileged


def test_a_builds_parameter_takes_a_plugins_privileges_too() -> None:
    facts = Facts(build=Build(params={"DOCKER_HOST": "tcp://evil.example.org"}))
    assert not container("image: plugins/docker", facts=facts).privileged


@pytest.mark.parametrize(("path", "privileged"), [("/cache", True), ("/usr/bin", False), ("/x/../ETC", False)])
def test_volumes_of_a_plugin_can_be_allowed_where_they_hide_nothing(path: str, *, privileged: bool) -> None:
    options = ContainerOptions(plugin_volumes=True)
    fields = f"image: plugins/docker\nvolumes: [ {{ name: v, path: {path} }} ]"
    assert container(fields, container=options).privileged is privileged


VOLUMES = """
volumes:
- { name: disk, temp: {} }
- { name: memory, temp: { medium: memory, size_limit: 1k } }
- { name: host, host: { path: /srv } }
- { name: _runner-1, temp: {} }
- { name: nothing }
steps:
- { name: a, image: i, volumes: [ { name: disk, path: /d }, { name: absent, path: /x }, { name: nothing, path: /n } ] }
"""


def test_volumes_are_declared_and_mounted() -> None:
    shared = (SharedVolume("/certs", "/etc/certs", read_only=True), SharedVolume("/cache", "/cache"))
    options = ContainerOptions(volumes=shared, networks=("shared",), network_options={"mtu": "1"}, show_pulls=False)
    stage = compiled(DOCKER + VOLUMES, container=options)
    assert (stage.networks, stage.network_options, stage.show_pulls) == (("shared",), {"mtu": "1"}, False)
    assert stage.volumes == (
        TemporaryVolume(name="disk"),
        TemporaryVolume(name="memory", in_memory=True, size_limit=1024),
        HostVolume(name="host", path="/srv"),
        TemporaryVolume(name="_runner-1"),
        HostVolume(name="_runner-2", path="/certs", read_only=True),
        HostVolume(name="_runner-3", path="/cache"),
    )
    of_runner = (Mount("_runner-2", "/etc/certs", True), Mount("_runner-3", "/cache"))
    assert [each.container.mounts for each in stage.steps if each.container] == [
        of_runner,
        (Mount("disk", "/d"), *of_runner),
    ]


@pytest.mark.parametrize(
    ("written", "base", "path"),
    [
        ("{}", "/drone/src", ""),
        ("{ path: src/hello }", "/drone/src", "src/hello"),
        ("{ base: /go, path: src/hello }", "/go", "src/hello"),
        ("{ base: /go }", "/go", ""),
        ("{ path: /go }", "/go", ""),
        ("{ base: /, path: go }", "/drone/src", ""),
        ("{ base: /ETC }", "/drone/src", ""),
        ("{ base: /go, path: ../usr/bin/x }", "/drone/src", ""),
        ("{ base: /go/a, path: ../b }", "/go/b", ""),
        ("{ base: /var/run/x }", "/drone/src", ""),
        ("{ base: /var/lib/x }", "/var/lib/x", ""),
        ("{ base: go }", "/go", ""),
    ],
)
def test_the_workspace_hides_nothing_of_the_system(written: str, base: str, path: str) -> None:
    stage = compiled(f"{DOCKER}workspace: {written}\nsteps: [ {{ name: a, image: i }} ]\n")
    assert stage.workspace == Workspace(base=base, path=path)
    seen = step(stage).environment
    assert seen["DRONE_WORKSPACE_BASE"] == base
    assert seen.get("DRONE_WORKSPACE_PATH", "") == path
    assert seen["DRONE_WORKSPACE"] == (f"{base}/{path}" if path else base)


def test_an_existing_folder_is_the_whole_workspace() -> None:
    text = f"{DOCKER}workspace: {{ base: /go, path: src }}\nsteps: [ {{ name: a, image: i }} ]\n"
    assert compiled(text, source="/project").workspace == Workspace(base="/go/src", source="/project")


def test_a_working_dir_is_passed_on_and_else_left_to_the_engine() -> None:
    assert one_step("working_dir: /x").working_dir == "/x"
    assert one_step("detach: true").working_dir is None


@pytest.mark.parametrize(
    ("image", "username"),
    [("a.org/x", "one"), ("golang", "hub"), ("docker.io/x/y:1", "hub"), ("b.org:5000/x", "port"), ("b.org/x", None)],
)
def test_an_image_is_pulled_with_the_first_account_of_its_registry(image: str, username: str | None) -> None:
    accounts = {"https://a.org/v2/": "one", "a.org": "two", "index.docker.io": "hub", "b.org:5000": "port"}
    registries = tuple(
        RegistryCredentials(address=address, username=name, password=f"pw-{name}") for address, name in accounts.items()
    )
    stage = compiled(
        f"{DOCKER}steps: [ {{ name: a, image: {image} }} ]\n", container=ContainerOptions(registries=registries)
    )
    found = step(stage).container
    assert found is not None
    assert (found.credentials.username if found.credentials else None) == username
    assert found.credentials is None or found.credentials.password in stage.masks()


def test_pull_secrets_are_found_whatever_the_case_of_their_names() -> None:
    text = f"{DOCKER}image_pull_secrets: [ Login, absent ]\nsteps: [ {{ name: a, image: i }} ]\n"
    assert pull_secrets(pipeline(text), {"login": "{}"}) == {"Login": "{}", "absent": ""}


def test_the_clone_is_the_runners_image_with_the_pipelines_settings() -> None:
    text = f"{DOCKER}clone: {{ depth: 5, retries: 2, skip_verify: true }}\nsteps: [ {{ name: a, image: i }} ]\n"
    clone = step(compiled(text), "clone")
    assert clone.container is not None
    assert (clone.container.image, clone.container.pull) == ("docker.io/drone/git:latest", Pull.IF_NOT_EXISTS)
    assert (clone.run, clone.commands) == (RunPolicy.ALWAYS, ())
    wanted = {"PLUGIN_DEPTH": "5", "PLUGIN_RETRIES": "2", "PLUGIN_SKIP_VERIFY": "true", "GIT_SSL_NO_VERIFY": "true"}
    assert wanted.items() <= clone.environment.items()


def test_a_clone_without_settings_has_none() -> None:
    clone = step(compiled(f"{DOCKER}steps: [ {{ name: a, image: i }} ]\n"), "clone")
    assert not [name for name in clone.environment if name.startswith("PLUGIN_")]


def test_what_the_engine_knows_is_a_variable_too() -> None:
    options = ContainerOptions(environment={"DRONE_DOCKER_NETWORK_ID": "n"})
    assert one_step("user: x", container=options).environment["DRONE_DOCKER_NETWORK_ID"] == "n"
