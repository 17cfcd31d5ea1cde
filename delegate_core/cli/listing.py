"""``delegate plugins list``."""

from __future__ import annotations

import json
import sys

from delegate_core.cli.tables import print_table
from delegate_core.errors import PluginError
from delegate_core.plugins import Found, installed

__all__ = ["list_plugins"]


def list_plugins(*, as_json: bool) -> int:
    """Print what is installed; 1 if something of it cannot be imported."""
    found = [(one, _problem(one)) for one in installed()]
    if as_json:
        sys.stdout.write(json.dumps([_row(one, problem) for one, problem in found], indent=2) + "\n")
    elif not found:
        sys.stdout.write("no backend and no plugin is installed; try: pip install delegate-harness\n")
    else:
        rows = [(one.name, one.kind, one.distribution, one.version, "broken" if bad else "ok") for one, bad in found]
        print_table(("NAME", "KIND", "DISTRIBUTION", "VERSION", "STATE"), rows)
        sys.stdout.write("".join(f"{problem}\n" for _, problem in found if problem))
    return 1 if any(problem for _, problem in found) else 0


def _problem(one: Found) -> str:
    try:
        one.load()
    except PluginError as error:
        return str(error)
    return ""


def _row(one: Found, problem: str) -> dict[str, str]:
    return {
        "name": one.name,
        "kind": one.kind,
        "distribution": one.distribution,
        "version": one.version,
        "module": one.module,
        "problem": problem,
    }
