"""One settings object from flags, environment and `delegate.toml`; each value knows where it came from."""

from delegate_core.settings.base import Settings, secrets_of
from delegate_core.settings.durations import Duration, PositiveDuration, format_duration, parse_duration
from delegate_core.settings.loading import Loaded, Problem, load
from delegate_core.settings.model import RunnerSettings
from delegate_core.settings.naming import Environment, FileOnly, Flag, Setting, settings_of
from delegate_core.settings.paths import UserPath
from delegate_core.settings.secretreference import Reference, SecretReference
from delegate_core.settings.sources import Origin, find_file

__all__ = [
    "Duration",
    "Environment",
    "FileOnly",
    "Flag",
    "Loaded",
    "Origin",
    "PositiveDuration",
    "Problem",
    "Reference",
    "RunnerSettings",
    "SecretReference",
    "Setting",
    "Settings",
    "UserPath",
    "find_file",
    "format_duration",
    "load",
    "parse_duration",
    "secrets_of",
    "settings_of",
]
