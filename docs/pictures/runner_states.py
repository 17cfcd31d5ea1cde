"""The states of a runner, from its start to its end."""

from __future__ import annotations

from docs.pictures.drawing import Drawing

__all__ = ["picture"]

_STATE = (120, 44)


def picture() -> str:
    """The drawing as SVG."""
    drawing = Drawing(
        "runner-states",
        "The states of a runner",
        "A runner registers, and then it is running. An operator may pause it, and resume it. The first signal has it "
        "drain; the second, or the end of the drain's time, has it stop what runs. When everything is delivered it "
        "deregisters and has stopped. The third signal ends it at once.",
        (760, 300),
    )
    for corner, state in (
        ((20, 110), "registering"),
        ((210, 110), "running"),
        ((210, 230), "paused"),
        ((420, 110), "draining"),
        ((420, 230), "stopping"),
    ):
        drawing.box(corner, _STATE, state, word="state")
    drawing.box((632, 110), _STATE, "stopped", word="end")
    drawing.words((20, 50), "authenticate", "register", "resume", word="hook")
    drawing.words((210, 67), "fetch_tasks", "heartbeat", word="hook")
    drawing.words((586, 122), "deregister", word="hook", anchor="middle")
    _ways(drawing)
    return drawing.svg()


def _ways(drawing: Drawing) -> None:
    drawing.arrow((140, 132), (210, 132))
    drawing.arrow((250, 154), (250, 230))
    drawing.arrow((290, 230), (290, 154))
    drawing.words((242, 196), "pause", anchor="end")
    drawing.words((298, 196), "resume")
    drawing.arrow((330, 132), (420, 132))
    drawing.words((375, 107), "1st signal,", "or drain", anchor="middle")
    drawing.arrow((330, 252), (390, 252), (390, 145), (420, 145))
    drawing.arrow((480, 154), (480, 230))
    drawing.words((488, 190), "2nd signal, or its", "time is over")
    drawing.arrow((540, 132), (632, 132))
    drawing.words((586, 150), "all delivered", anchor="middle")
    drawing.arrow((540, 252), (692, 252), (692, 154))
    drawing.words((560, 270), "what ran has ended")
