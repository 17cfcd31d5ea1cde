"""The variables that a tag gives where it is a version: semantic, or by calendar."""

from __future__ import annotations

import re

__all__ = ["calendar_version", "semantic_version"]

_NUMBER = "0|[1-9][0-9]*"
_IDENTIFIER = rf"{_NUMBER}|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*"
_SEMANTIC = re.compile(
    rf"(?P<major>{_NUMBER})\.(?P<minor>{_NUMBER})\.(?P<patch>{_NUMBER})"
    rf"(?:-(?P<prerelease>(?:{_IDENTIFIER})(?:\.(?:{_IDENTIFIER}))*))?"
    r"(?:\+(?P<build>[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?"
)
_CALENDAR = re.compile(r"(?P<major>[0-9]+)\.(?P<minor>[0-9]+)(?:\.(?P<micro>[^-]+)(?:-(?P<modifier>.+))?)?", re.DOTALL)
_LONGEST = 256


def semantic_version(tag: str) -> dict[str, str]:
    """``DRONE_SEMVER`` and its parts; of a tag that is none, only ``DRONE_SEMVER_ERROR``. One leading ``v`` is fine."""
    text = tag.removeprefix("v")
    found = _SEMANTIC.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        return {"DRONE_SEMVER_ERROR": f"{tag[:_LONGEST]} is not a semantic version"}
    optional = {"DRONE_SEMVER_PRERELEASE": found["prerelease"], "DRONE_SEMVER_BUILD": found["build"]}
    return {
        "DRONE_SEMVER": text,
        "DRONE_SEMVER_MAJOR": found["major"],
        "DRONE_SEMVER_MINOR": found["minor"],
        "DRONE_SEMVER_PATCH": found["patch"],
        "DRONE_SEMVER_SHORT": f"{found['major']}.{found['minor']}.{found['patch']}",
        **{name: value for name, value in optional.items() if value},
    }


def calendar_version(tag: str) -> dict[str, str]:
    """``DRONE_CALVER`` and its parts, as the tag writes them; nothing if its first number is no year."""
    text = tag.removeprefix("v")
    found = _CALENDAR.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None or not _is_year(found["major"]):
        return {}
    numbers = (found["major"], found["minor"], found["micro"])
    modifier = {"DRONE_CALVER_MODIFIER": found["modifier"]} if found["modifier"] else {}
    return {
        "DRONE_CALVER": text,
        "DRONE_CALVER_MAJOR": found["major"],
        "DRONE_CALVER_MAJOR_MINOR": f"{found['major']}.{found['minor']}",
        "DRONE_CALVER_MICRO": found["micro"] or "",
        "DRONE_CALVER_MINOR": found["minor"],
        "DRONE_CALVER_SHORT": ".".join(number for number in numbers if number),
        **modifier,
    }


def _is_year(text: str) -> bool:
    """Within two digits or four, from when Drone knows calendar versions."""
    return len(text) <= 4 and (19 <= int(text) <= 99 or 2019 <= int(text) <= 9998)
