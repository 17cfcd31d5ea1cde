"""The Drone backend's settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from delegate_core.errors import SettingsError
from delegate_core.settings import Loaded, RunnerSettings, load
from delegate_drone.compiler import SharedVolume
from delegate_drone.limits import Limits
from delegate_drone.settings import DroneSettings, ExtensionAddress

CONNECTION = {"DRONE_RPC_HOST": "drone.example", "DRONE_RPC_SECRET": "an-invented-secret"}


def loaded(environ: Mapping[str, str], file: Path | None = None, **flags: Any) -> Loaded[DroneSettings]:
    given = {**CONNECTION, **environ}
    return load(DroneSettings, flags=flags, environ=given, file=file, table="drone", others=[RunnerSettings])


def settings(**environ: str) -> DroneSettings:
    return loaded(environ).values


def complaints(environ: Mapping[str, str], **flags: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        loaded(environ, **flags)
    return str(caught.value)


def test_without_server_and_secret_the_error_says_how_to_give_them() -> None:
    text = complaints({"DRONE_RPC_HOST": "", "DRONE_RPC_SECRET": ""})
    secret, server = text.splitlines()
    assert server.startswith("server: missing: give --server, DELEGATE_SERVER or DRONE_RPC_HOST")
    assert secret.startswith("secret: missing: give --secret-file, DELEGATE_SECRET or DRONE_RPC_SECRET")


@pytest.mark.parametrize(
    ("host", "proto", "url"),
    [
        ("drone.example", "", "http://drone.example"),
        ("drone.example:8080", "https", "https://drone.example:8080"),
        ("https://drone.example/", "", "https://drone.example"),
        ("https://drone.example/ci/", "https", "https://drone.example/ci"),
    ],
)
def test_the_server_s_address_may_come_with_or_without_its_scheme(host: str, proto: str, url: str) -> None:
    assert settings(DRONE_RPC_HOST=host, DRONE_RPC_PROTO=proto).url == url


@pytest.mark.parametrize("host", ["http://", "a b", "drone.example:port", "ftp://drone.example", "u:hidden@a b"])
def test_an_address_that_is_none_is_refused(host: str) -> None:
    text = complaints({"DRONE_RPC_HOST": host})
    assert "is no address" in text
    assert "hidden" not in text


def test_a_scheme_that_contradicts_the_address_is_refused() -> None:
    text = complaints({"DRONE_RPC_HOST": "https://drone.example", "DRONE_RPC_PROTO": "http"})
    assert "http contradicts the server's https://drone.example" in text


FROM_DRONE = [
    ("DRONE_RPC_DUMP_HTTP", "t", "dump_http", True),
    ("DRONE_RPC_DUMP_HTTP_BODY", "1", "dump_http_body", True),
    ("DRONE_DEBUG", "TRUE", "debug", True),
    ("DRONE_LOGS_TRACE", "True", "trace", True),
    ("DRONE_PLATFORM_OS", "linux", "platform_os", "linux"),
    ("DRONE_RUNNER_ARCH", "arm64", "platform_arch", "arm64"),
    ("DRONE_PLATFORM_VARIANT", "v7", "platform_variant", "v7"),
    ("DRONE_PLATFORM_KERNEL", "5", "platform_kernel", "5"),
    ("DRONE_RUNNER_LABELS", "zone: a , tier:b", "labels", (("zone", "a"), ("tier", "b"))),
    ("DRONE_RUNNER_MAX_PROCS", "3", "max_procs", 3),
    ("DRONE_RUNNER_ENVIRON", "URL:http://a:1/?b=c,K=v:w=", "environment", (("URL", "http://a:1/?b=c"), ("K", "v:w="))),
    ("DRONE_RUNNER_PATH", "/opt/bin", "path", "/opt/bin"),
    ("DRONE_RUNNER_ROOT", "/srv/builds", "root", Path("/srv/builds")),
    ("DRONE_RUNNER_SYMLINKS", "/opt/a=b:.cache", "symlinks", (("/opt/a=b", ".cache"),)),
    (
        "DRONE_RUNNER_VOLUMES",
        "/a:/b:ro, /a:/c,/d:/e:rw",
        "volumes",
        (SharedVolume("/a", "/b", read_only=True), SharedVolume("/a", "/c"), SharedVolume("/d", "/e")),
    ),
    ("DRONE_RUNNER_NETWORKS", "one, two,", "networks", ("one", "two")),
    ("DRONE_RUNNER_NETWORK_OPTS", "mtu:1450", "network_opts", (("mtu", "1450"),)),
    ("DRONE_RUNNER_PRIVILEGED_IMAGES", "a/b", "privileged_images", ("a/b",)),
    ("DRONE_FLAG_ALLOW_DOCKER_PLUGIN_VOLUMES", "true", "plugin_volumes", True),
    ("DRONE_DOCKER_STREAM_PULL", "false", "stream_pulls", False),
    ("DRONE_RUNNER_CLONE_IMAGE", "a/git", "clone_image", "a/git"),
    ("DRONE_NETRC_CLONE_ONLY", "yes", "netrc_clone_only", True),
    ("DRONE_DOCKER_CONFIG", "/etc/docker.json", "registry_config", Path("/etc/docker.json")),
    ("DRONE_MEMORY_LIMIT", "1073741824", "memory_limit", 1 << 30),
    ("DRONE_LIMIT_MEM", "1g", "memory_limit", 1 << 30),
    ("DRONE_MEMORY_SWAP_LIMIT", "-1", "memory_swap_limit", -1),
    ("DRONE_SHM_SIZE", "64MiB", "shm_size", 64 << 20),
    ("DRONE_LIMIT_CPU_QUOTA", "50000", "cpu_quota", 50_000),
    ("DRONE_CPU_PERIOD", "100000", "cpu_period", 100_000),
    ("DRONE_CPU_SHARES", "512", "cpu_shares", 512),
    ("DRONE_LIMIT_CPU_SHARES", "0x200", "cpu_shares", 512),
    ("DRONE_CPU_SET", "0, 2", "cpu_set", ("0", "2")),
]


@pytest.mark.parametrize(("variable", "text", "name", "value"), FROM_DRONE, ids=[each[0] for each in FROM_DRONE])
def test_what_a_drone_runner_reads_from_its_variables_is_read(
    variable: str, text: str, name: str, value: object
) -> None:
    found = loaded({variable: text})
    assert getattr(found.values, name) == value
    assert str(found.origin(name)) == variable


def test_an_own_variable_goes_before_drone_s_and_a_flag_before_both() -> None:
    environ = {"DELEGATE_MAX_PROCS": "2", "DRONE_RUNNER_MAX_PROCS": "3"}
    assert loaded(environ).values.max_procs == 2
    assert loaded(environ, max_procs="1").values.max_procs == 1


def test_name_capacity_and_trust_of_drone_s_variables_go_to_the_runner_itself() -> None:
    environ = {"DRONE_RUNNER_NAME": "one", "DRONE_RUNNER_CAPACITY": "5", "DRONE_RPC_SKIP_VERIFY": "true"}
    core = load(RunnerSettings, flags={}, environ=environ, file=None, aliases=DroneSettings.runner_environment).values
    assert (core.name, core.capacity, core.insecure) == ("one", 5, True)


def test_tables_of_the_settings_file_and_repeated_flags_make_pairs(tmp_path: Path) -> None:
    file = tmp_path / "delegate.toml"
    file.write_text('[drone.environment]\nPORT = 80\nON = true\nLIST = "a,b"\n[drone.volumes]\n"/a" = "/b:ro"\n')
    found = loaded({}, file, labels=["zone=a,b", "tier=c"]).values
    assert dict(found.environment) == {"PORT": "80", "ON": "true", "LIST": "a,b"}
    assert found.volumes == (SharedVolume("/a", "/b", read_only=True),)
    assert dict(found.labels) == {"zone": "a,b", "tier": "c"}


def test_a_program_may_give_mappings() -> None:
    made = DroneSettings.model_validate(
        {"server": "a", "secret": "b", "labels": {"a": "b"}, "volumes": (SharedVolume("/a", "/b"),)}
    )
    assert (made.labels, made.volumes) == ((("a", "b"),), (SharedVolume("/a", "/b"),))


@pytest.mark.parametrize(
    ("variable", "text", "complaint"),
    [
        ("DRONE_RUNNER_LABELS", "zone", "labels (DRONE_RUNNER_LABELS): "),
        ("DRONE_RUNNER_VOLUMES", "/a=/b", "volumes (DRONE_RUNNER_VOLUMES): "),
        ("DRONE_RUNNER_VOLUMES", "/a:b", "volumes (DRONE_RUNNER_VOLUMES): ('/a:b',): b of /a:b is no absolute path"),
        ("DRONE_RUNNER_VOLUMES", "/a:/b:z", "volumes (DRONE_RUNNER_VOLUMES): ('/a:/b:z',): /a:/b:z is no volume: "),
        ("DRONE_CPU_SHARES", "0xx", "cpu_shares (DRONE_CPU_SHARES): '0xx'"),
        ("DRONE_LIMIT_TRUSTED", "maybe", "limit_trusted (DRONE_LIMIT_TRUSTED): 'maybe'"),
        ("DRONE_MEMORY_LIMIT", "much", "memory_limit (DRONE_MEMORY_LIMIT): 'much': give a number of bytes"),
        ("DRONE_MEMORY_LIMIT", "-1", "memory_limit (DRONE_MEMORY_LIMIT): '-1'"),
        ("DRONE_RUNNER_MAX_PROCS", "-1", "max_procs (DRONE_RUNNER_MAX_PROCS): '-1'"),
        ("DRONE_RPC_PROTO", "ftp", "server_proto (DRONE_RPC_PROTO): 'ftp'"),
    ],
)
def test_a_wrong_value_is_named_with_its_variable(variable: str, text: str, complaint: str) -> None:
    assert complaints({variable: text}).startswith(complaint)


@pytest.mark.parametrize(
    ("variable", "name"), [("DRONE_RUNNER_ENVIRON", "environment"), ("DRONE_RUNNER_SECRETS", "runner_secrets")]
)
@pytest.mark.parametrize("text", ["A:1,hidden-rest", "A:1,:hidden"])
def test_a_value_with_a_comma_is_refused_without_showing_it(variable: str, name: str, text: str) -> None:
    found = complaints({variable: text})
    assert found.startswith(f"{name}: pair 2 has no name")
    assert "hidden" not in found


def test_a_number_where_pairs_belong_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "delegate.toml"
    file.write_text("[drone]\nlabels = 3\n")
    with pytest.raises(SettingsError, match=r"labels \(delegate\.toml line 2 \[drone\]\): 3: give name:value pairs"):
        loaded({}, file)


def test_an_extension_needs_address_and_token() -> None:
    environ = {
        "DRONE_SECRET_PLUGIN_ENDPOINT": "http://u:hidden@a b/",
        "DRONE_ENV_PLUGIN_TOKEN": "an-invented-token",
        "DRONE_REGISTRY_ENDPOINT": "http://127.0.0.1:1/",
        "DRONE_REGISTRY_SECRET": "another-invented-token",
        "DRONE_REGISTRY_SKIP_VERIFY": "true",
    }
    lines = complaints(environ).splitlines()
    assert [line.partition(": ")[0] for line in lines] == [
        "env_plugin_endpoint",
        "secret_plugin_endpoint",
        "secret_plugin_token",
    ]
    assert not any("hidden" in line for line in lines)


def test_extensions_are_given_by_drone_s_names_and_their_older_ones() -> None:
    found = settings(
        DRONE_SECRET_ENDPOINT="http://127.0.0.1:1",
        DRONE_SECRET_SECRET="x1",
        DRONE_ENV_PLUGIN_ENDPOINT="http://127.0.0.1:2",
        DRONE_ENV_PLUGIN_TOKEN="x2",
        DRONE_ENV_PLUGIN_SKIP_VERIFY="true",
    )
    assert found.secret_plugin == ExtensionAddress("http://127.0.0.1:1", "x1")
    assert found.env_plugin == ExtensionAddress("http://127.0.0.1:2", "x2", skip_verify=True)
    assert found.registry_plugin is None
    assert "x1" not in repr(found.secret_plugin)


def test_the_file_of_variables_goes_over_the_others(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("A=2\n")
    found = settings(DRONE_RUNNER_ENVIRON="A:1,B:1", DRONE_RUNNER_ENVFILE=str(tmp_path / "env"))
    assert found.read_variables() == {"A": "2", "B": "1"}


@pytest.mark.parametrize(("text", "complaint"), [(None, "No such file"), ("A=1\nhidden\n", "env line 2: no variable")])
def test_a_file_of_variables_that_cannot_be_read_is_named(tmp_path: Path, text: str | None, complaint: str) -> None:
    if text is not None:
        (tmp_path / "env").write_text(text)
    with pytest.raises(SettingsError, match=complaint) as caught:
        settings(DRONE_RUNNER_ENV_FILE=str(tmp_path / "env")).read_variables()
    assert "hidden" not in str(caught.value)


def test_the_runner_s_secrets_are_pairs_one_a_line_or_with_commas_between() -> None:
    assert settings(DRONE_RUNNER_SECRETS="a:1,b:2=").static_secrets == {"a": "1", "b": "2="}
    assert settings(DRONE_RUNNER_SECRETS="a:1,2\n\nb=3\n").static_secrets == {"a": "1,2", "b": "3"}
    assert settings().static_secrets == {}


def test_the_runner_s_secrets_may_be_in_a_file_of_their_own(tmp_path: Path) -> None:
    file = tmp_path / "secrets"
    file.write_text("a=1\n")
    file.chmod(0o600)
    assert loaded({}, runner_secrets_file=str(file)).values.static_secrets == {"a": "1"}


def test_no_secret_shows() -> None:
    found = settings(
        DRONE_RUNNER_SECRETS="a:hidden",
        DRONE_RUNNER_ENVIRON="A:hidden",
        DRONE_ENV_PLUGIN_ENDPOINT="http://127.0.0.1:1",
        DRONE_ENV_PLUGIN_TOKEN="hidden",
        DRONE_RPC_SECRET="hidden",
    )
    assert "hidden" not in repr(found)


def test_the_limits_are_those_of_the_settings() -> None:
    found = settings(DRONE_LIMIT_REPOS="octo/*, a/b", DRONE_LIMIT_EVENTS="push", DRONE_LIMIT_TRUSTED="1")
    assert found.limits == Limits(("octo/*", "a/b"), ("push",), trusted=True)
