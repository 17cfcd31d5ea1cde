"""Where a running runner's status is served: a file in its state folder, for its owner only."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

from delegate_core.errors import DelegateError
from delegate_core.markers import hookimpl
from delegate_core.statefolder import FileIdentity

__all__ = ["StatusAddress", "StatusFile"]

_log = logging.getLogger(__name__)

_FILE: Final = "status.json"


@dataclass(frozen=True, slots=True)
class StatusAddress:
    """Where it is, and what opens it."""

    url: str
    token: str
    pid: int

    @classmethod
    def of(cls, state_dir: Path) -> Self:
        """The address of the runner with this state folder.

        Raises:
            DelegateError: no runner is running there, or it serves no status.
        """
        try:
            found = cls(**json.loads((state_dir / _FILE).read_text()))
            os.kill(found.pid, 0)
        except (FileNotFoundError, ProcessLookupError):
            raise DelegateError(
                f"no runner with the state folder {state_dir} serves its status; name it with --name or --state-dir, "
                "or start it without --status off"
            ) from None
        except PermissionError:
            raise DelegateError(f"the runner in {state_dir} is another user's; call as that user") from None
        except (OSError, ValueError, TypeError) as error:
            raise DelegateError(f"cannot read {state_dir / _FILE}: {error}; start the runner again") from None
        return found


class StatusFile:
    """Keeps the file while a runner owns its state folder: a plugin of that runner.

    Args:
        token: what opens the pages.
    """

    def __init__(self, token: str) -> None:
        self._token = token
        self._file: Path | None = None
        self._written: FileIdentity | None = None
        self._url = ""

    def place(self, state_dir: Path, url: str) -> None:
        """Say where the file goes and what address it names, before the runner runs."""
        self._file, self._url = state_dir / _FILE, url

    @hookimpl
    def runner_state(self, state: str) -> None:
        """The folder is the runner's own from its first state to its last."""
        if self._file is None:
            return
        if state == "registering":
            self._write(self._file)
            self._written = FileIdentity(self._file)
            _log.info("status on %s; the token is in %s", self._url, self._file)
        elif state == "stopped" and self._written is not None:
            self._written.remove()

    def _write(self, file: Path) -> None:
        file.unlink(missing_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as opened:
            json.dump(asdict(StatusAddress(self._url, self._token, os.getpid())), opened)
