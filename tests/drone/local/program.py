"""The plugin's commands as a program of their own, ending as ``delegate`` does."""

from __future__ import annotations

import sys

import typer

from delegate_core.errors import DelegateError
from delegate_drone import commands


def main() -> None:
    app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command("exec")(commands.exec_)
    app.command("lint")(commands.lint)
    app.command("plan")(commands.plan)
    try:
        typer.main.get_command(app)(sys.argv[1:], prog_name="delegate")
    except DelegateError as error:
        sys.stdout.flush()
        sys.stderr.write(f"delegate: {error}\n")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
