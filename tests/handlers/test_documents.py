"""The handlers' pages: what they show can be used as it stands there."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from delegate_core import Task, executable
from delegate_core.handlers.declared import declared_handlers
from delegate_core.testing.surroundings import PrintingContext

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS / "handlers.md", *sorted((DOCS / "handlers").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_declaration_on_a_page_is_accepted(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = blocks(DOCS / "handlers" / "asgi.md", "python")[0]
    (tmp_path / "my_web.py").write_text(app)
    monkeypatch.syspath_prepend(tmp_path)
    found = [tomllib.loads(text).get("handler", {}) for text in blocks(page, "toml")]
    assert any(found), "the page shows a declaration"
    for tables in found:
        declared_handlers(tables)


async def test_the_program_that_the_page_of_executables_shows_runs(
    tmp_path: Path, task_context: Callable[..., PrintingContext]
) -> None:
    (tmp_path / "resize").write_text(blocks(DOCS / "handlers" / "executables.md", "sh")[0])
    (tmp_path / "resize").chmod(0o755)
    context = task_context()
    task = Task(id="1", type="resize", data={"width": 80})
    result = await executable("resize", tmp_path / "resize").execute(task, context)
    assert (result.data, context.printed()) == ({"resized": {"width": 80}}, "resizing")
