"""What is written beside the runner's log shows no secret, and has no power over a terminal."""

from __future__ import annotations

import logging
import re
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from delegate_core.console import lastwords
from delegate_core.logs import Mask, Secrecy
from tests.harness.scripted import SECRET as ACCOUNT_SECRET
from tests.harness.scripted import ScriptedManager
from tests.integration.command import Command

SECRET = "the-canary-of-last-words"
EVIL = f"{SECRET} \x1b]52;c;x\x07 \x9b2J"


def harmless(text: str) -> bool:
    return "******" in text and SECRET not in text and all(line.isprintable() for line in text.split("\n"))


@contextmanager
def concealed() -> Iterator[None]:
    with lastwords.within_a_program():
        lastwords.conceal(Secrecy("something-else"))
        lastwords.conceal(Secrecy(SECRET))
        yield


def test_an_error_that_nobody_caught(capsys: pytest.CaptureFixture[str]) -> None:
    with concealed():
        sys.excepthook(ValueError, ValueError(EVIL), None)
    err = capsys.readouterr().err
    assert "ValueError: ******" in err
    assert harmless(err)


def test_the_error_that_the_command_ends_with() -> None:
    with concealed():
        assert lastwords.shown(f"failed: {SECRET}, Bearer abcdefghijklmnop") == "failed: ******, Bearer ******"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_error_of_a_thread(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise ValueError(EVIL)

    with concealed():
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
    with concealed():
        Unruly()
    err = capsys.readouterr().err
    assert err.startswith("Exception ignored in: <function Unruly.__del__")
    assert "ValueError: ******" in err
    assert harmless(err)


def test_an_error_of_a_destructor_while_another_text_is_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    """The collector may run anywhere, so also while a lock is held that its error's words need."""

    class Mute(Mask):
        def __hash__(self) -> int:  # asked for while the lock is held
            Unruly()
            return 1

    with lastwords.within_a_program():
        secrecy = Secrecy(SECRET)
        lastwords.conceal(secrecy)
        including = threading.Thread(target=lambda: secrecy.include(Mute()), daemon=True)
        including.start()
        including.join(30)
        assert not including.is_alive()
    assert harmless(capsys.readouterr().err)


def test_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with concealed():
            warnings.warn(EVIL, stacklevel=1)
    assert harmless(capsys.readouterr().err)


def test_a_record_that_no_handler_takes(capsys: pytest.CaptureFixture[str]) -> None:
    with concealed():
        record = logging.LogRecord("library", logging.WARNING, "", 0, "sent %s", (SECRET,), None)
        assert logging.lastResort is not None
        logging.lastResort.handle(record)
    assert capsys.readouterr().err == "sent ******\n"


def test_what_anybody_prints_but_for_what_only_looks_like_a_credential(capsys: pytest.CaptureFixture[str]) -> None:
    with concealed():
        print(f"one {SECRET} Bearer abcdefghijklmnop")  # noqa: T201 - as a handler does
        sys.stderr.writelines(["two ", SECRET])
        lastwords.plain_output().write("as it is: something-else")
    shown = capsys.readouterr()
    assert shown.out == "one ****** Bearer abcdefghijklmnop\nas it is: something-else"
    assert shown.err == "two ******"


def test_afterwards_all_is_as_it_was() -> None:
    def present() -> list[object]:
        resort = logging.lastResort and [*logging.lastResort.filters]
        return [sys.excepthook, sys.unraisablehook, threading.excepthook, warnings.showwarning, sys.stdout, resort]

    with lastwords.within_a_program():
        pass
    before = present()
    with lastwords.within_a_program():
        lastwords.conceal(Secrecy(SECRET))
        assert all(one is not other for one, other in zip(present(), before, strict=True))
        assert lastwords.shown(SECRET) == "******"
    assert present() == before
    assert lastwords.shown(SECRET) == SECRET


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
