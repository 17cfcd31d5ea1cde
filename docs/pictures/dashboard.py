"""Photographs the dashboard as it shows an invented runner: ``make pictures``, which needs Chromium.

Each photograph says in its text "made-from" what it was made from: a digest of the dashboard's files and of what
says what they are given to show. By that a test knows, without a browser, when one is out of date.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
import sys
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from urllib.parse import urlsplit

from delegate_core.logs import LogLine
from delegate_core.model import StageStarted, StepEnded, StepStarted, Task, TaskResult
from delegate_core.runner.snapshot import RunningTask
from delegate_core.runner.standing import Standing
from delegate_core.status.activity import Activity
from delegate_core.status.report import report
from docs.pictures import samples
from docs.pictures.live_view import RATES
from docs.pictures.samples import NOON, PRINTED, STEPS, snapshot

__all__ = ["PHOTOGRAPHS", "digest", "made_from"]

_FOLDER = Path(__file__).parent
_ID = "71"

PHOTOGRAPHS = {
    _FOLDER / "dashboard.png": ("", "#running tbody a", 580),
    _FOLDER / "dashboard-task.png": (f"#task/{_ID}", "#log span", 740),
}
"""Where each is, the view of the dashboard, what is to be seen in it before it is taken, and its height in pixels."""

_WIDTH = 1100
_FILES = {
    "/": ("index.html", "text/html"),
    "/app.js": ("app.js", "text/javascript"),
    "/style.css": ("style.css", "text/css"),
}


def digest() -> str:
    """Of all that a photograph is made from."""
    taken = hashlib.sha256()
    for name, _ in _FILES.values():
        taken.update(_file(name))
    for path in (Path(__file__), Path(samples.__file__)):
        taken.update(path.read_bytes())
    return taken.hexdigest()


def made_from(path: Path) -> str:
    """The digest in a photograph; empty for none."""
    for kind, content in _chunks(path.read_bytes()):
        if kind == b"tEXt" and content.startswith(b"made-from\0"):
            return content.partition(b"\0")[2].decode()
    return ""


def _file(name: str) -> bytes:
    return resources.files("delegate_core.status").joinpath("page", name).read_bytes()


# ---------------------------------------------------------------------- what is shown


def _answers() -> dict[str, str]:
    """What the status server would answer, by address."""
    activity = _observed()
    running = tuple(
        RunningTask(task.id, task.type, 60.0, 3600.0, task.tail[-1].text, cancelling=False)
        for task in activity.running()
    )
    shown = snapshot(
        session="machine build-7-3f9c1a at https://drone.example",
        capacity=8,
        used=len(running),
        running=running,
        claimed=1259,
        finished={"succeeded": 1204, "failed": 31, "timed_out": 3, "cancelled": 14, "rejected": 1},
        delivered=1252,
        logs_open=len(running),
        standing=Standing("working", "", 643.0),
    )
    status = report(NOON, "drone", shown, activity, RATES)
    status = status.model_copy(update={"runner": status.runner.model_copy(update={"version": "1.0"})})
    lines = json.dumps({"lines": [asdict(line) for line in activity.lines(_ID, 0)]})
    return {
        "/events": f"event: status\ndata: {status.model_dump_json()}\n\n",
        f"/tasks/{_ID}/events": f"event: lines\ndata: {json.dumps(json.loads(lines)['lines'])}\n\n",
        "/log.json": json.dumps({"records": []}),
        "/settings.json": json.dumps({}),
    }


def _observed() -> Activity:
    """What was told of some tasks."""
    at = NOON
    activity = Activity(clock=lambda: at)
    for number, (kind, title, result) in enumerate(
        (
            ("exec", "acme/shop#68 default", TaskResult.succeeded(None)),
            ("exec", "acme/shop#69 default", TaskResult.failed("step unit-tests: exit status 1")),
            ("fib", "acme/numbers#12 numbers", TaskResult.succeeded(None)),
        )
    ):
        task = Task(id=str(64 + number), type=kind, title=title)
        at = NOON - 900 + 200 * number
        activity.task_claimed(task)
        activity.task_started(task)
        at += 130
        activity.task_finished(task, result)
    for number, (kind, title, line) in enumerate(
        (
            ("exec", "acme/docs#8 default", "collected 1,284 items"),
            ("deploy", "acme/shop#70 production", "waiting for 2 of 12 replicas"),
        )
    ):
        at = NOON - 300 + 90 * number
        _begun(activity, Task(id=str(69 + number), type=kind, title=title), line)
    at = NOON - 74
    task = Task(id=_ID, type="exec", title="acme/shop#71 default")
    activity.task_claimed(task)
    activity.task_started(task)
    activity.task_progressed(task, StageStarted(STEPS))
    for step in STEPS[:4]:
        activity.task_progressed(task, StepStarted(replace(step, status="running", started=NOON - 70)))
    for step in STEPS[:2]:
        activity.task_progressed(task, StepEnded(replace(step, status="success", started=NOON - 70, stopped=NOON - 58)))
    for number, (stream, text) in enumerate(PRINTED):
        activity.task_logged(task, LogLine(number, NOON - 40 + number, "info", text), stream)
    return activity


def _begun(activity: Activity, task: Task, line: str) -> None:
    activity.task_claimed(task)
    activity.task_started(task)
    activity.task_logged(task, LogLine(0, NOON, "info", line), "")


# ---------------------------------------------------------------------- photographs


def _taken() -> Iterator[tuple[Path, bytes]]:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only whoever takes them needs it

    with _served() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for path, (view, shows, height) in PHOTOGRAPHS.items():
            page = browser.new_page(viewport={"width": _WIDTH, "height": height}, timezone_id="UTC", locale="en-GB")
            page.clock.set_fixed_time(NOON * 1000)
            page.goto(f"{address}/{view}")
            page.locator(shows).first.wait_for()
            yield path, page.screenshot()
        browser.close()


@contextmanager
def _served() -> Iterator[str]:
    """What the status server would serve, on loopback."""
    answers, done = _answers(), threading.Event()

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            name, kind = _FILES.get(path, ("", "application/json"))
            content = _file(name) if name else answers.get(path, "{}").encode()
            is_stream = path.endswith("/events")
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream" if is_stream else kind)
            self.end_headers()
            self.wfile.write(content)
            if is_stream:  # one that ends would be shown as a runner that does not answer
                done.wait(60)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the standard library's
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            done.set()
            server.shutdown()
            serving.join()


# ---------------------------------------------------------------------- PNG


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The parts of a PNG file: kind and content."""
    at = 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += length + 12


def _with_text(png: bytes, text: str) -> bytes:
    """A text before the end of a PNG file."""
    content = b"tEXt" + b"made-from\0" + text.encode()
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    return png[:-12] + chunk + png[-12:]


def main() -> None:
    """Take them all."""
    if shutil.which("chromium") is None:
        sys.exit("photographs of the dashboard need chromium on the path")
    for path, png in _taken():
        path.write_bytes(_with_text(png, digest()))


if __name__ == "__main__":
    main()
