"""The commands in blocks of shell."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from tests.docs.blocks import Block

__all__ = ["lines_of", "words_of"]

_ASSIGNED = re.compile(r"[A-Za-z_]\w*=")
_SUBSTITUTED = re.compile(r"\$\(([^()]*)\)")
_ENDS = frozenset({"|", "||", "&&", ";", "&", "(", ")", ";;", "done", "fi"})
_REDIRECTIONS = frozenset({">", ">>", "<", "2>", "2>>", "&>", ">&"})
_LEADS = frozenset({"sudo", "exec", "then", "do", "if", "while", "until", "!", "else", "time", "nohup"})


def lines_of(block: Block) -> Iterator[str]:
    """What a reader types: of a console what stands behind the prompt, of a script all of it."""
    text = block.text.replace("\\\n", " ")
    for line in text.splitlines():
        typed = line.removeprefix("$ ") if block.language == "console" else line
        if typed.strip() and not typed.startswith("#") and (block.language != "console" or line.startswith("$ ")):
            yield typed


def words_of(line: str) -> Iterator[list[str]]:
    """The commands of a line, each as its words; those within ``$( )`` too."""
    for inner in _SUBSTITUTED.findall(line):
        yield from words_of(inner)
    lexer = shlex.shlex(_SUBSTITUTED.sub("SUBSTITUTED", line), posix=True, punctuation_chars=True)
    lexer.commenters = "#"
    lexer.whitespace_split = True
    words: list[str] = []
    for token in [*lexer, ";"]:
        if token in _ENDS:
            if command := _bare(words):
                yield command
            words = []
        else:
            words.append(token)


def _bare(words: list[str]) -> list[str]:
    """A command without what is set for it, what it reads and where it writes."""
    kept: list[str] = []
    skipping = False
    for word in words:
        if skipping:
            skipping = False
        elif word in _REDIRECTIONS:
            skipping = True
        elif not (not kept and (_ASSIGNED.match(word) or word in _LEADS)):
            kept.append(word)
    return kept
