"""A secret in a declaration: not its value, but where it is read from, each time it is used."""

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final, Protocol

from pydantic import BaseModel, ConfigDict, Discriminator, Tag, model_validator

from delegate_core.settings.paths import UserPath

__all__ = ["LARGEST_SECRET", "Keeper", "SecretFrom", "SecretUnavailable", "Value", "secret_names", "text_of"]


LARGEST_SECRET: Final = 256 * 1024
"""Bytes of a secret: more than any key or kubeconfig. What is larger is another file, named by mistake, and to look
for it in every line of a log would cost the runner hundreds of megabytes."""


class SecretUnavailable(Exception):
    """A secret cannot be read. Names the place and the cure, never a value."""


class SecretFrom(BaseModel):
    """Where a secret value is: ``{ file = "/etc/token" }``, ``{ environment = "TOKEN" }`` or ``{ secret = "npm" }``.

    It is read when a task needs it, so that a rotated secret needs no restart.

    Attributes:
        file: a file that holds nothing else; a line end at its end does not belong to it.
        environment: a variable of the runner's own environment.
        secret: the name of one that the runner's settings declare, wherever its provider has it.
        prefix: what goes before it where it is used: ``"Bearer "``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: UserPath | None = None
    environment: str | None = None
    secret: str | None = None
    prefix: str = ""

    @model_validator(mode="after")
    def _one_place(self) -> "SecretFrom":
        if [self.file, self.environment, self.secret].count(None) != 2:
            raise ValueError("give one of file, environment and secret")
        return self

    def read(self) -> str:
        """The secret in a file or variable, without its prefix.

        Raises:
            SecretUnavailable: there is none there.
        """
        if self.file is not None:
            return _read(self.file)
        name = self.environment or ""
        value = os.environ.get(name)
        if not value:
            raise SecretUnavailable(f"the environment variable {name} is not set: start the runner with it")
        return value


def _read(file: Path) -> str:
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise SecretUnavailable(f"{file} is no file: name a file that holds the secret")
        with file.open("rb") as opened:
            content = opened.read(LARGEST_SECRET + 1)
        if len(content) > LARGEST_SECRET:
            raise SecretUnavailable(
                f"{file} has more than {LARGEST_SECRET // 1024} KiB: name a file that holds the secret"
            )
        text = content.decode("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise SecretUnavailable(f"{file}: {reason}: name a readable file that holds the secret") from None
    if not text:
        raise SecretUnavailable(f"{file} is empty: write the secret into it")
    return text


Value = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[SecretFrom, Tag("<secret>")],
    Discriminator(lambda value: "<text>" if isinstance(value, str) else "<secret>"),
]
"""A text, or where a secret is read from."""


def secret_names(options: object) -> Iterator[str]:
    """The names of the declared secrets that options use, wherever in them they stand."""
    if isinstance(options, SecretFrom):
        yield from [options.secret] if options.secret is not None else []
    elif isinstance(options, BaseModel):
        yield from secret_names(vars(options))
    elif isinstance(options, Mapping):
        yield from secret_names(tuple(options.values()))
    elif isinstance(options, tuple | list):
        for each in options:
            yield from secret_names(each)


class Keeper(Protocol):
    """Who needs a secret, and will not show it. A `delegate_core.handlers.TaskContext` is one."""

    async def secret(self, name: str) -> str:
        """One that the runner's settings declare, masked."""

    def mask(self, *values: str) -> None:
        """Never show these values."""


async def text_of(value: Value, keeper: Keeper) -> str:
    """The text itself, or the secret as it is at this moment, with its prefix; it is masked from here on.

    Raises:
        SecretUnavailable: it cannot be had.
    """
    if isinstance(value, str):
        return value
    if value.secret is not None:
        return value.prefix + await keeper.secret(value.secret)
    secret = value.read()
    keeper.mask(secret)
    return value.prefix + secret
