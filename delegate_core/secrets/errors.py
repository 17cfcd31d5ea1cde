"""What can go wrong with secrets. No text of these errors holds a secret's value."""

from __future__ import annotations

__all__ = ["ExpressionError", "SecretError"]


class SecretError(Exception):
    """A secret cannot be had: says which, where it was looked for, and how to mend it."""


class ExpressionError(ValueError):
    """An expression in a task's data cannot be used: says where it stands, and what is wrong with it."""
