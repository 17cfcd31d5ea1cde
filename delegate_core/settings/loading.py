"""From flags, environment and file to one validated settings object that knows where each value came from."""

import re
import stat
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings

from delegate_core.errors import SettingsError
from delegate_core.settings.base import layered, relaxed
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

__all__ = ["Loaded", "Problem", "load"]

M = TypeVar("M", bound=BaseSettings)

_DEFAULT = Origin("default", "default")
_SHOWN = 100
_CHOICE = re.compile(r"'([^']*)'")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a setting, and how to mend it.

    Attributes:
        name: of the field; empty for what is wrong with none of them, or with several together.
        text: one line or several, which names setting and origin.
    """

    name: str
    text: str

    @property
    def message(self) -> str:
        """The text without the setting's name and its origin, for where both are shown anyway."""
        return re.sub(rf"^{re.escape(self.name)}(_file)? ?(\([^)]*\))?: ", "", self.text) if self.name else self.text


@dataclass(frozen=True, slots=True)
class Loaded(Generic[M]):
    """Validated settings.

    Attributes:
        values: the model.
        origins: of each value that was given, by the name of its field.
        warnings: one line each, for the person who started us.
        problems: what is wrong, where a lenient load found something.
        given: of the settings that are wrong, the value as it was given, not to be shown if it is a secret.
    """

    values: M
    origins: Mapping[str, Origin]
    warnings: tuple[str, ...]
    problems: tuple[Problem, ...] = ()
    given: Mapping[str, Any] = field(default_factory=dict, repr=False)

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
    lenient: bool = False,
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
        lenient: return what is right with what is wrong beside it, for showing. A value that cannot be used is None.

    Raises:
        SettingsError: everything that is wrong, a line each; with ``lenient`` only that the file cannot be read.
    """
    content = SettingsFile.read(file).table(table) if file else FileTable({}, {})
    settings = {name: setting.also((aliases or {}).get(name)) for name, setting in settings_of(model).items()}
    load_ = _Load(settings, _sources(flags, environ, content))
    load_.reject_unknown(content, top=not table)
    values = load_.validate(model, table, lenient=lenient)
    models: list[type[BaseSettings]] = [model, *others]
    known = [setting for each in models for setting in settings_of(each).values()]
    warnings = (*load_.warnings, *_unknown_variables(environ, known))
    origins = {name: each.origin for name, each in load_.found.items()}
    given = {name: load_.found[name].value for name in load_.faulty & load_.found.keys()}
    return Loaded(values, origins, warnings, tuple(load_.problems), given)


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
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    faulty: set[str] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)
    misspelled: set[str] = field(default_factory=set)
    """Settings that were meant by a key that is none: to call them missing too would not help."""

    def reject_unknown(self, content: FileTable, *, top: bool) -> None:
        """Note each key of the file that is no setting. At the top level, a table may be some backend's."""
        names = [each.name for setting in self.settings.values() for each in _variants(setting)]
        tables = [name for name, setting in self.settings.items() if setting.shape == "pairs" or not setting.flag]
        for key in content.values.keys() - names:
            foreign = top and isinstance(content.values[key], dict)
            meant = nearest(key, tables if foreign else names)
            if meant or not foreign:
                cure = f"did you mean {meant}?" if meant else "remove it"
                self.problems.append(Problem("", f"{key} ({content.origins[key]}): there is no such setting: {cure}"))
                self.misspelled.add(meant or "")

    def _answer(self, source: Source) -> Callable[[str], Any | None]:
        """What a source has for a field; a secret goes before the name of its file."""

        def answer(name: str) -> Any | None:
            setting = self.settings[name]
            for variant in _variants(setting):
                if (found := source(variant)) is not None:
                    self.found[name] = found if variant is setting else self._secret(name, variant, found)
                    return self.found[name].value
            return None

        return answer

    def _secret(self, name: str, variant: Setting, found: Found) -> Found:
        path = expanded(Path(str(found.value)))
        try:
            text = path.read_text("utf-8").rstrip("\r\n")
            readable = path.stat().st_mode & stat.S_IROTH
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            text = f"{variant.name} ({found.origin}): {path}: {reason}: name a readable file"
            self.problems.append(Problem(name, text))
            self.unread.add(name)
            return Found("", found.origin)
        if readable:
            self.warnings.append(f"{variant.name} ({found.origin}): everyone can read {path}: chmod 600 it")
        return Found(text, found.origin)

    def validate(self, model: type[M], table: str, *, lenient: bool) -> M:
        """The model's instance, or every problem at once."""
        try:
            values = layered(model, [self._answer(source) for source in self.sources])
        except ValidationError as error:
            for each in error.errors():
                self.problems += self._complaints(each, table)
            values = None
        if self.problems and not lenient:
            raise SettingsError("\n".join(sorted(problem.text for problem in self.problems)))
        return values if values is not None else relaxed(model, self.faulty, self._found_value)

    def _found_value(self, name: str) -> Any | None:
        return self.found[name].value if name in self.found else None

    def _complaints(self, error: ErrorDetails, table: str) -> Iterator[Problem]:
        """What one of pydantic's errors says. A secret whose file cannot be read is named once: that is enough."""
        path = [str(part) for part in error["loc"]]
        if not path or path[0] not in self.settings:
            yield from self._of_the_whole(error)
        elif path[0] not in self.unread:
            self.faulty.add(path[0])
            yield Problem(path[0], self._complaint(error, path, table))

    def _of_the_whole(self, error: ErrorDetails) -> Iterator[Problem]:
        """Of a model's own check, whose lines may begin with the name of the setting that they are about."""
        secrets = [found for name, found in self.found.items() if self.settings[name].secret]
        for line in _hidden(_message(error), secrets).splitlines():
            name, found, _ = line.partition(": ")
            about = name if found and name in self.settings else ""
            if about in self.misspelled and line.startswith(f"{about}: missing"):
                continue
            if about not in self.unread and (about or not self.unread):
                yield Problem(about, line)

    def _complaint(self, error: ErrorDetails, path: Sequence[str], table: str) -> str:
        setting, message = self.settings[path[0]], _message(error)
        if error["type"] == "missing" and len(path) == 1:
            return f"{setting.name}: missing: {_ways(setting, table)}"
        where = self.found[setting.name]
        if setting.secret:
            return f"{setting.name} ({where.origin}): {_hidden(message, [where])}"
        if error["type"] == UNSHOWN:
            return f"{'.'.join(path)} ({where.origin}): {message}"
        return f"{'.'.join(path)} ({where.origin}): {error['input']!r:.{_SHOWN}}: {message}{_meant(error)}"


def _message(error: ErrorDetails) -> str:
    return error["msg"].removeprefix("Value error, ")


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
