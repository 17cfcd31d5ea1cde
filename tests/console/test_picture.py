"""Whatever was drawn before, the terminal shows the last picture, and what was printed meanwhile stands above it."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from delegate_core.console.picture import Picture

WIDTH, HEIGHT = 12, 8
_TOKEN = re.compile(r"\x1b\[([\d;?]*)([A-Za-z])|(.)", re.DOTALL)


class Screen:
    """Just enough of a terminal: a grid that scrolls, and a cursor."""

    def __init__(self) -> None:
        self.lines = [""]
        self.row = self.column = 0

    def take(self, text: str) -> None:
        for found in _TOKEN.finditer(text):
            number, letter, character = found.groups()
            self._put(character) if character else self._obey(letter, number)

    def _obey(self, letter: str, number: str) -> None:
        match letter:
            case "A":
                self.row -= int(number or 1)
                assert self.row >= 0, "above the beginning"
            case "B":
                self.row += int(number or 1)
                assert self.row < len(self.lines), "below the end"
            case "K":
                assert number == "2"
                self.lines[self.row] = ""
            case _:
                assert letter == "m" or (letter in "hl" and number == "?25"), (letter, number)

    def _put(self, character: str) -> None:
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self.row, self.column = self.row + 1, 0
            self.lines += [""] * (self.row + 1 - len(self.lines))
        else:
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + character + line[self.column + 1 :]
            self.column += 1


class Scene:
    """A picture on such a screen."""

    def __init__(self) -> None:
        self.out = io.StringIO()
        self.terminal = _terminal(self.out)
        self.picture = Picture(self.terminal, _terminal(io.StringIO()), self.out.write, clock=lambda: 0.0)

    def visible(self) -> list[str]:
        screen = Screen()
        screen.take(self.out.getvalue())
        assert not any(screen.lines[screen.row + 1 :]), "something is left below"
        return [line.rstrip() for line in screen.lines[: screen.row + 1]]

    def written(self) -> int:
        return len(self.out.getvalue())


def _terminal(file: io.StringIO) -> Console:
    return Console(file=file, force_terminal=True, width=WIDTH, height=HEIGHT, legacy_windows=False, highlight=False)


_LINES = st.builds(
    Text,
    st.text("ab─", min_size=1, max_size=WIDTH),
    st.sampled_from(["", "red", "bold"]),
)
_FRAMES = st.lists(_LINES, min_size=1, max_size=HEIGHT)
_SAME_HEIGHT = st.integers(1, HEIGHT).flatmap(
    lambda height: st.lists(st.lists(_LINES, min_size=height, max_size=height), min_size=1, max_size=6)
)


@given(_SAME_HEIGHT | st.lists(_FRAMES, min_size=1, max_size=6), st.sets(st.integers(0, 5)))
def test_the_last_picture_is_what_is_seen_and_what_was_printed_is_above_it(
    frames: list[list[Text]], printed_after: set[int]
) -> None:
    scene, printed = Scene(), []
    with scene.picture:
        for number, frame in enumerate(frames):
            scene.picture.draw(frame)
            if number in printed_after:
                scene.terminal.print(f"line {number}")
                printed.append(f"line {number}")
        shown = scene.visible()
    last = [line.plain.rstrip() for line in frames[-1]]
    assert shown[-len(last) :] == last
    assert [line for line in shown if line.startswith("line")] == printed


def test_only_lines_that_have_changed_are_written_and_of_none_nothing() -> None:
    scene = Scene()
    with scene.picture:
        scene.picture.draw([Text("one"), Text("two", "red"), Text("three")])
        before = scene.written()
        scene.picture.draw([Text("one"), Text("two", "red"), Text("three")])
        assert scene.written() == before
        scene.picture.draw([Text("one"), Text("two", "bold"), Text("three")])
        assert "two" in scene.out.getvalue()[before:]
        assert not {"one", "three"} & set(re.findall(r"[a-z]{2,}", scene.out.getvalue()[before:]))


@pytest.mark.parametrize("forgotten", [True, False])
def test_what_the_terminal_does_not_show_any_more_is_drawn_anew(forgotten: bool) -> None:  # noqa: FBT001 - a parameter
    scene = Scene()
    with scene.picture:
        scene.picture.draw([Text("one"), Text("two")])
        before = scene.written()
        if forgotten:
            scene.picture.forget()
        scene.picture.draw([Text("one"), Text("two")])
        assert ("one" in scene.out.getvalue()[before:]) is forgotten
