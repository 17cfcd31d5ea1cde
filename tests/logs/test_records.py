"""Records of the runner's own log: whom they concern, and nothing secret in them, whoever logged them."""

from __future__ import annotations

import asyncio
import gc
import io
import logging
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from delegate_core.concern import Concern, concern, concerning
from delegate_core.logs import Mask, RecordFilter, Secrecy
from delegate_core.logs.records import concern_of, error_of

CANARY = "canary-8f3a-value"

Log = Callable[[logging.Logger], None]


class Collected(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


class Lines:
    """A library's logger under the filter, a stock handler behind it, and what both got."""

    def __init__(self, secrecy: Secrecy) -> None:
        self.logger = logging.Logger("somelibrary.deep")  # noqa: LOG001 - one of its own for each test
        self.stream = io.StringIO()
        self.collected = Collected()
        self.collected.addFilter(RecordFilter(secrecy, Concern("build-7", "memory")))
        stock = logging.StreamHandler(self.stream)
        stock.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
        self.logger.addHandler(self.collected)
        self.logger.addHandler(stock)


@pytest.fixture
def lines() -> Lines:
    return Lines(Secrecy(CANARY))


def refused() -> None:
    raise ValueError(f"bad password {CANARY}")


def raising() -> None:
    try:
        refused()
    except ValueError as error:
        raise RuntimeError("cannot log in") from error


def logged_exception(logger: logging.Logger) -> None:
    try:
        raising()
    except RuntimeError:
        logger.exception("it failed")


class Awkward:
    def __repr__(self) -> str:
        return f"Awkward({CANARY})"


@pytest.mark.parametrize(
    "log",
    [
        lambda logger: logger.warning(f"token is {CANARY}"),  # noqa: G004 - as others do
        lambda logger: logger.warning("token is %s", CANARY),
        lambda logger: logger.warning("%r %s", Awkward(), {"password": CANARY}),
        lambda logger: logger.warning("%(token)s", {"token": CANARY}),
        lambda logger: logger.warning("%d tokens", CANARY),
        lambda logger: logger.warning(ValueError(CANARY)),
        lambda logger: logger.warning("here", stack_info=True),
        lambda logger: logger.warning("as it is on the wire: %s", CANARY.encode().hex()),
        logged_exception,
    ],
    ids=["message", "argument", "objects", "mapping", "misfit", "exception as message", "stack", "hex", "traceback"],
)
def test_no_secret_is_in_a_record_wherever_it_stood(lines: Lines, log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    log(lines.logger)
    (record,) = lines.collected.records
    shown = lines.stream.getvalue() + str(record.__dict__) + "".join(capsys.readouterr())
    assert CANARY not in shown
    assert CANARY.encode().hex() not in shown
    assert "WARNING" in shown or "ERROR" in shown


def test_the_traceback_stays_and_names_each_exception(lines: Lines) -> None:
    logged_exception(lines.logger)
    text = lines.stream.getvalue()
    assert "ValueError: bad password ******" in text
    assert "RuntimeError: cannot log in" in text
    assert error_of(lines.collected.records[0]) == "RuntimeError: cannot log in"


def test_what_a_task_hides_is_hidden_as_long_as_the_task_is_there_and_a_while_longer() -> None:
    secrecy = Secrecy()
    mask = Mask(["of-the-task"])
    secrecy.include(mask)
    mask.add("obtained-later")
    assert secrecy.text("of-the-task obtained-later") == "****** ******"
    held = Mask(["of-one-that-runs"])
    secrecy.include(held)
    del mask
    gc.collect()
    assert secrecy.text("of-the-task") == "******"
    for number in range(20):
        secrecy.include(Mask([f"of-another-{number}"]))
    gc.collect()
    assert secrecy.text("of-the-task of-another-19 of-one-that-runs") == "of-the-task ****** ******"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[(b'authorization', b'Bearer abcdefghijklmnop1234')]", "[(b'authorization', b'Bearer ******')]"),
        ("Authorization: Basic YWRtaW46aW52ZW50ZWQ=", "Authorization: Basic ******"),
        ('GET https://x.example/log?key=a&token=abc123 "200"', 'GET https://x.example/log?key=a&token=****** "200"'),
        ("https://octo:p4ss@git.example/x.git: no such host", "https://octo:******@git.example/x.git: no such host"),
        ("sent eyJhbGciOiJkaXIifQ..abc-_.defg.hij on", "sent ****** on"),
    ],
)
def test_what_has_the_form_of_a_credential_is_hidden_although_nobody_knew_it(text: str, shown: str) -> None:
    assert Secrecy().text(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "the token is refused: give it by --token-file",
        "registered: account acme at https://manager.example:443/api?accountId=acme",
        "basic authentication wants user:password",
        "git@github.com:octo/hello.git",
    ],
)
def test_ordinary_words_stay(text: str) -> None:
    assert Secrecy(CANARY).text(text) == text


async def test_a_concern_follows_the_work_into_tasks_and_threads(lines: Lines) -> None:
    def log() -> None:
        lines.logger.info("deep inside")

    async def step(name: str) -> None:
        with concerning(step=name):
            await asyncio.sleep(0)
            await asyncio.to_thread(log)

    with concerning(task="t1"):
        await asyncio.gather(step("build"), step("test"))
    assert concern() == Concern()
    stranger = threading.Thread(target=log)  # it knows nothing, so it is at least this runner's
    stranger.start()
    stranger.join()
    found = sorted((one.task, one.step, one.runner, one.backend) for one in map(concern_of, lines.collected.records))
    assert found == [
        ("", "", "build-7", "memory"),
        ("t1", "build", "build-7", "memory"),
        ("t1", "test", "build-7", "memory"),
    ]


def test_a_second_runners_filter_hides_its_own_secrets_too() -> None:
    record = logging.LogRecord("x", logging.INFO, "f.py", 1, "one two", (), None)
    for value in ("one", "two"):
        RecordFilter(Secrecy(value), Concern(value)).filter(record)
    assert record.getMessage() == "****** ******"


def test_an_argument_that_cannot_be_shown_hurts_nobody(lines: Lines) -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError(CANARY)

        __repr__ = __str__

    arguments: Any = Broken()
    lines.logger.warning("%s", arguments)
    assert "cannot be shown" in lines.stream.getvalue()
    assert sys.exc_info() == (None, None, None)
