"""Where a person is in the live view, and what each key does there: pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from delegate_core.console.events import TaskFinished
from delegate_core.console.view import View

if TYPE_CHECKING:
    from delegate_core.runner.snapshot import RunningTask

__all__ = ["Look", "Page", "finished_of", "press", "running_of"]

Page = Literal["tasks", "log", "warnings", "help"]

_LATE: Final = 0.8
"""Share of its timeout from which on a task needs attention."""

_FAILING: Final = frozenset({"failure", "error", "killed"})
"""Words of a step's status that say that it went wrong; see `delegate_core.pipeline.StepStatus`."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is looked at.

    Args:
        page: which part of the view.
        selected: id of the task that the cursor is on; empty: on none.
        words: only tasks with this in their id, type or title are listed.
        typing: keys are letters of these words.
        bottom: number of the last line shown of a log, or of the warnings; None: the newest, whatever comes.
        note: what to tell who pressed the last key.
        keys: whether keys are read at all.
        left: the view is to be closed.
    """

    page: Page = "tasks"
    selected: str = ""
    words: str = ""
    typing: bool = False
    bottom: int | None = None
    note: str = ""
    keys: bool = False
    left: bool = False


def running_of(view: View, look: Look) -> list[RunningTask]:
    """The running tasks that are listed: first those that need attention, last those that have not begun."""
    listed = [task for task in view.snapshot.running if _has(task, look.words)]
    return sorted(listed, key=_rank)


def _rank(task: RunningTask) -> int:
    if task.elapsed is None:
        return 2
    late = task.timeout > 0 and task.elapsed >= _LATE * task.timeout
    return 0 if late or task.cancelling or any(step.status in _FAILING for step in task.steps) else 1


def finished_of(view: View, look: Look) -> list[TaskFinished]:
    """The finished tasks that are listed, the latest first."""
    return [task for task in view.recent if _has(task, look.words)]


def _has(task: RunningTask | TaskFinished, words: str) -> bool:
    if not words:
        return True
    wanted = words.casefold()
    return any(wanted in text.casefold() for text in (task.id, task.type, task.title))


# ---------------------------------------------------------------------- keys


def press(look: Look, key: str, view: View, rows: int) -> Look:
    """What is looked at after a key.

    Args:
        look: what was looked at before.
        key: its name, see `keys`; a letter names itself.
        view: what was shown.
        rows: lines of a page, for scrolling by pages.
    """
    look = replace(look, note="")
    if look.typing:
        return _typed(look, key)
    if look.page == "tasks":
        return _on_tasks(look, key, view, rows)
    return _on_page(look, key, view, rows)


def _typed(look: Look, key: str) -> Look:
    if key == "enter":
        return replace(look, typing=False)
    if key == "escape":
        return replace(look, typing=False, words="")
    if key == "backspace":
        return replace(look, words=look.words[:-1])
    return replace(look, words=look.words + key) if len(key) == 1 else look


_STEPS: Final[Mapping[str, int]] = {"down": 1, "j": 1, "up": -1, "k": -1}
_PAGES: Final[Mapping[str, int]] = {"page down": 1, " ": 1, "page up": -1, "b": -1}
_ENDS: Final[Mapping[str, int]] = {"home": -1, "g": -1, "end": 1, "G": 1}

_TO_PAGE: Final[Mapping[str, Page]] = {"?": "help", "h": "help", "w": "warnings"}


def _on_tasks(look: Look, key: str, view: View, rows: int) -> Look:
    ids = [*(task.id for task in running_of(view, look)), *(task.id for task in finished_of(view, look))]
    if key in _STEPS or key in _PAGES or key in _ENDS:
        return replace(look, selected=_moved(ids, look.selected, key, rows))
    if key in {"enter", "right", "l"}:
        return _opened(look, ids)
    if key in _TO_PAGE:
        return replace(look, page=_TO_PAGE[key], bottom=None)
    match key:
        case "/":
            look = replace(look, typing=True)
        case "escape":
            look = replace(look, words="") if look.words else replace(look, selected="")
        case "q":
            look = _quit(look, view)
    return look


def _opened(look: Look, ids: Sequence[str]) -> Look:
    if look.selected:
        return replace(look, page="log", bottom=None)
    return replace(look, note="choose a task with the arrow keys first" if ids else "there is no task yet")


def _quit(look: Look, view: View) -> Look:
    """A view of another process is closed; one's own runner is not ended by a letter."""
    if view.elsewhere:
        return replace(look, left=True)
    return replace(look, note="this terminal belongs to the runner: Ctrl-C drains it")


def _moved(ids: Sequence[str], selected: str, key: str, rows: int) -> str:
    """The id that the cursor comes to; a task that is not listed any more is as if none was chosen."""
    if not ids:
        return ""
    last = len(ids) - 1
    if key in _ENDS:
        return ids[0 if _ENDS[key] < 0 else last]
    if selected not in ids:
        return ids[0]
    step = _STEPS.get(key) or _PAGES[key] * max(1, rows)
    return ids[min(last, max(0, ids.index(selected) + step))]


def _on_page(look: Look, key: str, view: View, rows: int) -> Look:
    if key in {"escape", "left", "q", "backspace"} or (look.page == "help" and key in {"?", "h", "enter"}):
        return replace(look, page="tasks", bottom=None)
    if key in _TO_PAGE:
        return replace(look, page=_TO_PAGE[key], bottom=None)
    if key in _STEPS or key in _PAGES or key in _ENDS:
        return replace(look, bottom=_scrolled(look.bottom, _numbers(look, view), key, rows))
    return look


def _numbers(look: Look, view: View) -> range:
    """The numbers of the lines that can be scrolled through."""
    if look.page == "warnings":
        return range(len(view.records))
    lines = view.log if look.page == "log" else None
    return range(lines[0].number, lines[-1].number + 1) if lines else range(0)


def _scrolled(bottom: int | None, numbers: range, key: str, rows: int) -> int | None:
    """The line that is the last one shown now; None at the end, where new ones are followed."""
    if not numbers or _ENDS.get(key, 0) > 0:
        return None
    highest = min(numbers[0] + max(1, rows) - 1, numbers[-1])
    if key in _ENDS:
        wanted = highest
    else:
        step = _STEPS.get(key) or _PAGES[key] * max(1, rows - 1)
        wanted = (numbers[-1] if bottom is None else bottom) + step
    return None if wanted >= numbers[-1] else max(highest, wanted)
