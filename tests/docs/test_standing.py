"""What an operator may read of a runner that does nothing is explained."""

from __future__ import annotations

import re

from delegate_core.runner.standing import WORDS
from tests.docs.blocks import ROOT

PAGE = (ROOT / "docs" / "how-to" / "why-nothing-happens.md").read_text("utf-8")


def test_every_word_for_how_a_runner_stands_is_explained_with_where_to_look() -> None:
    rows = re.findall(r"^\| (`.+?) \| (.+?) \| (.+?) \|$", PAGE.partition("\n## Have it looked at")[0], re.MULTILINE)
    assert sorted(word for words, _, _ in rows for word in re.findall(r"`(\w+)`", words)) == sorted(WORDS)
