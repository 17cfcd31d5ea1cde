"""What keeps a stage from what it needs.

::

    SourceError            a stage that needs this must fail, and say so, rather than run with values missing
    ├── ExtensionFailed    an extension could not be reached, refused, or answered what cannot be used
    ├── SecretError        a secret could not be had; `name` says which
    ├── VariablesError     the variables of the environment extension could not be had
    └── RegistriesError    the accounts of the registries could not be had

The texts name the secret or the extension's host, what happened, and what may help; never a value.
"""

from __future__ import annotations

__all__ = ["ExtensionFailed", "RegistriesError", "SecretError", "SourceError", "VariablesError"]


class SourceError(Exception):
    """A stage cannot have what it needs, and must not run without it."""


class ExtensionFailed(SourceError):
    """A call to an extension failed."""


class SecretError(SourceError):
    """A secret could not be had: not that it does not exist, but that asking for it failed."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"secret {name}: {reason}")
        self.name = name


class VariablesError(SourceError):
    """The variables of the environment extension could not be had."""


class RegistriesError(SourceError):
    """The accounts of the registries could not be had."""
