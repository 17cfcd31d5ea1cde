"""The targets, each in the module of its concern."""

from tests.fuzz.registry import TARGETS
from tests.fuzz.targets import archives, expressions, files, manifests, output, requests, settings, tokens, wire

__all__ = [
    "TARGETS",
    "archives",
    "expressions",
    "files",
    "manifests",
    "output",
    "requests",
    "settings",
    "tokens",
    "wire",
]
