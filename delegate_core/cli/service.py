"""``delegate service``: a runner as a service of systemd."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from delegate_core.cli.loading import load_all
from delegate_core.errors import SettingsError
from delegate_core.service import Unit

__all__ = ["install", "make_unit", "show"]

_SYSTEM = Path("/etc/systemd/system")


def make_unit(config: Path | None, backend: str | None, name: str | None, user: str | None, *, system: bool) -> Unit:
    """The unit of the runner that these settings would start.

    Raises:
        SettingsError: they are wrong; a service would not start with them.
    """
    loaded = load_all(config, {"backend": backend, "name": name})
    runner = loaded.runner
    if runner.run_as and (not system or user not in {None, "root"}):
        raise SettingsError("run_as: only root has tasks run as other users; leave out --user and --user-service")
    file = loaded.file.absolute() if loaded.file else None
    return Unit(
        name=runner.name,
        backend=runner.backend or "",
        program=_program(),
        config=file,
        user=user,
        system=system,
        state_dir=runner.state_dir,
        for_others=bool(runner.run_as) and runner.work_dir is None,
        environment=(file.parent if file else _configuration(system=system)) / "environment",
        drain=runner.drain_timeout + runner.grace,
        register=runner.register_timeout,
    )


def show(unit: Unit) -> int:
    """Print it."""
    sys.stdout.write(unit.text())
    return 0


def install(unit: Unit, *, force: bool) -> int:
    """Write it where systemd looks for it, and say what is left to do.

    Raises:
        SettingsError: it is there already, or cannot be written.
    """
    folder = _SYSTEM if unit.system else _user_folder()
    target = folder / unit.file_name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with target.open("w" if force else "x", encoding="utf-8") as file:
            file.write(unit.text())
    except FileExistsError:
        raise SettingsError(f"{target} exists already; --force replaces it") from None
    except OSError as error:
        raise SettingsError(
            f"cannot write {target}: {error.strerror}; as another user, or with --user-service"
        ) from None
    manager = "systemctl" if unit.system else "systemctl --user"
    sys.stdout.write(
        f"written: {target}\n"
        f"start it now and at every boot:  {manager} daemon-reload && {manager} enable --now {unit.file_name}\n"
        f"see how it is:                   {manager} status {unit.file_name}\n"
    )
    return 0


def _program() -> Path:
    """The ``delegate`` command that is running, as a service can start it."""
    here = Path(sys.argv[0])
    found = here if here.name == "delegate" and here.exists() else shutil.which("delegate")
    beside = Path(sys.executable).with_name("delegate")
    return Path(found or beside).absolute()


def _configuration(*, system: bool) -> Path:
    return Path("/etc/delegate") if system else _home() / "delegate"


def _user_folder() -> Path:
    return _home() / "systemd" / "user"


def _home() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
