"""The parts of a runner and how they hang together."""

from __future__ import annotations

from docs.pictures.drawing import Drawing

__all__ = ["picture"]

_BOX = (150, 52)


def picture() -> str:
    """The drawing as SVG."""
    drawing = Drawing(
        "architecture",
        "The parts of a runner",
        "A control plane speaks with a backend, which is a plugin. The backend speaks with the core by hooks. In the "
        "core an offer becomes a task in the intake, takes a slot, and is executed by a handler; its log goes through "
        "mask and spool, its result to the delivery. Journal and recovery keep all of it over a crash. Console, status "
        "server and control socket show the core's snapshot and take orders.",
        (760, 660),
    )
    _servers(drawing)
    _core(drawing)
    _people(drawing)
    _handlers(drawing)
    return drawing.svg()


def _servers(drawing: Drawing) -> None:
    drawing.box(
        (10, 10), (740, 52), "Control plane", "Harness manager, Drone server, or the embedded one of delegate dev"
    )
    drawing.box(
        (10, 105), (740, 52), "Backend, a plugin", "its calls, its tokens, its wire models, in one distribution"
    )
    drawing.arrow((105, 62), (105, 105))
    drawing.words((115, 88), "offers, cancellations")
    drawing.arrow((475, 105), (475, 62))
    drawing.words((485, 88), "claims, results, logs, heartbeats")


def _core(drawing: Drawing) -> None:
    drawing.group((10, 205), (582, 260), "")
    drawing.words((190, 452), "the core knows no backend")
    drawing.box((30, 225), _BOX, "Inbox, intake", "an offer: a task?")
    drawing.box((30, 310), _BOX, "Slots", "what may run at once")
    drawing.box((30, 395), _BOX, "Execution", "deadline, cancelling")
    drawing.box((220, 225), (150, 137), "Journal", "SQLite, state folder")
    drawing.box((410, 225), _BOX, "Delivery", "until it has arrived")
    drawing.box((410, 310), _BOX, "Recovery", "what a crash has left")
    drawing.box((410, 395), _BOX, "Log", "mask, spool, sending")
    drawing.arrow((105, 157), (105, 225))
    drawing.words((115, 178), "fetch_tasks", "claim", word="hook")
    drawing.arrow((450, 225), (450, 157))
    drawing.words((440, 186), "report", word="hook", anchor="end")
    drawing.arrow((560, 421), (576, 421), (576, 157))
    drawing.words((568, 186), "open_log", word="hook", anchor="end")
    drawing.arrow((105, 277), (105, 310))
    drawing.arrow((105, 362), (105, 395))
    drawing.arrow((180, 251), (220, 251))
    drawing.arrow((180, 410), (240, 410), (240, 362))
    drawing.arrow((370, 251), (410, 251))
    drawing.arrow((370, 336), (410, 336))
    drawing.arrow((180, 428), (410, 428))


def _people(drawing: Drawing) -> None:
    drawing.group((616, 205), (134, 260), "For people")
    for y, name, note in (
        (235, "Console", "live view, lines"),
        (312, "Status server", "dashboard, metrics"),
        (389, "Control socket", "drain, pause, reload"),
    ):
        drawing.box((622, y), (122, 52), name, note)
    drawing.arrow((592, 338), (616, 338), both=True)


def _handlers(drawing: Drawing) -> None:
    drawing.group(
        (10, 510), (740, 140), "Handlers, one for a task type: of plugins, of the settings file, of your program"
    )
    drawing.arrow((105, 447), (105, 510))
    drawing.words((115, 492), "dispatch", word="hook")
    kinds = (
        ("Function", "Python"),
        ("Script", "shell"),
        ("Executable", "over CGI"),
        ("HTTP", "service"),
        ("ASGI", "app"),
    )
    for number, (name, note) in enumerate(kinds):
        drawing.box((25 + number * 104, 545), (96, 46), name, note)
    drawing.box((560, 545), (176, 46), "Pipeline", "of steps")
    drawing.box((560, 604), (84, 36), "host")
    drawing.box((652, 604), (84, 36), "containers")
    drawing.words((550, 626), "engines", anchor="end")
    drawing.arrow((602, 591), (602, 604))
    drawing.arrow((694, 591), (694, 604))
