"""The platform that a pipeline names, as the engine's API writes it, and whether an image is for it. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from delegate_core.pipeline.spec import Platform

__all__ = ["image_platform", "is_for", "platform_query", "platform_text"]


def platform_text(platform: Platform) -> str:
    """``os/arch/variant``, as far as it is named; empty where no architecture is: then the engine's own is meant."""
    if not platform.arch:
        return ""
    return "/".join(part for part in (platform.os or "linux", platform.arch, platform.variant) if part)


def platform_query(platform: Platform) -> dict[str, str]:
    """What makes the engine show that variant of a multi-platform image; older ones have but one, and ignore it.

    Source: parameter ``platform`` of ``GET /images/{name}/json``, since version 1.49 of the Docker Engine API.
    """
    if not platform.arch:
        return {}
    named = {"os": platform.os or "linux", "architecture": platform.arch, "variant": platform.variant}
    return {"platform": json.dumps({key: value for key, value in named.items() if value})}


def image_platform(image: Mapping[str, Any]) -> str:
    """That of an image which the engine has shown."""
    parts = (image.get("Os"), image.get("Architecture"), image.get("Variant"))
    return "/".join(part for part in parts if part)


def is_for(image: Mapping[str, Any], platform: Platform) -> bool:
    """Whether an image which the engine has shown is for this platform. What the image does not say is no reason."""
    wanted = {"Os": platform.os, "Architecture": platform.arch}
    if any(value and (image.get(key) or value) != value for key, value in wanted.items()):
        return False
    return not platform.arch or _runs_on(image.get("Variant") or "", platform.variant)


def _runs_on(made_for: str, variant: str) -> bool:
    """Each variant of an architecture also runs what is made for those before it: arm/v7 runs arm/v6."""
    return not made_for or not variant or made_for == variant or _number(made_for) < _number(variant)


def _number(variant: str) -> float:
    digits = variant.removeprefix("v")
    return int(digits) if digits.isdecimal() else float("inf")
