"""Which account pulls an image."""

from __future__ import annotations

from collections.abc import Iterable

from delegate_core.pipeline.container import RegistryCredentials
from delegate_drone.compiler.images import full_reference, registry_host

__all__ = ["credentials_for"]


def credentials_for(image: str, accounts: Iterable[RegistryCredentials]) -> RegistryCredentials | None:
    """The first account of the image's registry; None: it is pulled anonymously."""
    host = registry_host(full_reference(image))
    return next((account for account in accounts if registry_host(account.address) == host), None)
