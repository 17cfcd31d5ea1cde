"""The photographs of the dashboard show it as it is now."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.pictures.dashboard import PHOTOGRAPHS, digest, made_from


@pytest.mark.parametrize("path", PHOTOGRAPHS, ids=lambda path: path.stem)
def test_a_photograph_is_of_the_dashboard_as_it_is_now(path: Path) -> None:
    assert made_from(path) == digest(), "the dashboard has changed: run `make pictures`"
