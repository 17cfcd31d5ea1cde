"""The notes of one version, out of the changelog: ``python -m docs.generators.notes 0.1.0``."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

__all__ = ["UNRELEASED", "sections"]

UNRELEASED: Final = "Unreleased"

_CHANGELOG: Final = Path(__file__).parents[2] / "CHANGELOG.md"
_HEADING: Final = re.compile(r"^## (?P<name>\S+)(?: - (?P<date>\d{4}-\d\d-\d\d))?$", re.MULTILINE)


def sections() -> dict[str, tuple[str, str]]:
    """Of each version, the latest first, its date and its notes; what is not released has no date."""
    text = _CHANGELOG.read_text("utf-8")
    found = list(_HEADING.finditer(text))
    ends = [each.start() for each in found[1:]] + [len(text)]
    return {
        each["name"]: (each["date"] or "", text[each.end() : end].strip())
        for each, end in zip(found, ends, strict=True)
    }


def main() -> None:
    """Print them."""
    known, wanted = sections(), sys.argv[1] if len(sys.argv) > 1 else ""
    if wanted not in known:
        sys.exit(f"say which version: {', '.join(known)}")
    sys.stdout.write(f"{wanted} - {known[wanted][0]}\n\n{known[wanted][1]}\n")


if __name__ == "__main__":
    main()
