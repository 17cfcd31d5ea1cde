"""Where settings come from: flags, environment, file; each value with its origin."""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from delegate_core.errors import SettingsError
from delegate_core.settings.naming import Setting

__all__ = ["FileTable", "Found", "Origin", "SettingsFile", "Source", "environment", "find_file", "flags", "in_file"]

_NAME = "delegate.toml"
_HEADER = re.compile(r"\s*\[\s*([\w-]+)\s*\]")
_KEY = re.compile(r"""\s*["']?([\w-]+)["']?\s*[=.]""")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value was given; as text, what to look for: `--capacity`, `DELEGATE_CAPACITY`, `delegate.toml line 3`.

    Attributes:
        kind: which source.
        where: the flag, the variable, or the place in the file.
    """

    kind: Literal["flag", "environment", "file", "default"]
    where: str

    def __str__(self) -> str:
        return self.where


@dataclass(frozen=True, slots=True)
class Found:
    """A value as a source gave it, not yet validated. Its repr does not show the value: it may be a secret."""

    value: Any
    origin: Origin

    def __repr__(self) -> str:
        return f"Found({self.origin})"


Source = Callable[[Setting], Found | None]
"""Asked for a setting, answers what it has."""


def flags(given: Mapping[str, Any]) -> Source:
    """The command line: values by field name; None is a flag that was not given."""

    def ask(setting: Setting) -> Found | None:
        value = given.get(setting.name)
        return None if value is None else Found(_shaped(value, setting), Origin("flag", setting.flag))

    return ask


def environment(variables: Mapping[str, str], position: Callable[[Setting], tuple[str, ...]]) -> Source:
    """Environment variables; an empty one counts as not given. `position` says which of a setting's names to ask."""

    def ask(setting: Setting) -> Found | None:
        for name in position(setting):
            if text := variables.get(name):
                unit = setting.units.get(name, "") if text.strip().isdigit() else ""
                return Found(_shaped(text + unit, setting), Origin("environment", name))
        return None

    return ask


@dataclass(frozen=True, slots=True)
class FileTable:
    """The top level of a settings file, or one of its tables.

    Attributes:
        values: by key.
        origins: by key.
    """

    values: Mapping[str, Any]
    origins: Mapping[str, Origin]


def in_file(table: FileTable) -> Source:
    """A table of the settings file."""

    def ask(setting: Setting) -> Found | None:
        if setting.name not in table.values:
            return None
        return Found(table.values[setting.name], table.origins[setting.name])

    return ask


@dataclass(frozen=True, slots=True, repr=False)
class SettingsFile:
    """A parsed settings file: settings of the core at the top level, of each backend in a table of its name."""

    path: Path
    values: Mapping[str, Any]
    lines: Mapping[tuple[str, str], int]

    @classmethod
    def read(cls, path: Path) -> "SettingsFile":
        """Read and parse.

        Raises:
            SettingsError: it cannot be read, or is not TOML.
        """
        try:
            text = path.read_text("utf-8-sig")
            return cls(path, tomllib.loads(text), dict(_lines(text)))
        except OSError as error:
            raise SettingsError(f"{path}: {error.strerror}: name a settings file that exists") from None
        except UnicodeDecodeError:
            raise SettingsError(f"{path}: not UTF-8: save it as UTF-8") from None
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(f"{path}: not TOML: {error}: check quotes and brackets there") from None
        except RecursionError:
            raise SettingsError(f"{path}: lists or tables are nested too deeply") from None
        except ValueError:
            raise SettingsError(f"{path}: a number in it has thousands of digits") from None

    def table(self, name: str) -> FileTable:
        """One table, or the top level for the empty name. Empty if there is none.

        Raises:
            SettingsError: there is such a key, but it is no table.
        """
        values = self.values.get(name, {}) if name else self.values
        if not isinstance(values, dict):
            raise SettingsError(f"{name} ({self._origin('', name)}): write it as a table: [{name}]")
        return FileTable(values, {key: self._origin(name, key) for key in values})

    def _origin(self, table: str, key: str) -> Origin:
        line = self.lines.get((table, key))
        place = f"{self.path.name} line {line}" if line else self.path.name
        return Origin("file", f"{place} [{table}]" if table else place)


def find_file(named: Path | None, environ: Mapping[str, str], folder: Path) -> Path | None:
    """The settings file to read: the one named, else `delegate.toml` in `folder`, else the user's, else none."""
    if named is not None:
        return named
    home = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME") or "~").expanduser() / ".config")
    candidates = (folder / _NAME, Path(home) / "delegate" / _NAME)
    return next((path for path in candidates if path.is_file()), None)


def _shaped(value: Any, setting: Setting) -> Any:
    """A text, or the texts of a repeated flag, in the shape of the setting. Pydantic judges what is left."""
    if setting.shape == "one" or not isinstance(value, str | list | tuple):
        return value
    texts = value.split(",") if isinstance(value, str) else value
    if setting.shape == "many":
        return tuple(text.strip() if isinstance(text, str) else text for text in texts if text != "")
    pairs = (str(text).partition("=") for text in texts if text)
    return {name.strip(): amount.strip() for name, _, amount in pairs}


def _lines(text: str) -> Iterator[tuple[tuple[str, str], int]]:
    """Where each key and table begins: good enough for a message, no second parser of TOML."""
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = header[1]
            yield ("", table), number
        elif key := _KEY.match(line):
            yield (table, key[1]), number
