"""``delegate exec``: from options to an exit status."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import anyio

from delegate_core.console import lastwords
from delegate_core.console.colours import colourful
from delegate_core.console.streams import open_missing_streams
from delegate_core.console.visible import visible
from delegate_core.endsignals import end_as_by_ctrl_c
from delegate_core.errors import SettingsError
from delegate_core.logs import Mask
from delegate_core.logs.secrecy import Secrecy
from delegate_drone.local.choices import Choices, Given
from delegate_drone.local.containers import read_registries
from delegate_drone.local.git import look
from delegate_drone.local.reading import read_manifest
from delegate_drone.local.report import print_problems
from delegate_drone.local.running import Run, Stopping
from delegate_drone.local.variables import drone_variables, read_key, read_secrets, read_variables
from delegate_drone.local.view import KINDS, open_view
from delegate_drone.local.workload import BadManifest, Inputs, Workload, open_workload
from delegate_drone.local.writing import Writer

__all__ = ["execute", "prepare"]

_INTERRUPTED: Final = 130


def prepare(choices: Choices, given: Given) -> Workload:
    """Read everything that a run or a plan depends on, and say what is odd about it.

    Raises:
        SettingsError: something of it cannot be used; a manifest's problems have been printed then.
    """
    open_missing_streams()
    inputs = Inputs(
        environment=read_variables(given.env_file),
        variables=drone_variables(os.environ),
        secrets=read_secrets(given.secret_file, given.secret, os.environ),
        key=read_key(given.secret_key_file),
        registries=read_registries(given.registry),
    )
    lastwords.conceal(Secrecy(*inputs.secrets.values(), inputs.key or "", *inputs.registries.passwords))
    source = read_manifest(choices.file)
    try:
        workload = open_workload(choices, look(_here()), source, inputs, now=int(time.time()))
    except BadManifest as error:
        print_problems(error.problems, sys.stderr, colour=colourful(sys.stderr, os.environ))
        raise
    lastwords.conceal(Secrecy(*workload.secrets.values()))
    _warn_of_all(workload)
    return workload


def execute(choices: Choices, given: Given, *, console: str, timeout: float) -> int:
    """Run the pipelines of a file; the exit status.

    Raises:
        SettingsError: nothing was run.
    """
    if console not in KINDS:
        raise SettingsError(f"--console {console}: it is one of {', '.join(KINDS)}")
    if timeout <= 0:
        raise SettingsError("--timeout: give more than 0")
    # Until the event loop heeds them, all end the run as Ctrl-C does: by cleaning up.
    end_as_by_ctrl_c()
    try:
        workload = prepare(choices, given)
        _refuse_nothing(workload)
        return _run(workload, console, timeout)
    except KeyboardInterrupt:
        return _INTERRUPTED


def _run(workload: Workload, console: str, timeout: float) -> int:
    stopping = Stopping()
    writer = Writer(sys.stdout, stopping.asked)
    several = sum(one.runs for one in workload.candidates) > 1
    view = open_view(console, sys.stdout, writer, environ=os.environ, several=several)
    run = Run(workload, view, stopping, timeout=timeout)
    lastwords.conceal(run.secrecy)
    writer.on_gone = lambda reason: _end_unread(run, reason)
    with _own_folder() as folder:
        return anyio.run(run.execute, Path(folder))


def _end_unread(run: Run, reason: str) -> None:
    if reason:
        with suppress(OSError):
            _warn([f"standard output cannot be written: {reason}; the run is ended"])
    run.stop(signal.SIGPIPE)


def _own_folder() -> tempfile.TemporaryDirectory[str]:
    """Of another user's or a hanging process a file may be left in it, which is no reason to fail at the end."""
    try:
        return tempfile.TemporaryDirectory(prefix="delegate-exec-", ignore_cleanup_errors=True)
    except OSError as error:
        text = f"cannot make a temporary folder: {error.strerror}; name another place in TMPDIR"
        raise SettingsError(text) from None


def _here() -> Path:
    try:
        return Path.cwd()
    except OSError as error:
        raise SettingsError(f"cannot use this folder: {error.strerror}; go to another") from None


def _refuse_nothing(workload: Workload) -> None:
    """Say so where nothing can run although something should."""
    if any(one.runs for one in workload.candidates):
        return
    missing = [one for one in workload.candidates if one.missing and not one.left_out]
    if missing:
        raise SettingsError(f'pipeline "{missing[0].name}" cannot run here: {missing[0].missing}')


def _warn_of_all(workload: Workload) -> None:
    print_problems(workload.warnings, sys.stderr, colour=colourful(sys.stderr, os.environ))
    _warn(workload.registries.warnings)
    _warn(f'secret "{name}" is not given: it is empty' for name in workload.missing_secrets())
    short = {name: Mask().add(value) for name, value in workload.secrets.items()}
    _warn(f'secret "{name}" is too short to be hidden in what steps print' for name, says in short.items() if says)
    if workload.choices.event == "tag" and not workload.pretence.build.ref.startswith("refs/tags/"):
        _warn(["the commit has no tag, so there is no DRONE_TAG: name one with --ref refs/tags/NAME"])
    if workload.choices.clone and workload.checkout.modified:
        _warn(["work that is not committed is not in the clone"])


def _warn(texts: Iterable[str]) -> None:
    for text in texts:
        sys.stderr.write(f"delegate: warning: {visible(text)}\n")
    sys.stderr.flush()
