"""Where the engine is, and how stages are set up on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import field_validator, model_validator

from delegate_core.settings import Environment, Flag, PositiveDuration, Settings, UserPath

__all__ = ["DockerSettings"]

_SCHEMES = ("unix", "tcp", "http", "https", "ssh")


class DockerSettings(Settings):
    """What the container engine may be told.

    Attributes:
        host: where the engine is: unix:///path/to.sock, tcp://host:2376, ssh://user@host.
        cert_path: folder with ca.pem, cert.pem and key.pem, for tcp with TLS.
        tls_verify: speak TLS over tcp, and check the engine's certificate.
        api_version: version of the engine's API to speak, as 1.41; default: the engine's own.
        config: folder of Docker's config.json, whose accounts pull images that come without one.
        stream_pull: show in a step's log how its image is pulled.
        network_driver: of the network that each stage gets.
        network_options: of that network's driver.
        start_timeout: seconds that the engine may take to create a container.
    """

    host: Annotated[str, Flag("docker-host"), Environment("DOCKER_HOST")] = "unix:///var/run/docker.sock"
    cert_path: Annotated[UserPath | None, Flag("docker-cert-path"), Environment("DOCKER_CERT_PATH")] = None
    tls_verify: Annotated[bool, Flag("docker-tls-verify"), Environment("DOCKER_TLS_VERIFY")] = False
    api_version: Annotated[str, Flag("docker-api-version"), Environment("DOCKER_API_VERSION")] = ""
    config: Annotated[UserPath | None, Flag("docker-config"), Environment("DOCKER_CONFIG")] = None
    stream_pull: Annotated[bool, Flag("docker-stream-pull")] = True
    network_driver: Annotated[str, Flag("docker-network-driver")] = "bridge"
    network_options: Annotated[dict[str, str], Flag("docker-network-option")] = {}  # noqa: RUF012 - pydantic copies
    start_timeout: Annotated[PositiveDuration, Flag("docker-start-timeout")] = 120.0

    @field_validator("host")
    @classmethod
    def _is_address(cls, host: str) -> str:
        scheme, found, rest = host.partition("://")
        if not found or scheme not in _SCHEMES or not rest:
            raise ValueError("give it as unix:///path/to.sock, tcp://host:2376 or ssh://user@host")
        return host

    @field_validator("api_version")
    @classmethod
    def _is_version(cls, version: str) -> str:
        plain = version.removeprefix("v")
        if (plain and not all(part.isdigit() for part in plain.split(".", 1))) or plain.count(".") > 1:
            raise ValueError("give it as 1.41, or leave it out to use the engine's own")
        return plain

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.tls_verify and self.host.startswith("tcp://") and self.cert_path is None:
            raise ValueError(
                "docker-tls-verify needs certificates: give --docker-cert-path (DOCKER_CERT_PATH), a folder with "
                "ca.pem, cert.pem and key.pem"
            )
        return self

    @property
    def config_file(self) -> Path:
        """Docker's own configuration, where its accounts are."""
        return (self.config or Path.home() / ".docker") / "config.json"
