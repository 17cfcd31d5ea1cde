"""Whom ``delegate doctor`` looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from delegate_core.http import TlsOptions
from delegate_core.model import Registration
from delegate_core.settings import RunnerSettings, Settings

__all__ = ["Diagnosis"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The runner that these settings would start, or have started.

    Attributes:
        settings: of the runner.
        registration: what it would announce; the instance is empty where it has never run.
        state_dir: its folder, an absolute path, which may not be there yet.
        engines: the settings of each engine that a plugin brings, by the engine's name.
        needed: for each engine that a task type needs, those types.
        environ: the environment.
        patience: seconds that one look at the network may take.
    """

    settings: RunnerSettings
    registration: Registration
    state_dir: Path
    engines: Mapping[str, Settings | None] = field(default_factory=dict)
    needed: Mapping[str, frozenset[str]] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    patience: float = 5.0

    @property
    def tls(self) -> TlsOptions:
        """Whom its settings trust, and as whom it appears."""
        own = self.settings
        return TlsOptions(own.ca_files, own.client_certificate, own.client_key, own.insecure)
