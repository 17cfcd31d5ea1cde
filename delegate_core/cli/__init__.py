"""The ``delegate`` command."""

from __future__ import annotations

import os
import signal
import sys

__all__ = ["main"]


_INTERRUPTED = 130
"""The exit status after Ctrl-C, as a shell has it."""

_COMPLETING = "_DELEGATE_COMPLETE"
_TYPED = ("_TYPER_COMPLETE_ARGS", "COMP_WORDS")
"""In which variable the scripts for zsh and fish, and for bash, have what was typed so far."""


def _being_typed() -> list[str]:
    """The arguments that a shell wants completed: which options there are depends on the command and the backend."""
    if _COMPLETING not in os.environ:
        return []
    return next((os.environ[name] for name in _TYPED if os.environ.get(name)), "").split()[1:]


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its status; see ``delegate_core.errors`` for the codes."""
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["run"]:
        _bear_hangups()
    try:
        _main(given)
    except KeyboardInterrupt:  # before the command has begun, which sees to it itself
        sys.exit(_INTERRUPTED)


def _bear_hangups() -> None:
    """Not end at SIGHUP: who wants a runner to read its settings again need not know that it is just starting."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, lambda *_: None)  # not SIG_IGN, which children would inherit


def _main(given: list[str]) -> None:
    from delegate_core.cli.app import build  # noqa: PLC0415 - keeps `import delegate_core.cli` light
    from delegate_core.console.lastwords import shown  # noqa: PLC0415 - the same
    from delegate_core.console.streams import open_missing_streams  # noqa: PLC0415 - the same
    from delegate_core.console.visible import visible_lines  # noqa: PLC0415 - the same
    from delegate_core.errors import DelegateError  # noqa: PLC0415 - the same

    open_missing_streams()
    try:
        build(_being_typed() or given)(given, prog_name="delegate", standalone_mode=True)
    except DelegateError as error:
        if _COMPLETING in os.environ:
            sys.exit(0)  # half a word is no mistake
        sys.stdout.flush()
        sys.stderr.write(f"delegate: {visible_lines(shown(str(error)))}\n")
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # Whoever read our output has seen enough; keep the interpreter from complaining at exit.
        sys.stderr.close()
        sys.exit(0)
