"""What once broke a parser, or taught the search something, breaks nothing; nor does what is like it."""

from __future__ import annotations

import random

import pytest

from tests.fuzz.corpus import FOLDER, inputs, mutated, tried
from tests.fuzz.targets import TARGETS

_MORE = 40
"""Inputs that are made up for each target."""


@pytest.mark.parametrize("name", TARGETS)
def test_everything_that_was_kept_holds(name: str) -> None:
    target = TARGETS[name]
    kept = inputs(target)

    assert kept, f"no input is kept for {name}: make fuzz TARGET={name}"
    assert {file: error for file, data in kept.items() if (error := tried(target, data))} == {}


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_like_it_holds_too(name: str) -> None:
    # The same at each run: what is new is for `make fuzz` to find, not for a change that has nothing to do with it.
    target, source, kept = TARGETS[name], random.Random(name), list(inputs(TARGETS[name]).values())
    for _ in range(_MORE):
        data = mutated(source.choice(kept), kept, target, source)
        error = tried(target, data)
        assert error is None, f"keep it in tests/fuzz/corpus/{name}: {data!r}"


def test_the_corpus_is_small_and_of_targets_that_there_are() -> None:
    files = [path for path in FOLDER.rglob("*") if path.is_file()]

    assert {path.parent.name for path in files} == set(TARGETS)
    assert sum(path.stat().st_size for path in files) < 1_000_000
