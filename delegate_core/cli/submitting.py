"""The options of ``delegate submit`` that only the development server understands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from delegate_core.errors import SettingsError

__all__ = ["read_arguments"]


def read_arguments(arguments: Sequence[str], pairs: Iterable[str], repo: Path | None) -> tuple[Path, dict[str, str]]:
    """The file, and the server's options by name; an option given several times has its values on lines of their own.

    Args:
        arguments: what the command line has besides its known options: the file, ``--name value``, ``--name=value``,
            and ``--name`` for ``--name=true``.
        pairs: more options, each as ``name=value``.
        repo: the option ``repo``, made absolute: the server may run in another folder.

    Raises:
        SettingsError: there is no file, or more than one, or a pair is none.
    """
    files, given = _sorted_out(arguments)
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign:
            raise SettingsError(f"--option {pair}: write it as name=value")
        given.append((name, value))
    if repo is not None:
        given.append(("repo", str(repo.absolute())))
    if len(files) != 1:
        raise SettingsError("name one file, or - for standard input" + (f"; not {', '.join(files)}" if files else ""))
    return Path(files[0]), _joined(given)


def _sorted_out(arguments: Sequence[str]) -> tuple[list[str], list[tuple[str, str]]]:
    files: list[str] = []
    given: list[tuple[str, str]] = []
    rest = list(arguments)
    while rest:
        one = rest.pop(0)
        if not one.startswith("--"):
            files.append(one)
        elif "=" in one:
            name, _, value = one[2:].partition("=")
            given.append((name, value))
        elif _has_value(rest, files):
            given.append((one[2:], rest.pop(0)))
        else:
            given.append((one[2:], "true"))
    return files, given


def _has_value(rest: Sequence[str], files: Sequence[str]) -> bool:
    """Whether what follows an option is its value: not another option, and not the file where that is yet to come."""
    if not rest or rest[0].startswith("--"):
        return False
    return bool(files) or any(not later.startswith("--") for later in rest[1:])


def _joined(given: Iterable[tuple[str, str]]) -> dict[str, str]:
    options: dict[str, str] = {}
    for name, value in given:
        options[name] = f"{options[name]}\n{value}" if name in options else value
    return options
