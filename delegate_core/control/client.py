"""Asking a running runner for something."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from delegate_core.control.wire import Answer, Order, at_socket, encoded, new_socket
from delegate_core.errors import DelegateError

__all__ = ["NoRunner", "ask"]

_LARGEST = 16 * 1024 * 1024


class NoRunner(DelegateError):
    """No runner is running in this state folder."""

    exit_code = 6


def ask(folder: Path, order: Order, *, timeout: float = 30.0) -> Answer:
    """Give an order to the runner of this state folder, and wait so many seconds for the answer.

    Raises:
        NoRunner: none is running there.
        DelegateError: it does not answer, or not in words that this version knows.
    """
    with new_socket() as connection:
        connection.settimeout(timeout)
        try:
            at_socket(folder, connection.connect)
        except PermissionError:
            raise DelegateError(f"the runner in {folder} is another user's; call as that user") from None
        except OSError:
            raise NoRunner(f"no runner is running in {folder}; name one with --state-dir, or its --name") from None
        try:
            connection.sendall(encoded(order, exclude_defaults=True))
            with connection.makefile("rb") as stream:
                return Answer.model_validate_json(stream.readline(_LARGEST))
        except OSError as error:
            reason = error.strerror or "no answer in time"
            raise DelegateError(f"the runner in {folder} does not answer: {reason}; see its console") from None
        except ValidationError:
            raise DelegateError(
                f"the runner in {folder} answers nothing that can be read; is its version another?"
            ) from None
