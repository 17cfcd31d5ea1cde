"""The Harness backend's own settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from delegate_core.settings import Environment, PositiveDuration

__all__ = ["HarnessSettings"]

_ENDPOINT = Environment("DRONE_DELEGATE_MANAGER_ENDPOINT", "DLITE_INTERNAL_MANAGER_ENDPOINT", "DLITE_MANAGER_ENDPOINT")


class HarnessSettings(BaseModel):
    """How to reach a Harness manager, and as whom. Either the account secret or a ready token is needed.

    Attributes:
        endpoint: the manager's address, such as ``https://manager.example``.
        account_id: the account whose tasks are fetched.
        account_secret: the account's delegate token, 32 hexadecimal digits, from which tokens are made.
        token: a ready token, sent as it is.
        token_path: file with a ready token, read again when the manager calls it expired.
        heartbeat_interval: seconds between two heartbeats; the manager gives a delegate up after five minutes.
        reject_to_others: hand tasks that are rejected before they start to another delegate, once.
        log_url: the log service's address, for tasks that name none.
    """

    model_config = ConfigDict(frozen=True)

    endpoint: Annotated[str, _ENDPOINT]
    account_id: Annotated[str, Environment("DRONE_DELEGATE_ACCOUNT_ID", "DLITE_ACCOUNT_ID"), Field(min_length=1)]
    account_secret: Annotated[
        SecretStr | None, Environment("DRONE_DELEGATE_ACCOUNT_SECRET", "DLITE_ACCOUNT_SECRET")
    ] = None
    token: SecretStr | None = None
    token_path: Path | None = None
    heartbeat_interval: PositiveDuration = 10.0
    reject_to_others: bool = False
    log_url: Annotated[str | None, Environment("LOG_STREAMING_SERVICE_URL")] = None

    @model_validator(mode="after")
    def _proof(self) -> Self:
        given = [value for value in (self.account_secret, self.token, self.token_path) if value]
        if len(given) != 1:
            raise ValueError(
                "give exactly one of --account-secret-file (or DELEGATE_ACCOUNT_SECRET), DELEGATE_TOKEN, --token-path"
            )
        return self
