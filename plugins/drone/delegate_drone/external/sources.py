"""All sources of a runner, made from its settings."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from delegate_core.http import TlsOptions, open_transport
from delegate_drone.external.client import Extension
from delegate_drone.external.environment import EnvironmentSources
from delegate_drone.external.registries import RegistrySources
from delegate_drone.external.secrets import SecretSources
from delegate_drone.settings import DroneSettings, ExtensionAddress

__all__ = ["Sources", "open_sources"]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a stage's secrets, variables and registry accounts come from."""

    secrets: SecretSources
    environment: EnvironmentSources
    registries: RegistrySources


@asynccontextmanager
async def open_sources(
    settings: DroneSettings, *, tls: TlsOptions | None = None, now: Callable[[], float] = time.time
) -> AsyncIterator[Sources]:
    """The sources that the settings name; their connections are closed at the end.

    Args:
        settings: of the backend.
        tls: whom the extensions' certificates are to be signed by; its ``insecure`` does not count, as each extension
            has a setting of its own for that.
        now: unix seconds, for the date of a request.

    Raises:
        SettingsError: the file of variables cannot be read.
        TlsFailed: the files of ``tls`` cannot be used.
    """
    variables = settings.read_variables()
    async with AsyncExitStack() as stack:

        def opened(kind: str, address: ExtensionAddress | None) -> Extension | None:
            if address is None:
                return None
            # httpx closes a cancelled call's connection at once, and these calls are few.
            transport = open_transport(replace(tls or TlsOptions(), insecure=address.skip_verify), kind="httpx")
            stack.push_async_callback(transport.aclose)
            return Extension(kind, address.endpoint, address.token, transport, now)

        yield Sources(
            SecretSources(settings.static_secrets, opened("secret", settings.secret_plugin)),
            EnvironmentSources(variables, opened("environment", settings.env_plugin)),
            RegistrySources(settings.registry_config, opened("registry", settings.registry_plugin)),
        )
