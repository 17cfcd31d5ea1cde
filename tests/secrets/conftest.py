"""The scripted backend and its bench, as the core's own tests have them."""

from tests.core.conftest import backend, bench

__all__ = ["backend", "bench"]
