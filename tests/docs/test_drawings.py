"""The drawings say what the code says, and can be read by everybody."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from prometheus_client.parser import text_string_to_metric_families

from delegate_core import hookspecs
from delegate_core.model import Outcome, Phase
from delegate_core.status.metrics import Metrics
from docs.pictures.samples import snapshot
from tests.docs.blocks import ROOT, pages

PICTURES = ROOT / "docs" / "pictures"
DRAWINGS = [path for path in sorted(PICTURES.glob("*.svg")) if '<svg class="drawing"' in path.read_text("utf-8")]
_SVG = "{http://www.w3.org/2000/svg}"


def parsed(path: Path) -> ET.Element:
    return ET.fromstring(path.read_text("utf-8"))  # noqa: S314 - a file of this repository


def words(name: str, *kinds: str) -> set[str]:
    """The words of these kinds in a drawing."""
    return {text.text or "" for text in parsed(PICTURES / name).iter(f"{_SVG}text") if text.get("class") in kinds}


def hooks(*sections: str) -> set[str]:
    """The hooks of these sections of the spec file."""
    parts = re.split(r"^    # -{10,} (.+)$", inspect.getsource(hookspecs), flags=re.MULTILINE)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    return {
        name for section in sections for name in re.findall(r"^    (?:async )?def (\w+)", found[section], re.MULTILINE)
    }


def test_the_life_of_a_task_has_exactly_the_phases_of_the_journal() -> None:
    assert words("task-life.svg", "state", "end") == {phase.value for phase in Phase}


def test_it_names_every_outcome() -> None:
    shown = " ".join(words("task-life.svg", "note"))
    assert [outcome for outcome in Outcome if outcome.value not in shown] == []


def test_a_runner_has_exactly_the_states_that_are_drawn() -> None:
    shown = text_string_to_metric_families(Metrics("harness", snapshot).text().decode())
    states = {
        sample.labels["state"] for family in shown if family.name == "delegate_state" for sample in family.samples
    }
    assert words("runner-states.svg", "state", "end") == states


def test_between_them_they_name_exactly_the_hooks_that_a_session_and_a_task_meet() -> None:
    met = words("task-life.svg", "hook") | words("runner-states.svg", "hook")
    assert met == hooks("the session", "a task's life", "around it")
    assert words("architecture.svg", "hook") <= met


@pytest.mark.parametrize("path", DRAWINGS, ids=lambda path: path.stem)
def test_a_drawing_tells_who_does_not_see_it_and_loads_nothing(path: Path) -> None:
    drawing = parsed(path)
    assert drawing.findtext(f"{_SVG}title")
    assert len(drawing.findtext(f"{_SVG}desc") or "") > 100
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)|url\((?!#)|@import", path.read_text("utf-8")) == []
    links = [
        found
        for page in pages()
        for found in re.findall(rf"!\[([^\]]*)\]\([^)]*{path.name}\)", page.read_text("utf-8"))
    ]
    assert links
    assert all(links)
