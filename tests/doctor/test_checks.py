"""Running checks, and showing what they found."""

from __future__ import annotations

import io
import itertools

import anyio
import pytest

from delegate_core.cli.doctor.view import open_view
from delegate_core.diagnosis import Check, Checked, Finding, ServerClock, run_checks
from delegate_core.errors import CredentialsError, PluginError
from delegate_core.http import Reply

pytestmark = pytest.mark.anyio


def check(name: str, *after: str, finding: Finding | None = None, timeout: float = 20.0) -> Check:
    async def run() -> Finding:
        if finding is None:
            await anyio.sleep_forever()
        assert finding is not None
        return finding

    return Check(name=name, run=run, after=after, timeout=timeout)


OK, PROBLEM = Finding.ok("fine"), Finding.problem("broken", "mend it")


async def test_all_checks_run_at_one_time_and_are_told_in_their_order() -> None:
    met = [anyio.Event(), anyio.Event()]

    def meeting(mine: int) -> Check:
        async def run() -> Finding:
            met[mine].set()
            await met[1 - mine].wait()  # would never come if one ran after the other
            return OK

        return Check(name=f"{mine}", run=run)

    assert [one.name for one in await run_checks([meeting(0), meeting(1)])] == ["0", "1"]


async def test_a_check_that_does_not_end_is_given_up_and_holds_up_no_other() -> None:
    slow, quick = await run_checks([check("slow", timeout=0.05), check("quick", finding=OK)])
    assert slow.finding.status == "problem"
    assert "no answer within 0.05s" in slow.finding.seen
    assert quick.finding is OK


@pytest.mark.parametrize(("first", "then"), [(OK, "ok"), (PROBLEM, "skipped"), (Finding.skipped("no"), "skipped")])
async def test_a_check_that_comes_after_another_is_skipped_unless_that_one_is_well(first: Finding, then: str) -> None:
    _, second = await run_checks([check("first", finding=first), check("second", "first", finding=OK)])
    assert second.finding.status == then


async def test_checks_that_name_each_other_do_not_wait_for_ever() -> None:
    with anyio.fail_after(40):
        found = await run_checks([check("a", "b", finding=OK), check("b", "a", "nobody", finding=OK)])
    assert [one.finding for one in found] == [OK, OK]


async def test_an_error_of_this_program_is_a_problem_with_its_own_cure_and_exit_code() -> None:
    async def run() -> Finding:
        raise CredentialsError("the secret is empty; take the server's")

    (found,) = await run_checks([Check(name="secret", run=run)])
    assert found.finding == Finding.problem("the secret is empty", "take the server's", code=4)


def test_the_lines_of_an_error_become_one() -> None:
    found = Finding.of_text(str(PluginError("it is broken:\n  update it; or leave it out")))
    assert (found.seen, found.cure) == ("it is broken:; update it", "or leave it out")


class Telling:
    """A transport whose server says this date."""

    def __init__(self, date: str) -> None:
        self._date = date

    async def request(self, method: str, url: str, **_: object) -> Reply:
        return Reply(200, {"date": self._date}, b"", method, url)

    async def aclose(self) -> None: ...


@pytest.mark.parametrize(
    ("local", "ahead"),
    [
        ((1000.0, 1000.4), 0.0),
        ((999.8, 1000.1), 0.0),
        ((1000.9, 1001.2), 0.0),
        ((1061.0, 1062.0), 60.0),
        ((940.0, 941.0), -59.0),
    ],
)
async def test_a_clock_is_only_called_wrong_by_as_much_as_whole_seconds_and_a_slow_reply_allow(
    local: tuple[float, float], ahead: float
) -> None:
    times = itertools.chain(local)
    clock = ServerClock(Telling("Thu, 01 Jan 1970 00:16:40 GMT"), clock=lambda: next(times))
    await clock.request("GET", "http://server.example", headers={}, timeout=1)
    assert clock.ahead == ahead


async def test_a_date_that_is_none_says_nothing() -> None:
    clock = ServerClock(Telling("yesterday"))
    await clock.request("GET", "http://server.example", headers={}, timeout=1)
    assert clock.finding(most=1, effect="").status == "skipped"


class Terminal(io.StringIO):
    """A file that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


FOUND = [
    Checked("settings", Finding.ok("good"), 0.1),
    Checked("git", Finding.warning("git is not on the PATH", "install git"), 0.1),
    Checked("server name", Finding.problem("drone.invalid is not \x1b[2Jresolved", "correct the name", code=5), 0.1),
    Checked("server TLS", Finding.skipped("not looked at"), 0.1),
]


def test_piped_each_check_is_one_line_that_is_ok_or_says_what_to_do() -> None:
    out = io.StringIO()
    open_view(out, {}, as_json=False).end(FOUND, "drone", 5)
    assert out.getvalue().splitlines() == [
        "ok       settings     good",
        "warning  git          git is not on the PATH; to do: install git",
        "problem  server name  drone.invalid is not \\x1b[2Jresolved; to do: correct the name",
        "skipped  server TLS   not looked at",
        "1 problem and 1 warning; 1 check is ok, 1 was skipped",
    ]


async def test_in_a_terminal_a_table_fills_in_while_checks_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = Terminal()
    view = open_view(out, {"TERM": "xterm-256color"}, as_json=False)
    with view.showing([one.name for one in FOUND]):
        for one in FOUND:
            view.tell(one)
    before = out.getvalue()
    assert "checking" in before
    view.end(FOUND, "drone", 5)
    final = out.getvalue()[len(before) :]
    assert "to do: install git" in final
    assert "\x1b[2J" not in final.replace("\x1b[2K", "")
    assert "checking" not in final
