"""What a runner asks the server for, in words."""

from __future__ import annotations

from collections.abc import Sequence

from delegate_drone.wire import Filter

__all__ = ["described"]


def described(filters: Sequence[Filter]) -> str:
    """``exec on linux/amd64, fib on any platform, with exactly the labels gpu=a``."""
    types = ", ".join(f"{each.type} on {_platform(each)}" for each in filters)
    labels = " ".join(f"{name}={value}" for name, value in filters[0].labels.items()) if filters else ""
    return f"{types}, with exactly the labels {labels}" if labels else f"{types}, without labels (node)"


def _platform(wanted: Filter) -> str:
    parts = [wanted.os, wanted.arch, wanted.variant, wanted.kernel]
    return "/".join(part for part in parts if part) or "any platform"
