"""The life of a task, as the journal has it, and the hooks that it meets."""

from __future__ import annotations

from docs.pictures.drawing import Drawing

__all__ = ["picture"]

_STATE = (170, 40)
_LEFT = 295
_MIDDLE = _LEFT + _STATE[0] / 2
_STEP = 104
_LINE = 17
_WHILE_IT_RUNS = (
    ("resolve_secret", "its secrets"),
    ("task_environment", "its environment"),
    ("progress", "its steps"),
    ("open_log", "its log"),
    ("watch", "cancelled?"),
)
_MORE = max(0, len(_WHILE_IT_RUNS) - 4) * _LINE
"""What these lines need beyond a step's usual height."""


def picture() -> str:
    """The drawing as SVG."""
    drawing = Drawing(
        "task-life",
        "The life of a task",
        "An offer for which a slot is free becomes an intent in the journal, then it is claimed, started, finished and "
        "delivered. A result that the server can never take is undeliverable, and an operator may drop it. After a "
        "crash the next start asks again for what was intended or claimed, ends what was started, and delivers what "
        "was finished.",
        (760, 640 + _MORE),
    )
    for number, state in enumerate(("intent", "claimed", "started", "finished")):
        drawing.box((_LEFT, _row(number + 1)), _STATE, state, word="state")
    drawing.box((_LEFT, _row(0)), _STATE, "an offer of the server")
    drawing.box((_LEFT, _row(5)), _STATE, "delivered", word="end")
    for number in range(5):
        drawing.arrow((_MIDDLE, _row(number) + _STATE[1]), (_MIDDLE, _row(number + 1)))
    _on_the_way(drawing)
    _ends(drawing)
    _after_a_crash(drawing)
    return drawing.svg()


def _row(number: int) -> float:
    return 20 + number * _STEP + (_MORE if number > 3 else 0)


def _on_the_way(drawing: Drawing) -> None:
    x = _MIDDLE + 12
    drawing.words((x, _row(0) + 60), "fetch_tasks", "accept_task", word="hook")
    drawing.words((x, _row(0) + 94), "a slot is free, and no plugin vetoes it")
    drawing.words((x, _row(1) + 68), "claim", word="hook")
    drawing.words((x, _row(1) + 85), "asked again where its reply is lost")
    drawing.words((x, _row(2) + 68), "dispatch", word="hook")
    drawing.words((x, _row(2) + 85), "from here on it is never begun again")
    hooks, notes = zip(*_WHILE_IT_RUNS, strict=True)
    drawing.words((x + 95, _row(3) + 4), *hooks, word="hook")
    drawing.words((x + 235, _row(3) + 4), *notes)
    drawing.words((x, _row(4) - 24), "a result: succeeded, failed, timed_out,", "cancelled or rejected")
    drawing.words((x + 95, _row(4) + 16), "its processes and its folder are gone")
    drawing.words((x, _row(4) + 68), "report", word="hook")
    drawing.words((x, _row(4) + 85), "until it has arrived")


def _ends(drawing: Drawing) -> None:
    y = _row(5)
    drawing.box((_LEFT + 215, y), (130, 40), "undeliverable", word="end")
    drawing.box((_LEFT + 370, y), (85, 40), "dropped", word="end")
    drawing.arrow((_LEFT + _STATE[0], _row(4) + 30), (_LEFT + 415, _row(4) + 30), (_LEFT + 415, y))
    drawing.arrow((_LEFT + 280, _row(4) + 30), (_LEFT + 280, y))
    drawing.words((_LEFT + 280, y + 58), "the server can", "never take it", anchor="middle")
    drawing.words((_LEFT + 412, y + 58), "by delegate", "outbox drop", anchor="middle")


def _after_a_crash(drawing: Drawing) -> None:
    height = _row(4) + _STATE[1] - _row(1)
    drawing.box((10, _row(1)), (120, height), "After a crash", "the next start")
    drawing.words((70, _row(1) + height / 2 + 34), "recover", word="hook", anchor="middle")
    for number, lines in enumerate(
        (
            ("asks again,", "runs it if it is ours"),
            ("runs it, if time", "is left"),
            ("ends its processes:", "failed"),
            ("delivers it", ""),
        ),
        1,
    ):
        y = _row(number) + 20
        drawing.arrow((130, y), (_LEFT, y))
        drawing.words((140, y - 8), lines[0])
        drawing.words((140, y + 17), lines[1])
