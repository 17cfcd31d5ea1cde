"""Keeping what the runner knows from the tasks that run beside it as the same user."""

from __future__ import annotations

import ctypes
import logging
import os
from collections.abc import Iterable, Iterator, Mapping

from delegate_core import telemetry
from delegate_core.cli.loading import AllSettings
from delegate_core.settings import RunnerSettings, Settings, secrets_of
from delegate_core.settings.naming import settings_of

__all__ = ["close_to_others", "remove_from_environment", "secret_values", "secret_variables", "secrets_in"]

_log = logging.getLogger(__name__)

_PR_SET_DUMPABLE = 4


def close_to_others() -> None:
    """Have the kernel refuse this process's memory, environment and descriptors to other processes of its user.

    It sets the process "not dumpable" (prctl(2)): its files below /proc belong to root then, no debugger attaches, and
    no core is dumped. Root may still do all of that, and what the process starts is as open as ever.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        _log.warning("other processes of this user can read this one's memory: %s", os.strerror(ctypes.get_errno()))


def secret_variables(loaded: AllSettings) -> set[str]:
    """The environment variables that these settings take secrets from."""
    return {
        variable
        for table in loaded.tables()
        for setting in settings_of(type(table.values)).values()
        if setting.secret
        for variable in setting.variables
    }


def secret_values(loaded: AllSettings, environ: Mapping[str, str]) -> Iterator[str]:
    """What the runner's own log must not show: the secrets of these settings, of Vault, and for a collector."""
    return secrets_in((table.values for table in loaded.tables()), environ)


def secrets_in(settings: Iterable[Settings | None], environ: Mapping[str, str]) -> Iterator[str]:
    """The same of some settings. What they declare for tasks is in it as far as it is here already: in a variable."""
    for each in settings:
        yield from secrets_of(each)
        if isinstance(each, RunnerSettings):
            named = (one.place for one in each.secrets.values() if one.provider == "env")
            yield from (environ.get(name, "") for name in named)
    yield environ.get("VAULT_TOKEN", "")
    yield from telemetry.secrets_of(environ)


def remove_from_environment(names: Iterable[str]) -> None:
    """Forget variables, also in the memory that the kernel filled, which /proc/PID/environ shows."""
    system = ctypes.CDLL(None)
    system.getenv.restype = ctypes.c_void_p
    for name in names:
        address = system.getenv(name.encode())
        if address:
            ctypes.memset(address, 0, len(ctypes.string_at(address)))
        os.environ.pop(name, None)
