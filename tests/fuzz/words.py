"""Words that a guided search may put into more than one kind of input."""

from __future__ import annotations

from typing import Final

__all__ = ["JSON"]

JSON: Final = ('{"', '":', "[", "]", "{", "}", "null", "true", "1e999", "NaN", '"\\ud83d"', ",")
"""Pieces of JSON, among them numbers and characters that JSON has and few programs expect."""
