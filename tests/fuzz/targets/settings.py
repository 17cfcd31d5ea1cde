"""The settings file, and the values in it that have a form of their own."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from delegate_core.errors import SettingsError
from delegate_core.handlers.declared import declared_handlers
from delegate_core.settings import RunnerSettings, format_duration, load, parse_duration
from delegate_core.status import parse_bind
from delegate_drone.client import parse_address
from delegate_drone.manifest.values import parse_size
from delegate_drone.settings import DroneSettings
from delegate_harness.client import parse_endpoint
from delegate_harness.settings import HarnessSettings
from tests.fuzz.registry import target, text_of

_TOML = (
    *(
        "capacity = 1\n",
        "[harness]\n",
        "[drone]\n",
        "[handler.a]\n",
        'executable = "a"\n',
        'forward = "http://a/"\n',
        "limit = 1\n",
        '"""',
        "'''",
    ),
    *(
        "grace = ",
        '"1h30m"',
        "task_memory = ",
        '"5GiB"',
        "limits = {a = 1}\n",
        'secrets = {a = "env:B"}\n',
        "secret_file = ",
        "1e9",
        "0x",
        "nan",
        "inf",
    ),
)


@target("settings", words=_TOML, calls=4000)
def settings(data: bytes) -> None:
    """A settings file is read, or all that is wrong with it is said."""
    with TemporaryDirectory() as folder:
        file = Path(folder, "delegate.toml")
        file.write_bytes(data)
        with suppress(SettingsError):
            read = load(RunnerSettings, flags={}, environ={}, file=file).values
            declared_handlers({name: table for name, table in read.handler.items() if "executable" in table})
        for model, table in ((HarnessSettings, "harness"), (DroneSettings, "drone")):
            with suppress(SettingsError):
                load(model, flags={}, environ={}, file=file, table=table)


@target(
    "values",
    words=(
        "1h",
        "30m",
        "10ms",
        "1.5s",
        "1e5",
        "nan",
        "inf",
        "5MiB",
        "127.0.0.1:",
        "[::1]:",
        "http://",
        "@",
        "65536",
        "1" * 5000,
    ),
    longest=8192,
)
def values(data: bytes) -> None:
    """Times, sizes and addresses are read or refused; a time that is written again is the same time."""
    text = text_of(data)
    with suppress(ValueError):
        seconds = parse_duration(text)
        assert 0 <= seconds < float("inf")
        assert parse_duration(format_duration(seconds)) == seconds
    size = parse_size(text)
    assert size is None or isinstance(size, int)
    for parse in (parse_bind, parse_address, parse_endpoint):
        with suppress(SettingsError):
            parse(text)
