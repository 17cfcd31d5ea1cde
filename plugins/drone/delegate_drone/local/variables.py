"""Variables and secrets from files and from the environment; never from the command line, which everybody can see."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from delegate_core.errors import SettingsError
from delegate_drone.dotenv import DotenvError, read_dotenv
from delegate_drone.local.reading import read_text

__all__ = ["drone_variables", "read_key", "read_secrets", "read_variables"]


def read_secrets(file: Path | None, names: Iterable[str], environ: Mapping[str, str]) -> dict[str, str]:
    """Secrets from a file, and from environment variables of the same name, which win.

    Raises:
        SettingsError: a file that cannot be used, or a variable that is not set. No value is in its text.
    """
    secrets = read_variables(file)
    for name in names:
        if "=" in name:
            raise SettingsError("--secret takes a name, not a value: export the variable, then give its name")
        if name not in environ:
            raise SettingsError(f"--secret {name}: there is no environment variable of that name; export it first")
        secrets[name] = environ[name]
    return secrets


def read_variables(file: Path | None) -> dict[str, str]:
    """The variables of a dotenv file; None has none.

    Raises:
        SettingsError: names the file and the line, never the value.
    """
    if file is None:
        return {}
    try:
        return read_dotenv(file)
    except DotenvError as error:
        raise SettingsError(str(error)) from None


def read_key(file: Path | None) -> str | None:
    """The key in a file, without the line end that editors add; None: no file was given.

    Raises:
        SettingsError: it cannot be read.
    """
    return None if file is None else read_text(file).rstrip("\r\n")


def drone_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """What of the caller's environment may be put in for ``${DRONE_...}``, and goes nowhere else."""
    return {name: value for name, value in environ.items() if name.startswith("DRONE_")}
