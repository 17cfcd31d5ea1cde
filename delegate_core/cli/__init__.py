"""The ``delegate`` command."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its status; see ``delegate_core.errors`` for the codes."""
    from delegate_core.cli.app import build  # noqa: PLC0415 - keeps `import delegate_core.cli` light
    from delegate_core.errors import DelegateError  # noqa: PLC0415 - the same

    given = sys.argv[1:] if arguments is None else arguments
    try:
        build(given)(given, prog_name="delegate", standalone_mode=True)
    except DelegateError as error:
        sys.stdout.flush()
        sys.stderr.write(f"delegate: {error}\n")
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # Whoever read our output has seen enough; keep the interpreter from complaining at exit.
        sys.stderr.close()
        sys.exit(0)
