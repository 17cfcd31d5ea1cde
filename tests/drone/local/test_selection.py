"""Which pipelines of a file run here."""

from __future__ import annotations

import pytest

from delegate_drone.local.selection import candidates, without_engine
from delegate_drone.manifest import load_manifest

FILE = """
kind: pipeline
type: {type}
name: p
platform: {{os: {os}, arch: arm64}}
steps:
- {{name: a, image: i}}
"""


@pytest.mark.parametrize(
    ("type_", "os", "machine", "runs"),
    [
        ("docker", "linux", "darwin", True),
        ("docker", "linux", "linux", True),
        ("docker", "windows", "darwin", False),
        ("exec", "linux", "darwin", False),
        ("exec", "darwin", "darwin", True),
    ],
)
def test_the_engine_of_a_mac_runs_linux(type_: str, os: str, machine: str, runs: bool) -> None:  # noqa: FBT001 - a case
    manifest = load_manifest(
        FILE.format(type=type_, os=os).replace(", image: i", "" if type_ == "exec" else ", image: i")
    )
    (found,) = candidates(manifest, None, {}, {"docker", "exec"}, (machine, "arm64"))
    assert found.runs is runs
    assert runs or f"it is for {os}/arm64" in found.missing


def test_after_an_engine_turns_out_to_be_away_nothing_runs_that_waits_for_its_pipelines() -> None:
    def document(name: str, type_: str, more: str = "") -> str:
        image = ", image: i" if type_ == "docker" else ""
        return f"kind: pipeline\ntype: {type_}\nname: {name}\n{more}steps:\n- {{name: a{image}}}\n"

    always = "depends_on: [ images ]\ntrigger: {status: [ success, failure ]}\n"
    texts = (
        document("host", "exec"),
        document("images", "docker"),
        document("after", "exec", "depends_on: [ images ]\n"),
        document("tell", "exec", always),
    )
    found = candidates(load_manifest("---\n".join(texts)), None, {}, {"docker", "exec"}, ("linux", "amd64"))
    assert all(one.runs for one in found)
    left = without_engine(found, "docker", "it is away")
    assert {one.name: one.missing for one in left} == {
        "host": "",
        "images": "it is away",
        "after": 'pipeline "images", which it depends on, cannot run here',
        "tell": "",
    }
