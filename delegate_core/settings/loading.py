"""From flags, environment and file to one validated settings object that knows where each value came from."""

import re
import stat
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings

from delegate_core.errors import SettingsError
from delegate_core.settings.base import layered
from delegate_core.settings.naming import PREFIX, Environment, Setting, nearest, settings_of
from delegate_core.settings.paths import expanded
from delegate_core.settings.secretreference import UNSHOWN
from delegate_core.settings.sources import (
    FileTable,
    Found,
    Origin,
    SettingsFile,
    Source,
    environment,
    in_file,
)
from delegate_core.settings.sources import (
    flags as flags_source,
)

__all__ = ["Loaded", "load"]

M = TypeVar("M", bound=BaseSettings)

_DEFAULT = Origin("default", "default")
_SHOWN = 100
_CHOICE = re.compile(r"'([^']*)'")


@dataclass(frozen=True, slots=True)
class Loaded(Generic[M]):
    """Validated settings.

    Attributes:
        values: the model.
        origins: of each value that was given, by the name of its field.
        warnings: one line each, for the person who started us.
    """

    values: M
    origins: Mapping[str, Origin]
    warnings: tuple[str, ...]

    def origin(self, name: str) -> Origin:
        """Where the value of a field came from."""
        return self.origins.get(name, _DEFAULT)


def load(
    model: type[M],
    *,
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    file: Path | None,
    table: str = "",
    others: Collection[type[BaseSettings]] = (),
    aliases: Mapping[str, Environment] | None = None,
) -> Loaded[M]:
    """Load the settings of a model. A flag goes before `DELEGATE_*`, aliases in their order, the file, the default.

    Args:
        model: whose fields are the settings; see `naming` for what they are called.
        flags: the command line by field name; None is not given, and names of other models are passed over.
        environ: the environment.
        file: the settings file; must exist. See `find_file`.
        table: of the file: a backend's name, or empty for the core's settings at the top level.
        others: models loaded from the same environment, so that their variables are known.
        aliases: further variables by field name.

    Raises:
        SettingsError: everything that is wrong, a line each.
    """
    content = SettingsFile.read(file).table(table) if file else FileTable({}, {})
    settings = {name: setting.also((aliases or {}).get(name)) for name, setting in settings_of(model).items()}
    load_ = _Load(settings, _sources(flags, environ, content))
    load_.reject_unknown(content, top=not table)
    values = load_.validate(model, table)
    models: list[type[BaseSettings]] = [model, *others]
    known = [setting for each in models for setting in settings_of(each).values()]
    warnings = (*load_.warnings, *_unknown_variables(environ, known))
    return Loaded(values, {name: each.origin for name, each in load_.found.items()}, warnings)


def _sources(flags: Mapping[str, Any], environ: Mapping[str, str], content: FileTable) -> tuple[Source, ...]:
    return (
        flags_source(flags),
        environment(environ, lambda setting: setting.variables[:1]),
        environment(environ, lambda setting: setting.variables[1:]),
        in_file(content),
    )


@dataclass(slots=True)
class _Load:
    """One load under way, and what it has found wrong so far."""

    settings: Mapping[str, Setting]
    sources: tuple[Source, ...]
    found: dict[str, Found] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def reject_unknown(self, content: FileTable, *, top: bool) -> None:
        """Note each key of the file that is no setting. At the top level, a table may be some backend's."""
        names = [each.name for setting in self.settings.values() for each in _variants(setting)]
        tables = [name for name, setting in self.settings.items() if setting.shape == "pairs" or not setting.flag]
        for key in content.values.keys() - names:
            foreign = top and isinstance(content.values[key], dict)
            meant = nearest(key, tables if foreign else names)
            if meant or not foreign:
                cure = f"did you mean {meant}?" if meant else "remove it"
                self.problems.append(f"{key} ({content.origins[key]}): there is no such setting: {cure}")

    def _answer(self, source: Source) -> Callable[[str], Any | None]:
        """What a source has for a field; a secret goes before the name of its file."""

        def answer(name: str) -> Any | None:
            setting = self.settings[name]
            for variant in _variants(setting):
                if (found := source(variant)) is not None:
                    self.found[name] = found if variant is setting else self._secret(variant, found)
                    return self.found[name].value
            return None

        return answer

    def _secret(self, variant: Setting, found: Found) -> Found:
        path = expanded(Path(str(found.value)))
        try:
            text = path.read_text("utf-8").rstrip("\r\n")
            readable = path.stat().st_mode & stat.S_IROTH
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            self.problems.append(f"{variant.name} ({found.origin}): {path}: {reason}: name a readable file")
            return Found("", found.origin)
        if readable:
            self.warnings.append(f"{variant.name} ({found.origin}): everyone can read {path}: chmod 600 it")
        return Found(text, found.origin)

    def validate(self, model: type[M], table: str) -> M:
        """The model's instance, or every problem at once."""
        values = None
        try:
            values = layered(model, [self._answer(source) for source in self.sources])
        except ValidationError as error:
            self.problems += [self._complaint(each, self.found, table) for each in error.errors()]
        if values is None or self.problems:
            raise SettingsError("\n".join(sorted(self.problems)))
        return values

    def _complaint(self, error: ErrorDetails, found: Mapping[str, Found], table: str) -> str:
        message = error["msg"].removeprefix("Value error, ")
        path = [str(part) for part in error["loc"]]
        setting = self.settings.get(path[0]) if path else None
        if setting is None:
            return _hidden(message, [found[name] for name in found if self.settings[name].secret])
        if error["type"] == "missing" and len(path) == 1:
            return f"{setting.name}: missing: {_ways(setting, table)}"
        where = found[setting.name]
        if setting.secret:
            return f"{setting.name} ({where.origin}): {_hidden(message, [where])}"
        if error["type"] == UNSHOWN:
            return f"{'.'.join(path)} ({where.origin}): {message}"
        return f"{'.'.join(path)} ({where.origin}): {error['input']!r:.{_SHOWN}}: {message}{_meant(error)}"


def _meant(error: ErrorDetails) -> str:
    """The choice that was probably meant, where there are some."""
    if error["type"] != "literal_error" or not isinstance(error["input"], str):
        return ""
    found = nearest(error["input"], _CHOICE.findall(error["ctx"]["expected"]))
    return f": did you mean {found}?" if found else ""


def _variants(setting: Setting) -> Iterator[Setting]:
    yield setting
    if setting.file_variant is not None:
        yield setting.file_variant


def _hidden(message: str, secrets: Collection[Found]) -> str:
    for secret in secrets:
        message = message.replace(str(secret.value), "***") if secret.value else message
    return message


def _ways(setting: Setting, table: str) -> str:
    place = f"[{table}] of the settings file" if table else "the settings file"
    return f"give {setting.flag}, {setting.variables[0]}, or {setting.name} in {place}"


def _unknown_variables(environ: Mapping[str, str], settings: Collection[Setting]) -> Iterator[str]:
    known = [name for setting in settings for each in _variants(setting) for name in each.variables]
    ours = [name.removeprefix(PREFIX) for name in known if name.startswith(PREFIX)]
    for name in sorted(name for name in environ.keys() - known if name.startswith(PREFIX)):
        meant = nearest(name.removeprefix(PREFIX), ours)
        yield f"{name}: there is no such setting" + (f": did you mean {PREFIX}{meant}?" if meant else "")
