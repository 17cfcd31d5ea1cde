"""Fixtures of the core's own tests: a scripted backend, and a bench for its runners."""

from __future__ import annotations

from tests.core.conftest import backend, bench

__all__ = ["backend", "bench"]
