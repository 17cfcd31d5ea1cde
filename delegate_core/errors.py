"""What can go wrong, and what it means for the runner.

::

    Exception
    ├── DelegateError          ends the command: one clear text, one exit code
    │   ├── SettingsError      2  a flag, variable or file that cannot be used
    │   ├── PluginError        3  a plugin or handler that cannot be used
    │   ├── CredentialsError   4  a secret or token that cannot work or was refused for good
    │   ├── RegistrationError  5  the server could not be reached, or did not take us, in time
    │   ├── StateError         6  the state folder or its journal cannot be used
    │   ├── StoppedByServer    7  the server told this runner to end
    │   └── DrainIncomplete    8  a drain ended with work unfinished or undelivered
    ├── Interrupt              raised by a backend's hook: the session has to change
    │   ├── Stop               take nothing new, cancel what runs, deliver, leave
    │   ├── Drain              take nothing new, finish what runs, deliver, leave
    │   ├── Moved              register again, at another address
    │   └── Lapsed             register again: the server has forgotten this session
    └── Retry                  raised by a backend's hook: a passing fault that names its own delay

Any other exception that a backend's session hook raises is a passing fault too: logged as one line and tried again
with a jittered back-off. It never ends the runner.
"""

from __future__ import annotations

__all__ = [
    "CredentialsError",
    "DelegateError",
    "Drain",
    "DrainIncomplete",
    "Interrupt",
    "Lapsed",
    "Moved",
    "PluginError",
    "RegistrationError",
    "Retry",
    "SettingsError",
    "StateError",
    "Stop",
    "StoppedByServer",
]


class DelegateError(Exception):
    """An error for the person at the terminal: the text names the culprit and the cure."""

    exit_code = 1


class SettingsError(DelegateError):
    """A setting is missing, unknown or has a value that cannot be used."""

    exit_code = 2


class PluginError(DelegateError):
    """A plugin or handler cannot be imported, has the wrong signature, or conflicts with another."""

    exit_code = 3


class CredentialsError(DelegateError):
    """The secret or token cannot work, or the server refused it for good."""

    exit_code = 4


class RegistrationError(DelegateError):
    """The runner could not register within the time it was given."""

    exit_code = 5


class StateError(DelegateError):
    """The state folder is in use by another process, or its journal cannot be read or written."""

    exit_code = 6


class StoppedByServer(DelegateError):
    """The control plane told this runner to end."""

    exit_code = 7


class DrainIncomplete(DelegateError):
    """The runner left with a task cancelled by the drain's limit or a result not delivered."""

    exit_code = 8


class Interrupt(Exception):
    """The session cannot go on as it is. Raised by any hook of the session."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Stop(Interrupt):
    """Take no new task, cancel the running ones with their grace, deliver what can be delivered, and leave.

    ``error`` is what the run ends with; without one it is ``StoppedByServer``.
    """

    def __init__(self, reason: str, error: DelegateError | None = None) -> None:
        super().__init__(reason)
        self.error = error or StoppedByServer(reason)


class Drain(Interrupt):
    """Take no new task, finish the running ones, deliver everything, and leave."""

    def __init__(self, reason: str, error: DelegateError | None = None) -> None:
        super().__init__(reason)
        self.error = error or StoppedByServer(reason)


class Moved(Interrupt):
    """The account lives at another address now: register there. Tasks claimed here stay with this session."""

    def __init__(self, url: str) -> None:
        super().__init__(f"moved to {url}")
        self.url = url


class Lapsed(Interrupt):
    """The server does not know this session any more: register again at the same address."""


class Retry(Exception):
    """A passing fault whose delay the server has named (``Retry-After``), in seconds."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after
