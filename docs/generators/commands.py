"""Every command with its arguments, options, defaults and examples, from the command line itself."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from delegate_core.cli.app import build
from delegate_core.settings import RunnerSettings, settings_of
from docs.generators.markdown import code, joined, prose, table

__all__ = ["page"]

_INTRODUCTION = """\
# Commands

<!-- Made from the command line by docs/generators/commands.py: make reference. -->

`delegate COMMAND --help` shows the same. Every command also takes `--help`. `delegate --install-completion` installs
completion for the current shell, `--show-completion` prints it.

What a command ends with is on [the page of exit codes](exit-codes.md). Variables of the environment stand beside
the [settings](settings.md): commands that read a runner's settings (`run`, `dev`, `task`, `config`, and those with
`--backend` and `--name`) take them from there too."""

_OF_SETTINGS = {
    "run": "with `--backend NAME` those of that backend too",
    "doctor": "with `--backend NAME` those of that backend too",
    "dev": "those of the backends left out",
}
"""Commands with a flag for each setting, and for which."""

_EXAMPLES = re.compile(r"^\x08\n(.*?)(?:\n\n|\Z)", re.MULTILINE | re.DOTALL)


def page() -> str:
    """The whole page."""
    return joined([_INTRODUCTION, *_groups(build([]), "delegate", 2)])


def _groups(group: Any, called: str, level: int) -> Iterator[str]:
    for name, command in group.commands.items():
        whole = f"{called} {name}"
        if hasattr(command, "commands"):
            yield f"{'#' * level} {whole}"
            yield prose(command.help or "")
            yield from _groups(command, whole, level + 1)
        else:
            if name in _OF_SETTINGS and group.name == "delegate":  # whose options are made when they are called
                command = build([name]).commands[name]  # noqa: PLW2901 - the same, whole
            yield from _command(command, whole, level)


def _command(command: Any, called: str, level: int) -> Iterator[str]:
    yield f"{'#' * level} {called}"
    words = [_usage(one) for one in command.params if not one.opts[0].startswith("-")]
    yield f"```text\n{' '.join([called, '[OPTIONS]', *words])}\n```"
    yield from _help(inspect.cleandoc(command.help or ""))
    own = [one for one in command.params if not _is_setting(called, one)]
    yield _arguments(one for one in own if not one.opts[0].startswith("-"))
    yield _options(one for one in own if one.opts[0].startswith("-"))
    if whose := _OF_SETTINGS.get(called.removeprefix("delegate ")):
        yield f"There is a flag for each of the [settings](settings.md) besides, {whose}."


def _help(text: str) -> Iterator[str]:
    """The paragraphs, and what is set off in them as commands."""
    position = 0
    for found in _EXAMPLES.finditer(text):
        yield prose(text[position : found.start()])
        yield f"```sh\n{textwrap.dedent(found[1]).strip()}\n```"
        position = found.end()
    yield prose(text[position:])


def _is_setting(called: str, option: Any) -> bool:
    """Whether an option is there for a setting, which has a page of its own."""
    if called.removeprefix("delegate ") not in _OF_SETTINGS:
        return False
    flags = {setting.flag for setting in settings_of(RunnerSettings).values()}
    return option.opts[0] in flags or option.opts[0].removesuffix("-file") in flags or option.name.startswith("docker_")


def _arguments(arguments: Iterable[Any]) -> str:
    rows = [[code(_name(one)), prose(one.help or "") + _default(one)] for one in arguments]
    return table(["argument", ""], rows) if rows else ""


def _options(options: Iterable[Any]) -> str:
    rows = [[_flags(one), prose(one.help or "") + _default(one)] for one in options if not one.hidden]
    return table(["option", ""], rows) if rows else ""


def _name(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper()).strip("{}[].")


def _usage(argument: Any) -> str:
    word = _name(argument) + ("..." if argument.nargs == -1 else "")
    return word if argument.required else f"[{word}]"


def _flags(option: Any) -> str:
    flags = ", ".join(code(flag) for flag in (*option.opts, *option.secondary_opts))
    return flags if option.is_flag else f"{flags} {code(_value(option))}"


def _value(option: Any) -> str:
    if option.metavar:
        return str(option.metavar)
    kind = str(option.type_descriptor.annotation)
    return next((word for part, word in _KINDS.items() if part in kind), "TEXT")


_KINDS = {"Path": "PATH", "int": "NUMBER", "float": "SECONDS"}


def _default(one: Any) -> str:
    value = one.default
    if value is None or value is False or value in ("", ()) or getattr(one, "is_flag", False) or not one.show_default:
        return ""
    return f" Default: `{value}`." if not str(one.help).endswith("]") else ""
