"""Operating systems and architectures by one name each, whoever named them."""

import platform
import sys

__all__ = ["ANY", "architecture", "here", "system"]

ANY = "any"

_SYSTEMS = {"linux": "linux", "darwin": "darwin", "macos": "darwin", "windows": "windows", "freebsd": "freebsd"}
_ARCHITECTURES = {
    "amd64": "amd64",
    "x86_64": "amd64",
    "x64": "amd64",
    "arm64": "arm64",
    "aarch64": "arm64",
    "386": "386",
    "i386": "386",
    "i686": "386",
    "x86": "386",
    "arm": "arm",
    "armv6l": "arm",
    "armv7l": "arm",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
    "riscv64": "riscv64",
}


def system(name: str) -> str:
    """The one name of an operating system; `any` stays.

    Raises:
        ValueError: there is none of this name.
    """
    return _one_name(name, _SYSTEMS, "operating system")


def architecture(name: str) -> str:
    """The one name of an architecture; `any` stays.

    Raises:
        ValueError: there is none of this name.
    """
    return _one_name(name, _ARCHITECTURES, "architecture")


def here() -> tuple[str, str]:
    """This machine's operating system and architecture; a name that we do not know stays as it is."""
    machine = platform.machine().lower()
    return _SYSTEMS.get(sys.platform, sys.platform), _ARCHITECTURES.get(machine, machine)


def _one_name(name: str, names: dict[str, str], what: str) -> str:
    low = name.strip().lower()
    if low == ANY:
        return ANY
    if low not in names:
        raise ValueError(f"{name!r} is no {what} that we know: use one of {', '.join(sorted({*names.values(), ANY}))}")
    return names[low]
