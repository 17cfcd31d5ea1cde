"""What keys do in the live view."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from delegate_core.console.look import Look, finished_of, press, running_of
from delegate_core.console.view import View
from delegate_core.model import StepReport
from delegate_core.runner import RunningTask
from tests.console.test_render import _LOOKS, _VIEWS, _busy, _drawn

_TASKS = _busy(12, 12)
_LOG = _LOOKS["log"][0]


def _after(look: Look, *keys: str, view: View = _TASKS, rows: int = 10) -> Look:
    for key in keys:
        look = press(look, key, view, rows)
    return look


def test_the_cursor_walks_through_running_and_finished_tasks() -> None:
    running = [task.id for task in running_of(_TASKS, Look())]
    finished = [task.id for task in finished_of(_TASKS, Look())]
    look = _after(Look(), "down")
    assert look.selected == running[0]
    assert _after(look, "j", "j", "k").selected == running[1]
    assert _after(look, "up").selected == running[0]
    assert _after(look, *["down"] * 12).selected == finished[0]
    assert _after(look, "G").selected == finished[-1]
    assert _after(look, "end", "home").selected == running[0]
    assert _after(look, "page down").selected == running[10]


def test_it_stays_on_its_task_when_the_order_changes_and_begins_anew_when_that_is_gone() -> None:
    look = _after(Look(), "down", "down")
    assert _after(look, "down", view=_busy(0, 12)).selected == finished_of(_TASKS, Look())[0].id


def test_enter_opens_a_log_and_escape_goes_back_to_the_same_task() -> None:
    look = _after(Look(), "down", "enter")
    assert (look.page, look.bottom) == ("log", None)
    for back in ("escape", "left", "q", "backspace"):
        assert _after(look, back) == replace(look, page="tasks")


def test_enter_without_a_choice_says_what_to_do_first() -> None:
    look = _after(Look(), "enter")
    assert (look.page, look.note) == ("tasks", "choose a task with the arrow keys first")
    assert _after(look, "j").note == ""
    assert _after(Look(), "enter", view=_VIEWS["registering"]).note == "there is no task yet"


def test_words_choose_the_tasks_that_are_listed() -> None:
    look = _after(Look(), "/", *"DEPLOY", "enter")
    assert {task.type for task in running_of(_TASKS, look)} == {"deploy_to_production"}
    assert {task.type for task in finished_of(_TASKS, look)} == {"deploy_to_production"}
    assert _after(look, "escape").words == ""


def test_while_they_are_typed_letters_are_letters() -> None:
    look = _after(Look(), "/", *"q?j", "backspace", "up", " ")
    assert (look.words, look.typing, look.page, look.selected) == ("q? ", True, "tasks", "")
    assert _after(look, "escape") == Look()


def test_q_leaves_a_view_of_another_process_and_never_a_runner() -> None:
    assert _after(Look(), "q", view=replace(_TASKS, elsewhere=True)).left
    own = _after(Look(), "q")
    assert not own.left
    assert "Ctrl-C drains it" in own.note


@pytest.mark.parametrize("key", ["?", "h"])
def test_help_opens_and_closes_with_the_same_key(key: str) -> None:
    look = _after(Look(), key)
    assert look.page == "help"
    assert _after(look, key).page == "tasks"


def test_a_log_follows_its_end_until_it_is_scrolled_and_again_from_its_end_on() -> None:
    look = replace(Look(), page="log", selected="71")
    up = _after(look, "up", "up", view=_LOG)
    assert up.bottom == 857
    assert _after(up, "down", view=_LOG).bottom == 858
    assert _after(up, "down", "down", view=_LOG).bottom is None
    assert _after(up, "page up", view=_LOG).bottom == 848
    assert _after(up, "g", view=_LOG).bottom == 809, "its first page is full"
    assert _after(up, "g", "up", view=_LOG).bottom == 809
    assert _after(up, "G", view=_LOG).bottom is None


def test_scrolling_where_nothing_is_does_nothing() -> None:
    look = replace(Look(), page="log", selected="71")
    assert _after(look, "up", "page up", "g", "G", view=_TASKS) == look


def test_tasks_that_need_attention_come_first_and_those_that_wait_last() -> None:
    def task(name: str, elapsed: float | None, **changes: Any) -> RunningTask:
        return replace(RunningTask(name, "t", elapsed, 100.0, "", cancelling=False), **changes)

    tasks = (
        task("waits", None),
        task("well", 5.0),
        task("late", 80.0),
        task("failing", 5.0, steps=(StepReport(1, "a", "failure"), StepReport(2, "b", "running"))),
        task("also well", 4.0),
        task("ending", 5.0, cancelling=True),
    )
    view = replace(_TASKS, snapshot=replace(_TASKS.snapshot, running=tasks))
    assert [one.id for one in running_of(view, Look())] == ["late", "failing", "ending", "well", "also well", "waits"]


_KEYS = st.sampled_from(
    ["up", "down", "page up", "page down", "home", "end", "enter", "escape", "left", "backspace", *"jkgGqhw?/ xé"]
)


@settings(deadline=None)
@given(st.lists(_KEYS, max_size=25), st.sampled_from([*_VIEWS]), st.integers(1, 130), st.integers(1, 50))
def test_whatever_is_pressed_what_is_shown_fits_the_terminal(
    keys: list[str], name: str, width: int, height: int
) -> None:
    view = replace(_VIEWS[name], log=_LOG.log)
    look = _after(Look(keys=True), *keys, view=view, rows=max(1, height - 6))
    lines = _drawn(view, width, height, look=look).split("\n")
    assert len(lines) - 1 <= height
    assert all(cell_len(line) <= width for line in lines)


@settings(deadline=None)
@given(st.text(st.characters(), max_size=200), st.integers(4, 130))
def test_no_line_of_a_log_acts_on_the_terminal(text: str, width: int) -> None:
    assert _LOG.log is not None
    view = replace(_LOG, log=(replace(_LOG.log[0], text=text, stream=text[:5]),))
    lines = _drawn(view, width, 24, look=Look(page="log", selected="71")).split("\n")
    assert all(cell_len(line) <= width and line.isprintable() for line in lines)
