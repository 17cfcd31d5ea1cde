"""Whether traces and metrics are asked for, by the standard ``OTEL_*`` variables. Imports nothing of OpenTelemetry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

__all__ = ["SECRET_VARIABLES", "Asked", "Signal", "asked", "secrets_of"]

SECRET_VARIABLES: Final = (
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
)
"""What they hold is for the collector alone."""

_PROTOCOL: Final = "http/protobuf"
_EXPORTERS: Final = ("otlp", "console", "none")
_INSTALL: Final = "pip install 'delegate-core[otel]'"

SignalName = Literal["traces", "metrics"]


@dataclass(frozen=True, slots=True)
class Signal:
    """One kind of what is sent.

    Attributes:
        name: ``traces`` or ``metrics``.
        otlp: it goes to a collector.
        console: it goes to standard error, as JSON.
        endpoint: the collector's address for it, without what may be secret in it.
        because: the variable that asks for it.
    """

    name: SignalName
    otlp: bool = False
    console: bool = False
    endpoint: str = ""
    because: str = ""

    def __bool__(self) -> bool:
        """Whether it is sent at all."""
        return self.otlp or self.console


@dataclass(frozen=True, slots=True)
class Asked:
    """What the environment asks for.

    Attributes:
        traces: of tasks, their steps, and calls to the server.
        metrics: those that ``/metrics`` has.
        problems: what is asked for and cannot be done, a line each: what, where, and what to do.
    """

    traces: Signal = field(default_factory=lambda: Signal("traces"))
    metrics: Signal = field(default_factory=lambda: Signal("metrics"))
    problems: tuple[str, ...] = ()

    @property
    def signals(self) -> tuple[Signal, ...]:
        """Those that are sent."""
        return tuple(signal for signal in (self.traces, self.metrics) if signal)

    def __bool__(self) -> bool:
        """Whether anything is sent."""
        return bool(self.signals)


def asked(environ: Mapping[str, str]) -> Asked:
    """What these variables ask for; nothing where they are silent, unlike OpenTelemetry's own SDKs, which then send.

    What asks for something that cannot be done turns that off, and is a problem: these variables may be meant for all
    programs of a machine, so they are no reason for a runner not to start.
    """
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return Asked()
    traces, metrics = _Reader(environ, "traces"), _Reader(environ, "metrics")
    found = Asked(traces.signal(), metrics.signal(), tuple(_told(traces, metrics)))
    if found and not _installed():
        because = " and ".join(dict.fromkeys(signal.because for signal in found.signals))
        missing = f"{because} asks for OpenTelemetry, which is not installed: {_INSTALL}, or set OTEL_SDK_DISABLED=true"
        return Asked(problems=(*found.problems, missing))
    return found


def _told(*readers: _Reader) -> Iterator[str]:
    """Their problems; what keeps both signals back is one."""
    for problem in dict.fromkeys(problem for reader in readers for problem in reader.problems):
        names = (reader.name for reader in readers if problem in reader.problems)
        yield f"{problem}; {' and '.join(f'no {name}' for name in names)} are sent"


def _installed() -> bool:
    try:
        return all(find_spec(f"opentelemetry.{part}") for part in ("exporter.otlp.proto.http", "sdk"))
    except ModuleNotFoundError:
        return False


def secrets_of(environ: Mapping[str, str]) -> Iterator[str]:
    """The values of the headers that are for the collector, which nothing may show."""
    for variable in SECRET_VARIABLES:
        for pair in environ.get(variable, "").split(","):
            yield unquote(pair.partition("=")[2].strip())


class _Reader:
    """Reads the variables of one signal: its own win over the general ones."""

    def __init__(self, environ: Mapping[str, str], name: SignalName) -> None:
        self._environ = environ
        self.name = name
        self.problems: list[str] = []

    def signal(self) -> Signal:
        """What is asked for, so far as it can be done."""
        chosen, because = self._chosen()
        otlp = "otlp" in chosen and self._speaks_http()
        endpoint = self._endpoint() if otlp else ""
        return Signal(self.name, bool(endpoint), "console" in chosen, endpoint, because)

    def _chosen(self) -> tuple[set[str], str]:
        variable = f"OTEL_{self.name.upper()}_EXPORTER"
        said = self._environ.get(variable, "").strip()
        if not said:
            asking = next((name for name in self._variables("ENDPOINT") if self._environ.get(name)), "")
            return ({"otlp"} if asking else set()), asking
        names = {name.strip().lower() for name in said.split(",")} - {""}
        for unknown in sorted(names - set(_EXPORTERS)):
            self._problem(f"{variable}={unknown!r} is none of {', '.join(_EXPORTERS)}")
        return names, variable

    def _speaks_http(self) -> bool:
        for variable in self._variables("PROTOCOL"):
            protocol = self._environ.get(variable, "").strip()
            if protocol == _PROTOCOL:
                return True
            if protocol:
                self._problem(f"{variable}={protocol!r} is not spoken: set it to {_PROTOCOL}, mostly at port 4318")
                return False
        return True

    def _endpoint(self) -> str:
        """The address; empty where it cannot be used. The general one is a base, the signal's own is taken as it is."""
        own, general = self._variables("ENDPOINT")
        for variable, path in ((own, ""), (general, f"/v1/{self.name}")):
            address = self._environ.get(variable, "").strip()
            if address:
                return self._usable(variable, address, path)
        return f"http://localhost:4318/v1/{self.name}"

    def _usable(self, variable: str, address: str, path: str) -> str:
        try:
            parts = urlsplit(address)
            where = parts.netloc.rpartition("@")[2]
            usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable:
            self._problem(f"{variable} is no address: write it as http://collector.example:4318")
            return ""
        return f"{parts.scheme}://{where}{parts.path.rstrip('/')}{path}"

    def _variables(self, what: str) -> Iterator[str]:
        yield f"OTEL_EXPORTER_OTLP_{self.name.upper()}_{what}"
        yield f"OTEL_EXPORTER_OTLP_{what}"

    def _problem(self, text: str) -> None:
        self.problems.append(text)
