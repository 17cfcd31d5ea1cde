"""What is written beside the runner's log shows no secret, and has no power over a terminal."""

from __future__ import annotations

import logging
import re
import threading
import warnings
from pathlib import Path

import pytest

from delegate_core.cli.lastwords import last_words
from delegate_core.errors import SettingsError
from delegate_core.logs.secrecy import Secrecy
from tests.harness.scripted import SECRET as ACCOUNT_SECRET
from tests.harness.scripted import ScriptedManager
from tests.integration.command import Command

SECRET = "the-canary-of-last-words"
EVIL = f"{SECRET} \x1b]52;c;x\x07 \x9b2J"


def harmless(text: str) -> bool:
    return "******" in text and SECRET not in text and all(line.isprintable() for line in text.split("\n"))


def test_an_error_that_nobody_caught(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, last_words(Secrecy(SECRET)):
        raise ValueError(EVIL)
    err = capsys.readouterr().err
    assert ended.value.code == 1
    assert "ValueError: ******" in err
    assert harmless(err)


def test_the_error_that_the_command_ends_with() -> None:
    with pytest.raises(SettingsError) as ended, last_words(Secrecy(SECRET)):
        raise SettingsError(f"failed: {EVIL}") from ValueError(EVIL)
    assert SECRET not in str(ended.value)
    assert ended.value.__cause__ is None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_error_of_a_thread(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise ValueError(EVIL)

    with last_words(Secrecy(SECRET)):
        thread = threading.Thread(target=fail, name="worker")
        thread.start()
        thread.join(30)
    err = capsys.readouterr().err
    assert "Exception in thread worker:" in err
    assert harmless(err)


class Unruly:
    def __del__(self) -> None:
        raise ValueError(EVIL)


def test_an_error_of_a_destructor(capsys: pytest.CaptureFixture[str]) -> None:
    with last_words(Secrecy(SECRET)):
        Unruly()
    err = capsys.readouterr().err
    assert "ValueError: ******" in err
    assert harmless(err)


def test_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with last_words(Secrecy(SECRET)):
            warnings.warn(EVIL, stacklevel=1)
    assert harmless(capsys.readouterr().err)


def test_a_record_that_no_handler_takes(capsys: pytest.CaptureFixture[str]) -> None:
    with last_words(Secrecy(SECRET)):
        record = logging.LogRecord("library", logging.WARNING, "", 0, "sent %s", (SECRET,), None)
        assert logging.lastResort is not None
        logging.lastResort.handle(record)
    assert capsys.readouterr().err == "sent ******\n"


def test_afterwards_all_is_as_it_was() -> None:
    before = (threading.excepthook, warnings.showwarning, logging.lastResort and [*logging.lastResort.filters])
    with last_words(Secrecy(SECRET)):
        pass
    assert before == (threading.excepthook, warnings.showwarning, logging.lastResort and logging.lastResort.filters)


@pytest.mark.anyio
async def test_the_command_hides_what_a_server_echoes_and_leaves_the_terminal_alone(tmp_path: Path) -> None:
    manager = ScriptedManager()
    said = f"refused {ACCOUNT_SECRET} \x1b]52;c;x\x07 \u202e"
    manager.on("register", (400, {"responseMessages": [{"code": "X", "message": said}]}))
    async with manager.serve() as url:
        settings = {"DELEGATE_ENDPOINT": url, "DELEGATE_ACCOUNT_ID": "a", "DELEGATE_ACCOUNT_SECRET": ACCOUNT_SECRET}
        ended = await Command(tmp_path)("run", "--backend", "harness", "--register-timeout", "3s", **settings)
    assert ended.code == 5
    assert re.search(r"^delegate: .*refused \*\*\*\*\*\* \]52", ended.err, re.MULTILINE), ended.err
    assert ACCOUNT_SECRET not in ended.out + ended.err
    assert all(line.isprintable() for line in (ended.out + ended.err).split("\n"))
