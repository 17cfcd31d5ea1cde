"""The Drone backend's own settings. What other runners read from ``DRONE_*`` variables is read from them too."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, WithJsonSchema, model_validator
from pydantic_settings import SettingsConfigDict

from delegate_core.errors import SettingsError
from delegate_core.settings import Environment, Flag, Settings, UserPath
from delegate_drone.dotenv import DotenvError, read_dotenv
from delegate_drone.limits import Limits
from delegate_drone.manifest.values import parse_size
from delegate_drone.pairs import Pairs, PathPairs, SensitivePairs, parse_pairs
from delegate_drone.sharedvolumes import SharedVolumes

__all__ = ["DroneSettings", "ExtensionAddress"]

_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "i386": "386", "i686": "386"}


def _size(value: Any) -> Any:
    """Bytes from a text as docker takes it: ``512m`` is 512 * 1024 * 1024."""
    if not isinstance(value, str) or value.strip() == "-1":
        return value
    size = parse_size(value.strip())
    if size is None:
        raise ValueError("give a number of bytes, or one with a unit such as 512m or 1.5g")
    return size


def _whole(value: Any) -> Any:
    """A whole number as Drone's runners read it: ``0x10`` is 16."""
    is_prefixed = isinstance(value, str) and value.strip().lower().startswith(("0x", "0o", "0b"))
    return int(value, 0) if is_prefixed else value


def _architecture() -> str:
    """The machine's architecture by the name that Go and Drone have for it."""
    machine = platform.machine().lower()
    return _ARCHITECTURES.get(machine, "arm" if machine.startswith("arm") else machine)


Size = Annotated[
    int,
    BeforeValidator(_size),
    WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string", "examples": ["512m", "1g"]}]}),
]
Count = Annotated[int, BeforeValidator(_whole), Field(ge=0)]


@dataclass(frozen=True, slots=True)
class ExtensionAddress:
    """Where an extension is, and what to know to be heard by it."""

    endpoint: str
    token: str = field(repr=False)
    skip_verify: bool = False


class DroneSettings(Settings):
    """How to reach a Drone server, which builds to take, and what each of them is given.

    Attributes:
        server: the server's address, such as ``https://drone.example``, or only its host and port.
        server_proto: http or https, where the address does not say it.
        secret: the secret that the server's runners share (its DRONE_RPC_SECRET).
        dump_http: log each request to the server, without its secret.
        dump_http_body: log the bodies too; they hold secrets of builds.
        debug: log more.
        trace: log everything.
        platform_os: the operating system whose builds are taken; default: this machine's.
        platform_arch: the architecture whose builds are taken; default: this machine's.
        platform_variant: the variant of the architecture, such as v7.
        platform_kernel: the kernel's version, where builds ask for one.
        labels: of this runner; it gets the builds that ask for exactly these.
        max_procs: steps at the same time over all builds; 0: no limit.
        environment: variables that each step gets.
        env_file: file with more of them, NAME=value a line; it goes before ``environment``.
        path: the PATH of steps on this machine; containers have that of their image.
        root: folder in which builds have their folders.
        keep_failed: folder that the workspaces of failed builds are moved to; ten are kept, for a week at most.
        symlinks: links in the home of each build, to a place on this machine, target:name.
        runner_secrets: secrets for builds that are no pull requests: name:value pairs, one a line or a comma between.
        volumes: folders of the host in each container, host:container or host:container:ro.
        networks: networks that each container joins.
        network_opts: options of the networks that are made.
        privileged_images: images that may run privileged, besides Drone's own plugins.
        plugin_volumes: such an image keeps that right where it mounts volumes.
        clone_image: image of the clone step.
        clone_on_host: clone with the git of this machine instead; its containers have to run here too.
        limit_repos: take only builds of these repositories (globs).
        limit_events: take only builds of these events (globs).
        limit_trusted: take only builds of trusted repositories.
        secret_plugin_endpoint: address of the extension that knows secrets.
        secret_plugin_token: the token shared with the extension that knows secrets.
        secret_plugin_skip_verify: trust any certificate of it.
        env_plugin_endpoint: address of the extension that knows variables.
        env_plugin_token: the token shared with the extension that knows variables.
        env_plugin_skip_verify: trust any certificate of it.
        registry_plugin_endpoint: address of the extension that knows registry accounts.
        registry_plugin_token: the token shared with the extension that knows registry accounts.
        registry_plugin_skip_verify: trust any certificate of it.
        netrc_clone_only: give the git account to the clone step only.
        registry_config: a docker config.json with accounts of registries.
        stream_pulls: show how far an image is pulled, in the log of its step.
        memory_limit: bytes of memory a container may use.
        memory_swap_limit: bytes of memory and swap together; -1: no limit.
        shm_size: bytes of a container's /dev/shm.
        cpu_quota: microseconds of a period that a container may compute.
        cpu_period: microseconds of a period.
        cpu_shares: weight of a container among others.
        cpu_set: processors that containers may use.
    """

    model_config = SettingsConfigDict(hide_input_in_errors=True)

    runner_environment: ClassVar[Mapping[str, Environment]] = {
        "name": Environment("DRONE_RUNNER_NAME", "DRONE_MACHINE"),
        "capacity": Environment("DRONE_RUNNER_CAPACITY"),
        "insecure": Environment("DRONE_RPC_SKIP_VERIFY"),
        "status": Environment("DRONE_HTTP_BIND", "DRONE_SERVER_PORT"),
        "status_user": Environment("DRONE_UI_USERNAME"),
        "status_password": Environment("DRONE_UI_PASSWORD"),
    }

    server: Annotated[str, Environment("DRONE_RPC_HOST")] = ""
    server_proto: Annotated[Literal["http", "https"] | None, Environment("DRONE_RPC_PROTO")] = None
    secret: Annotated[SecretStr, Environment("DRONE_RPC_SECRET")] = SecretStr("")
    dump_http: Annotated[bool, Environment("DRONE_RPC_DUMP_HTTP")] = False
    dump_http_body: Annotated[bool, Environment("DRONE_RPC_DUMP_HTTP_BODY")] = False
    debug: Annotated[bool, Environment("DRONE_DEBUG", "DRONE_LOGS_DEBUG")] = False
    trace: Annotated[bool, Environment("DRONE_TRACE", "DRONE_LOGS_TRACE")] = False

    platform_os: Annotated[str, Environment("DRONE_PLATFORM_OS", "DRONE_RUNNER_OS")] = Field(
        default_factory=lambda: "windows" if sys.platform == "win32" else sys.platform
    )
    platform_arch: Annotated[str, Environment("DRONE_PLATFORM_ARCH", "DRONE_RUNNER_ARCH")] = Field(
        default_factory=_architecture
    )
    platform_variant: Annotated[str, Environment("DRONE_PLATFORM_VARIANT", "DRONE_RUNNER_VARIANT")] = ""
    platform_kernel: Annotated[str, Environment("DRONE_PLATFORM_KERNEL", "DRONE_RUNNER_KERNEL")] = ""
    labels: Annotated[Pairs, Flag("label"), Environment("DRONE_RUNNER_LABELS")] = ()
    limit_repos: Annotated[tuple[str, ...], Flag("limit-repo"), Environment("DRONE_LIMIT_REPOS")] = ()
    limit_events: Annotated[tuple[str, ...], Flag("limit-event"), Environment("DRONE_LIMIT_EVENTS")] = ()
    limit_trusted: Annotated[bool, Environment("DRONE_LIMIT_TRUSTED")] = False
    max_procs: Annotated[Count, Environment("DRONE_RUNNER_MAX_PROCS")] = 0

    environment: Annotated[SensitivePairs, Environment("DRONE_RUNNER_ENVIRON"), Field(repr=False)] = ()
    env_file: Annotated[UserPath | None, Environment("DRONE_RUNNER_ENV_FILE", "DRONE_RUNNER_ENVFILE")] = None
    path: Annotated[str | None, Environment("DRONE_RUNNER_PATH")] = None
    root: Annotated[UserPath | None, Environment("DRONE_RUNNER_ROOT")] = None
    keep_failed: UserPath | None = None
    symlinks: Annotated[PathPairs, Flag("symlink"), Environment("DRONE_RUNNER_SYMLINKS")] = ()
    runner_secrets: Annotated[SecretStr, Environment("DRONE_RUNNER_SECRETS")] = SecretStr("")
    netrc_clone_only: Annotated[bool, Environment("DRONE_NETRC_CLONE_ONLY")] = False

    secret_plugin_endpoint: Annotated[str, Environment("DRONE_SECRET_PLUGIN_ENDPOINT", "DRONE_SECRET_ENDPOINT")] = ""
    secret_plugin_token: Annotated[SecretStr, Environment("DRONE_SECRET_PLUGIN_TOKEN", "DRONE_SECRET_SECRET")] = (
        SecretStr("")
    )
    secret_plugin_skip_verify: Annotated[
        bool, Environment("DRONE_SECRET_PLUGIN_SKIP_VERIFY", "DRONE_SECRET_SKIP_VERIFY")
    ] = False
    env_plugin_endpoint: Annotated[str, Environment("DRONE_ENV_PLUGIN_ENDPOINT")] = ""
    env_plugin_token: Annotated[SecretStr, Environment("DRONE_ENV_PLUGIN_TOKEN")] = SecretStr("")
    env_plugin_skip_verify: Annotated[bool, Environment("DRONE_ENV_PLUGIN_SKIP_VERIFY")] = False
    registry_plugin_endpoint: Annotated[
        str, Environment("DRONE_REGISTRY_PLUGIN_ENDPOINT", "DRONE_REGISTRY_ENDPOINT")
    ] = ""
    registry_plugin_token: Annotated[
        SecretStr,
        Environment("DRONE_REGISTRY_PLUGIN_TOKEN", "DRONE_REGISTRY_PLUGIN_SECRET", "DRONE_REGISTRY_SECRET"),
    ] = SecretStr("")
    registry_plugin_skip_verify: Annotated[
        bool, Environment("DRONE_REGISTRY_PLUGIN_SKIP_VERIFY", "DRONE_REGISTRY_SKIP_VERIFY")
    ] = False

    registry_config: Annotated[UserPath | None, Environment("DRONE_DOCKER_CONFIG")] = None
    stream_pulls: Annotated[bool, Environment("DRONE_DOCKER_STREAM_PULL")] = True
    volumes: Annotated[SharedVolumes, Flag("volume"), Environment("DRONE_RUNNER_VOLUMES")] = ()
    networks: Annotated[tuple[str, ...], Flag("network"), Environment("DRONE_RUNNER_NETWORKS")] = ()
    network_opts: Annotated[Pairs, Flag("network-opt"), Environment("DRONE_RUNNER_NETWORK_OPTS")] = ()
    privileged_images: Annotated[
        tuple[str, ...], Flag("privileged-image"), Environment("DRONE_RUNNER_PRIVILEGED_IMAGES")
    ] = ()
    plugin_volumes: Annotated[bool, Environment("DRONE_FLAG_ALLOW_DOCKER_PLUGIN_VOLUMES")] = False
    clone_image: Annotated[str | None, Environment("DRONE_RUNNER_CLONE_IMAGE")] = None
    clone_on_host: bool = False
    memory_limit: Annotated[Size, Environment("DRONE_MEMORY_LIMIT", "DRONE_LIMIT_MEM"), Field(ge=0)] = 0
    memory_swap_limit: Annotated[Size, Environment("DRONE_MEMORY_SWAP_LIMIT", "DRONE_LIMIT_MEM_SWAP"), Field(ge=-1)] = 0
    shm_size: Annotated[Size, Environment("DRONE_SHM_SIZE"), Field(ge=0)] = 0
    cpu_quota: Annotated[Count, Environment("DRONE_CPU_QUOTA", "DRONE_LIMIT_CPU_QUOTA")] = 0
    cpu_period: Annotated[Count, Environment("DRONE_CPU_PERIOD")] = 0
    cpu_shares: Annotated[Count, Environment("DRONE_CPU_SHARES", "DRONE_LIMIT_CPU_SHARES")] = 0
    cpu_set: Annotated[tuple[str, ...], Environment("DRONE_CPU_SET", "DRONE_LIMIT_CPU_SET")] = ()

    @model_validator(mode="after")
    def _complete(self) -> Self:
        problems = [*self._connection(), *self._extensions(), *self._variables()]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @property
    def url(self) -> str:
        """The server's address with its scheme, without a slash at its end. Drone's runners take http for granted."""
        address = self.server.strip()
        whole = address if "://" in address else f"{self.server_proto or 'http'}://{address}"
        return whole.rstrip("/")

    @property
    def secret_plugin(self) -> ExtensionAddress | None:
        """The extension that knows secrets."""
        token = self.secret_plugin_token.get_secret_value()
        return _extension(self.secret_plugin_endpoint, token, skip_verify=self.secret_plugin_skip_verify)

    @property
    def env_plugin(self) -> ExtensionAddress | None:
        """The extension that knows variables."""
        token = self.env_plugin_token.get_secret_value()
        return _extension(self.env_plugin_endpoint, token, skip_verify=self.env_plugin_skip_verify)

    @property
    def registry_plugin(self) -> ExtensionAddress | None:
        """The extension that knows registry accounts."""
        token = self.registry_plugin_token.get_secret_value()
        return _extension(self.registry_plugin_endpoint, token, skip_verify=self.registry_plugin_skip_verify)

    @property
    def limits(self) -> Limits:
        """Which builds are run here."""
        return Limits(self.limit_repos, self.limit_events, self.limit_trusted)

    @property
    def static_secrets(self) -> dict[str, str]:
        """The runner's own secrets by name."""
        return parse_pairs(self.runner_secrets.get_secret_value())

    def read_variables(self) -> dict[str, str]:
        """The variables that each step gets: ``environment``, over it those of ``env_file``.

        Raises:
            SettingsError: the file cannot be read.
        """
        try:
            of_the_file = read_dotenv(self.env_file) if self.env_file else {}
        except DotenvError as error:
            raise SettingsError(f"env_file: {error}") from None
        return {**dict(self.environment), **of_the_file}

    def _connection(self) -> Iterator[str]:
        if not self.server.strip():
            yield "server: missing: give --server, DELEGATE_SERVER or DRONE_RPC_HOST, or server in [drone]"
        elif not _is_address(self.url):
            yield f"server: {_shown(self.server)} is no address: give a host, host:port, or https://host"
        elif self.server_proto and not self.url.startswith(f"{self.server_proto}://"):
            yield f"server_proto: {self.server_proto} contradicts the server's {_shown(self.server)}: leave it out"
        if not self.secret.get_secret_value():
            yield (
                "secret: missing: give --secret-file, DELEGATE_SECRET or DRONE_RPC_SECRET: "
                "the server's own DRONE_RPC_SECRET"
            )

    def _extensions(self) -> Iterator[str]:
        yield from _incomplete("secret_plugin", self.secret_plugin_endpoint, self.secret_plugin_token)
        yield from _incomplete("env_plugin", self.env_plugin_endpoint, self.env_plugin_token)
        yield from _incomplete("registry_plugin", self.registry_plugin_endpoint, self.registry_plugin_token)

    def _variables(self) -> Iterator[str]:
        for number, (name, _) in enumerate(self.environment, start=1):
            if not name:
                yield f"environment: pair {number} has no name: write NAME=value (with commas in a value: --env-file)"
        try:
            parse_pairs(self.runner_secrets.get_secret_value())
        except ValueError as error:
            yield f"runner_secrets: {error}"


def _extension(endpoint: str, token: str, *, skip_verify: bool) -> ExtensionAddress | None:
    return ExtensionAddress(endpoint, token, skip_verify) if endpoint else None


def _incomplete(name: str, endpoint: str, token: SecretStr) -> Iterator[str]:
    flag, variable = f"--{name.replace('_', '-')}", f"DRONE_{name.upper()}"
    if endpoint and not _is_address(endpoint):
        yield f"{name}_endpoint: {_shown(endpoint)} is no address: give one with http:// or https://"
    if endpoint and not token.get_secret_value():
        yield f"{name}_token: missing: give {flag}-token-file or {variable}_TOKEN"
    if token.get_secret_value() and not endpoint:
        yield f"{name}_endpoint: missing: give {flag}-endpoint or {variable}_ENDPOINT"


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0 and " " not in url
    except ValueError:
        return False


def _shown(address: str) -> str:
    """An address without a password in it."""
    return address.rpartition("@")[2][:100]
