"""The real command line, asked whether it would take some arguments; nothing is run."""

from __future__ import annotations

from typing import Any

from delegate_core.cli.app import build

__all__ = ["parse"]


def parse(arguments: list[str]) -> None:
    """Parse them as ``delegate`` does.

    Raises:
        AssertionError: it would refuse them; with its text.
    """
    if "--help" in arguments:
        arguments = [word for word in arguments if word != "--help"]
    command: Any = build(arguments)
    name, rest, context = "delegate", arguments, None
    try:
        while hasattr(command, "commands") and rest:
            context = command.make_context(name, list(rest), parent=context)
            name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        if not hasattr(command, "commands"):
            command.make_context(name, list(rest), parent=context)
    except Exception as error:  # noqa: BLE001 - the parser's own kinds are private
        raise AssertionError(f"delegate {' '.join(arguments)}: {error}") from None
