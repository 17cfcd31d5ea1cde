"""``delegate lint``: everything that is wrong with some manifests."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence

from delegate_core.console.colours import colourful
from delegate_core.console.streams import open_missing_streams
from delegate_drone.local.reading import read_manifest
from delegate_drone.local.report import as_json, print_problems, summary_line
from delegate_drone.manifest import Manifest, Problem, Severity, load_manifest

__all__ = ["empty_file", "lint_files"]


def lint_files(files: Sequence[str], *, strict: bool, trusted: bool, json: bool) -> int:
    """Print all problems of all files; 1 if one of them is an error.

    Raises:
        SettingsError: a file cannot be read.
    """
    open_missing_streams()
    texts = [read_manifest(file) for file in files]
    problems = [problem for name, text in texts for problem in _lint(name, text, strict=strict, trusted=trusted)]
    if json:
        sys.stdout.write(as_json(problems) + "\n")
    else:
        print_problems(problems, sys.stdout, colour=colourful(sys.stdout, os.environ))
        sys.stdout.write(summary_line(len(files), problems) + "\n")
    return 1 if any(problem.severity is Severity.ERROR for problem in problems) else 0


def _lint(name: str, text: str, *, strict: bool, trusted: bool) -> Iterator[Problem]:
    manifest = load_manifest(text, file=name, strict=strict, trusted=trusted)
    yield from empty_file(name, manifest)
    yield from manifest.problems


def empty_file(name: str, manifest: Manifest) -> Iterator[Problem]:
    """The problem of a file that says nothing at all."""
    if not manifest.documents and not manifest.errors:
        cure = "begin with `kind: pipeline`, `type: exec`, `name: default` and a list of `steps`"
        yield Problem(Severity.ERROR, "empty", name, 1, 1, "there is nothing in this file", cure)
