"""The Harness backend's own settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Self

from pydantic import SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from delegate_core.settings import Environment, PositiveDuration, Settings, UserPath

__all__ = ["HarnessSettings"]

_ENDPOINT = Environment("DRONE_DELEGATE_MANAGER_ENDPOINT", "DLITE_INTERNAL_MANAGER_ENDPOINT", "DLITE_MANAGER_ENDPOINT")


class HarnessSettings(Settings):
    """How to reach a Harness manager, and as whom. Either the account secret or a ready token is needed.

    Attributes:
        endpoint: the manager's address, such as ``https://manager.example``.
        account_id: the account whose tasks are fetched.
        account_secret: the account's delegate token, 32 hexadecimal digits, from which tokens are made.
        token: a ready token, sent as it is.
        token_file: file with a ready token, read again when the manager calls it expired.
        heartbeat_interval: seconds between two heartbeats; the manager gives a delegate up after five minutes.
        reject_to_others: hand tasks that are rejected before they start to another delegate, once.
        log_url: the log service's address; without it logs stay on this machine.
    """

    model_config = SettingsConfigDict(hide_input_in_errors=True)

    runner_environment: ClassVar[Mapping[str, Environment]] = {
        "name": Environment("DRONE_DELEGATE_NAME", "DLITE_NAME"),
        "capacity": Environment("DLITE_PARALLEL_WORKERS"),
        "poll_interval": Environment("DLITE_POLL_INTERVAL_MILLISECS", unit="ms"),
    }

    endpoint: Annotated[str, _ENDPOINT] = ""
    account_id: Annotated[str, Environment("DRONE_DELEGATE_ACCOUNT_ID", "DLITE_ACCOUNT_ID")] = ""
    account_secret: Annotated[
        SecretStr | None, Environment("DRONE_DELEGATE_ACCOUNT_SECRET", "DLITE_ACCOUNT_SECRET")
    ] = None
    token: SecretStr | None = None
    token_file: UserPath | None = None
    heartbeat_interval: PositiveDuration = 10.0
    reject_to_others: bool = False
    log_url: Annotated[str | None, Environment("LOG_STREAMING_SERVICE_URL")] = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        problems = [*self._where(), *self._proof()]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _where(self) -> Iterator[str]:
        """Not by fields without a default: then all that is missing is told at once, the proof too."""
        if not self.endpoint:
            yield _missing("endpoint", "--endpoint, DELEGATE_ENDPOINT")
        if not self.account_id:
            yield _missing("account_id", "--account-id, DELEGATE_ACCOUNT_ID")

    def _proof(self) -> Iterator[str]:
        given = [value for value in (self.account_secret, self.token, self.token_file) if value]
        ways = "exactly one of --account-secret-file (or DELEGATE_ACCOUNT_SECRET), DELEGATE_TOKEN, --token-file"
        if not given:
            yield f"account_secret: missing: give {ways}"
        elif len(given) > 1:
            yield f"give {ways}"


def _missing(name: str, ways: str) -> str:
    return f"{name}: missing: give {ways}, or {name} in [harness] of the settings file"
