"""The Harness backend of delegate_core: protocol, tokens, log service, and an embedded manager."""

from delegate_harness.plugin import HarnessBackend
from delegate_harness.settings import HarnessSettings

__all__ = ["HarnessBackend", "HarnessSettings"]
