"""The page for people names every key that the manifest knows."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

from delegate_drone.manifest import Clone, Conditions, Pipeline, Platform, Step, Workspace
from tests.drone.local.command import ROOT

PAGE = (ROOT / "docs" / "pipelines.md").read_text()
RENAMED = {"dependencies": "depends_on", "concurrency_limit": "concurrency", "node_labels": "node"}
OURS = {"mark", "node"}
"""Where a value stands in the file, and not what it says; `node` of a pipeline is `node_labels`."""


@pytest.mark.parametrize("kind", [Pipeline, Step, Clone, Conditions, Platform, Workspace])
def test_every_key_is_on_the_page(kind: type) -> None:
    named = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"`([^`\n]+)`", PAGE.partition("## Every key")[2]))))
    keys = {RENAMED.get(field.name, field.name) for field in fields(kind) if field.name not in OURS}
    assert keys <= named, keys - named
