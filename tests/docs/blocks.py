"""The code blocks of every page of this repository that people read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt

__all__ = ["ROOT", "Block", "all_blocks", "blocks_of", "pages"]

ROOT = Path(__file__).parents[2]

_FOLDERS = ("docs", "examples", "plugins")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced code block.

    Attributes:
        page: where it stands, relative to the repository.
        line: of its first fence, from 1.
        language: the word behind the fence, empty for none.
        text: what is in it.
        before: what stands before it since the last block.
    """

    page: str
    line: int
    language: str
    text: str
    before: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@cache
def pages() -> tuple[Path, ...]:
    """Every page in Markdown."""
    within = (page for folder in _FOLDERS for page in sorted((ROOT / folder).rglob("*.md")))
    return (*sorted(ROOT.glob("*.md")), *(page for page in within if not {".venv", "dist"} & set(page.parts)))


def blocks_of(page: Path) -> Iterator[Block]:
    """Its blocks, from the first to the last."""
    text = page.read_text("utf-8")
    lines, position = text.splitlines(), 0
    for token in MarkdownIt().parse(text):
        if token.type not in {"fence", "code_block"} or token.map is None:
            continue
        start, end = token.map
        language = token.info.split()[0] if token.info.strip() else ""
        before = "\n".join(lines[position:start])
        yield Block(_name_of(page), start + 1, language, token.content, before)
        position = end


@cache
def all_blocks() -> tuple[Block, ...]:
    """Every block of every page."""
    return tuple(block for page in pages() for block in blocks_of(page))


def _name_of(page: Path) -> str:
    return str(page.relative_to(ROOT)) if page.is_relative_to(ROOT) else page.name
