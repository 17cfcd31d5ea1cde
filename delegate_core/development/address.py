"""Where the running development server is: a file for the commands."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from delegate_core.errors import DelegateError
from delegate_core.statefolder import default_place

__all__ = ["Address", "address_file"]


@dataclass(frozen=True, slots=True)
class Address:
    """Where the control interface of a running development server is."""

    url: str
    token: str
    backend: str
    pid: int

    @classmethod
    def new(cls, url: str, backend: str) -> Address:
        """For a server of this process."""
        return cls(url, secrets.token_urlsafe(24), backend, os.getpid())

    def at(self, url: str) -> Address:
        """The same at another address."""
        return replace(self, url=url)

    def write(self, file: Path) -> None:
        """Write it for the commands, readable by this user only."""
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as opened:
            json.dump(asdict(self), opened)

    def remove(self, file: Path) -> None:
        """Remove it, unless another server has written its own since."""
        with contextlib.suppress(DelegateError, OSError):
            if Address.read(file) == self:
                file.unlink()

    @classmethod
    def read(cls, file: Path) -> Address:
        """The address of the running server.

        Raises:
            DelegateError: none is running.
        """
        try:
            return cls(**json.loads(file.read_text()))
        except FileNotFoundError:
            text = "no development server is running; start one with: delegate dev --backend NAME"
            raise DelegateError(text) from None
        except (OSError, ValueError, TypeError) as error:
            raise DelegateError(f"cannot read {file}: {error}; start `delegate dev` again") from None


def address_file() -> Path:
    """Where the address is kept."""
    return default_place() / "development.json"
