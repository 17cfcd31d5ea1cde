"""Secrets, extra variables and registry accounts of a build: from the server, the manifest, the runner, extensions.

An *extension* is what Drone calls a secret, environment or registry plugin: a service that takes signed HTTP requests.
"""

from delegate_drone.external.client import Extension
from delegate_drone.external.environment import EnvironmentSources, Variables
from delegate_drone.external.errors import (
    ExtensionFailed,
    RegistriesError,
    SecretError,
    SourceError,
    VariablesError,
)
from delegate_drone.external.registries import Accounts, RegistrySources
from delegate_drone.external.secrets import Resolved, SecretSources
from delegate_drone.external.sources import Sources, open_sources

__all__ = [
    "Accounts",
    "EnvironmentSources",
    "Extension",
    "ExtensionFailed",
    "RegistriesError",
    "RegistrySources",
    "Resolved",
    "SecretError",
    "SecretSources",
    "SourceError",
    "Sources",
    "Variables",
    "VariablesError",
    "open_sources",
]
