"""Every tutorial, done from its first line to its last as it stands there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, blocks_of
from tests.docs.walk import is_shown, walked

TUTORIALS = [page for page in sorted((ROOT / "docs" / "tutorials").glob("*.md")) if page.name != "index.md"]


@pytest.mark.timeout(300)  # a dozen processes, pip and builds among them
@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
async def test_every_step_of_it_works_and_shows_what_it_says(page: Path, tmp_path: Path) -> None:
    async with walked(page, tmp_path) as walk:
        assert walk.folder.is_dir()


@pytest.mark.timeout(300)
async def test_what_the_first_page_shows_is_what_one_gets(tmp_path: Path) -> None:
    async with walked(ROOT / "README.md", tmp_path) as walk:
        assert (walk.folder / "my_handlers.py").is_file()


@pytest.mark.parametrize(
    "steps",
    ["```sh\nfalse\n```\n", "```sh\necho one\n```\n\n```text\ntwo\n```\n", "```console\n$ echo one\ntwo\n```\n"],
)
async def test_a_step_that_fails_or_shows_something_else_is_found(steps: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(steps)
    with pytest.raises(AssertionError):
        async with walked(page, tmp_path):
            pass


async def test_a_terminal_keeps_its_variables_and_its_folder(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```sh\nmkdir a; cd a; export B='1 2'\n```\n\n```sh\nbasename $PWD; echo \"$B\"\n```\n\n```text\na\n1 2\n```\n"
    )
    async with walked(page, tmp_path):
        pass


def test_every_tutorial_is_listed_and_has_steps() -> None:
    index = (ROOT / "docs" / "tutorials" / "index.md").read_text("utf-8")
    for page in TUTORIALS:
        assert f"]({page.name})" in index
        assert sum(block.language == "sh" for block in blocks_of(page)) > 3


@pytest.mark.parametrize(
    ("page", "printed"),
    [
        (
            "12:00:01 task 172009ea-57fb-42e9-8d63-0d7e7b5ba2d0  1.2s ",
            "08:30:00 task 7f2bbcf5-1111-42e9-8d63-0d7e7b5ba2d1   33s",
        ),
        ("one\n...\nfour", "one\ntwo\nthree\nfour"),
        ("one", "waiting: no runner is asking for work\none"),
    ],
)
def test_what_is_another_each_time_or_left_out_is_not_compared(page: str, printed: str) -> None:
    assert is_shown(page, printed)


@pytest.mark.parametrize(("page", "printed"), [("succeeded", "failed"), ("one\n...\nfour", "one\ntwo\nthree")])
def test_all_else_is(page: str, printed: str) -> None:
    assert not is_shown(page, printed)
