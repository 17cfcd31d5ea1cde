"""Every row of what a lost reply may mean, each over a real connection that is cut where it hurts."""

from __future__ import annotations

import anyio
import pytest

from delegate_drone.faults import ServerFault
from delegate_drone.records import EndedElsewhere, Final, Phase, StartLost, StepOutput, claim
from delegate_drone.wire import CardInput, LogLine
from tests.drone.rpc.conftest import MACHINE, QUICK, Bench, step, steps
from tests.drone.rpc.flaky import Mishap

pytestmark = pytest.mark.anyio

SUCCESS = Final("success", 20)
DONE = step(1, "success", stopped=20)


# ---------------------------------------------------------------------- accept


async def test_a_stage_is_ours_although_the_reply_to_its_acceptance_was_lost(bench: Bench) -> None:
    bench.server.lose("POST /stage/1", Mishap.REPLY_LOST)
    taken = await claim(bench.client, 1, MACHINE, patience=QUICK)
    assert taken is not None
    assert taken.details is not None
    assert taken.record.stage.version == bench.database.stage["version"] == 2


async def test_another_runners_stage_is_left_alone_and_not_asked_about(bench: Bench) -> None:
    await bench.client.accept(1, "another")
    assert await claim(bench.client, 1, MACHINE, patience=QUICK) is None
    assert not any(call.startswith("GET") for call in bench.server.calls)


async def test_another_runners_stage_is_left_alone_after_a_try_without_reply(bench: Bench) -> None:
    await bench.client.accept(1, "another")
    bench.server.lose("POST /stage/1", Mishap.REPLY_LOST)
    assert await claim(bench.client, 1, MACHINE, patience=QUICK) is None


async def test_a_stage_accepted_in_an_earlier_life_is_ours(bench: Bench) -> None:
    await bench.client.accept(1, MACHINE)
    assert await claim(bench.client, 1, MACHINE, again=True, patience=QUICK) is not None


async def test_a_stage_accepted_in_an_earlier_life_and_cancelled_since_is_not_ours(bench: Bench) -> None:
    await bench.client.accept(1, MACHINE)
    bench.database.cancel()
    assert await claim(bench.client, 1, MACHINE, again=True, patience=QUICK) is None


async def test_a_stage_that_the_server_does_not_know_is_not_ours(bench: Bench) -> None:
    assert await claim(bench.client, 99, MACHINE, again=True, patience=QUICK) is None


# ---------------------------------------------------------------------- details


async def test_details_are_asked_for_again_when_the_reply_was_lost(bench: Bench) -> None:
    book = await bench.claimed()
    bench.server.lose("GET /stage/1", Mishap.REPLY_LOST, Mishap.BUSY)
    assert (await book.details()).system.host == "drone.example"


async def test_details_that_the_server_cannot_give_end_the_stage_there(bench: Bench) -> None:
    book = await bench.claimed()
    bench.database.details_fail = 99
    with pytest.raises(ServerFault, match="boom config"):
        await book.details()
    assert (await book.fail("boom config", stopped=20)).kind == "gone"
    assert {write.by for write in bench.database.writes} == {"accept", "details"}


async def test_details_of_a_cancelled_build_say_that_it_is_over(bench: Bench) -> None:
    book = await bench.claimed()
    bench.database.cancel()
    with pytest.raises(EndedElsewhere):
        await book.details()
    assert (await book.finish(SUCCESS)).kind == "gone"


# ---------------------------------------------------------------------- start


async def test_a_start_that_did_not_arrive_is_sent_again(bench: Bench) -> None:
    book = await bench.claimed()
    bench.server.lose("PUT /stage/1", Mishap.REQUEST_LOST, Mishap.BUSY, Mishap.PAGE)
    await book.begin(steps(2), started=10)
    assert [known.row.id for known in book.record.steps] == [100, 101]


@pytest.mark.parametrize("mishap", [Mishap.REPLY_LOST, Mishap.GATEWAY])
async def test_a_stage_whose_start_lost_its_reply_ends_in_error_and_says_why(bench: Bench, mishap: Mishap) -> None:
    book = await bench.claimed()
    bench.server.lose("PUT /stage/1", mishap)
    with pytest.raises(StartLost, match="the server's reply was lost") as lost:
        await book.begin(steps(2), started=10)
    assert (await book.fail(str(lost.value), stopped=20)).kind == "delivered"
    assert bench.database.stage["status"] == "error"
    assert bench.database.stage["error"].startswith("the server's reply was lost")


async def test_a_stage_whose_start_lost_its_reply_ends_though_the_server_gives_no_details(bench: Bench) -> None:
    """Else its start would be tried again and again until its time is over."""
    book = await bench.claimed()
    bench.server.lose("PUT /stage/1", Mishap.REPLY_LOST)
    bench.database.details_fail = 99
    with pytest.raises(StartLost):
        await book.begin(steps(2), started=10)
    assert (await book.fail("the server's reply was lost", stopped=20)).kind == "gone"
    assert bench.database.stage["status"] == "error"


async def test_a_stage_whose_steps_are_there_already_ends_in_error(bench: Bench) -> None:
    book = await bench.claimed()
    bench.database.steps[50] = {**step(1).wire(), "id": 50}
    with pytest.raises(StartLost):
        await book.begin(steps(1), started=10)
    assert (await book.fail("the server's reply was lost", stopped=20)).kind == "delivered"


async def test_a_stage_cancelled_after_its_start_lost_its_reply_stays_killed(bench: Bench) -> None:
    book = await bench.claimed()
    bench.server.lose("PUT /stage/1", Mishap.SILENT)
    await _broken_off(bench, book.begin(steps(1), started=10))
    bench.database.cancel()
    with pytest.raises(EndedElsewhere):
        await bench.reborn().begin(steps(1), started=10)
    assert bench.database.stage["status"] == "killed"


async def test_a_start_broken_off_by_a_crash_ends_in_error(bench: Bench) -> None:
    book = await bench.claimed()
    bench.server.lose("PUT /stage/1", Mishap.SILENT)
    await _broken_off(bench, book.begin(steps(1), started=10))
    again = bench.reborn()
    assert again.record.phase is Phase.STARTING
    assert (await again.close_after_crash("runner restarted", stopped=20)).kind == "delivered"
    assert bench.database.stage["status"] == "error"


async def test_a_start_refused_at_the_first_try_was_cancelled(bench: Bench) -> None:
    book = await bench.claimed()
    bench.database.cancel()
    with pytest.raises(EndedElsewhere):
        await book.begin(steps(1), started=10)


# ---------------------------------------------------------------------- steps


@pytest.mark.parametrize("status", ["running", "success"])
async def test_a_step_whose_reply_was_lost_is_ours_if_a_touch_passes(bench: Bench, status: str) -> None:
    book = await bench.running(steps(1))
    bench.server.lose("PUT /step", Mishap.REPLY_LOST)
    await book.step_running(step(1, status))
    assert bench.server.calls == ["PUT /step/100", "PUT /step/100", "PUT /stage/1"]
    assert book.record.step(1).row.version == bench.database.steps[100]["version"] == 2
    assert bench.database.steps[100]["status"] == status


@pytest.mark.parametrize("status", ["running", "success"])
async def test_a_step_whose_stage_was_cancelled_meanwhile_stays_killed(bench: Bench, status: str) -> None:
    book = await bench.running(steps(1))
    bench.server.lose("PUT /step", Mishap.SILENT)
    await _broken_off(bench, book.step_running(step(1, "running")))
    bench.database.cancel()
    with pytest.raises(EndedElsewhere):
        await book.step_ended(step(1, status))
    assert bench.database.steps[100]["status"] == "killed"
    assert bench.database.stage["status"] == "killed"
    assert (await book.finish(SUCCESS, [DONE])).kind == "gone"


async def test_a_refused_step_without_a_lost_reply_was_cancelled(bench: Bench) -> None:
    book = await bench.running(steps(1))
    bench.database.cancel()
    with pytest.raises(EndedElsewhere):
        await book.step_ended(DONE)
    assert bench.server.calls == ["PUT /step/100"]


async def test_an_end_is_written_although_the_beginning_lost_its_reply(bench: Bench) -> None:
    book = await bench.running(steps(1))
    bench.server.lose("PUT /step", Mishap.SILENT)
    await _broken_off(bench, book.step_running(step(1, "running")))
    await bench.reborn().step_ended(DONE)
    assert bench.database.steps[100]["status"] == "success"
    assert bench.database.steps[100]["version"] == 3


# ---------------------------------------------------------------------- touch


async def test_a_touch_that_lost_its_reply_is_cleared_by_a_pending_step(bench: Bench) -> None:
    book = await bench.running(steps(2))
    await book.step_running(step(1, "running"))
    bench.server.heard.clear()
    bench.server.lose("PUT /stage/1", Mishap.REPLY_LOST)
    await book.touch()
    assert bench.server.calls == ["PUT /stage/1", "PUT /stage/1", "PUT /step/101"]
    assert book.record.stage.version == bench.database.stage["version"]


async def test_a_touch_that_lost_its_reply_finds_the_cancellation(bench: Bench) -> None:
    book = await bench.running(steps(1))
    bench.server.lose("PUT /stage/1", Mishap.SILENT)
    await _broken_off(bench, book.touch())
    bench.database.cancel()
    with pytest.raises(EndedElsewhere):
        await book.touch()
    assert bench.database.stage["status"] == "killed"


async def test_where_every_probe_loses_its_reply_the_server_is_asked(bench: Bench) -> None:
    book = await bench.running(steps(2))
    bench.server.lose("PUT", Mishap.REPLY_LOST)
    bench.server.lose("PUT /step/100", Mishap.REPLY_LOST)
    bench.server.lose("PUT /step/101", Mishap.REPLY_LOST)
    await book.touch()
    assert bench.server.calls[-1] == "GET /stage/1"
    assert book.record.stage.version == bench.database.stage["version"]
    await book.step_running(step(1, "running"))
    assert book.record.step(1).row.version == bench.database.steps[100]["version"]


async def test_a_step_in_doubt_is_no_probe_for_a_touch_in_doubt(bench: Bench) -> None:
    book = await bench.running(steps(1))
    bench.server.lose("PUT /step/100", Mishap.REPLY_LOST)
    bench.server.lose("PUT /stage/1", Mishap.REPLY_LOST)
    await book.step_running(step(1, "running"))
    assert bench.server.calls[-1] == "GET /stage/1"
    assert book.record.step(1).row.version == bench.database.steps[100]["version"]


async def test_a_touch_says_at_once_that_the_stage_has_ended(bench: Bench) -> None:
    book = await bench.running(steps(1))
    bench.database.cancel()
    with pytest.raises(EndedElsewhere):
        await book.touch()
    bench.server.heard.clear()
    with pytest.raises(EndedElsewhere):
        await book.step_ended(DONE)
    assert bench.server.calls == []


# ---------------------------------------------------------------------- output


async def test_a_restarted_servers_live_log_is_opened_anew(bench: Bench) -> None:
    book = await bench.running(steps(1))
    await book.step_running(step(1, "running"))
    output = StepOutput(bench.client, book, 1, QUICK)
    bench.database.restart()
    assert await output.send([LogLine(out="hello\n")])
    assert bench.database.streams == {100: ["hello\n"]}


async def test_an_ended_steps_live_log_is_not_opened_anew(bench: Bench) -> None:
    book = await bench.running(steps(1))
    await book.step_ended(DONE)
    assert not await StepOutput(bench.client, book, 1, QUICK).send([LogLine(out="late\n")])
    assert bench.database.steps[100]["status"] == "success"


async def test_lines_that_cannot_be_shown_hurt_nobody(bench: Bench) -> None:
    book = await bench.running(steps(1))
    bench.server.lose("POST /step", Mishap.BUSY)
    assert not await StepOutput(bench.client, book, 1, QUICK).send([LogLine(out="hello\n")])


async def test_a_log_is_stored_once_although_the_reply_was_lost(bench: Bench) -> None:
    output = StepOutput(bench.client, await bench.running(steps(1)), 1, QUICK)
    bench.server.lose("POST /step/100/logs/upload", Mishap.BUSY, Mishap.REPLY_LOST)
    assert not await output.store([LogLine(out="hello\n", time=1)])
    assert bench.database.logs == {100: b'[{"pos":0,"out":"hello\\n","time":1}]'}


async def test_a_step_without_output_stores_an_empty_list(bench: Bench) -> None:
    assert await StepOutput(bench.client, await bench.running(steps(1)), 1, QUICK).store([])
    assert bench.database.logs == {100: b"[]"}


async def test_a_card_is_sent_once_and_its_failure_is_only_said(bench: Bench) -> None:
    output = StepOutput(bench.client, await bench.running(steps(1)), 1, QUICK)
    bench.server.lose("POST /step", Mishap.BUSY)
    assert not await output.show(CardInput(card_schema="https://cards.example/a.json", data={"n": 1}))
    assert bench.database.cards == {}
    assert len(bench.server.heard) == 1


# ---------------------------------------------------------------------- end


async def test_the_end_tells_only_what_the_server_does_not_know_yet(bench: Bench) -> None:
    book = await bench.running(steps(2))
    await book.step_ended(DONE)
    assert (await book.finish(SUCCESS, [DONE, step(2, "skipped")])).kind == "delivered"
    assert {row["status"] for row in bench.database.steps.values()} == {"success", "skipped"}
    assert bench.database.steps[100]["version"] == 2
    assert bench.database.stage["status"] == "success"


async def test_an_end_that_lost_its_reply_takes_effect_once(bench: Bench) -> None:
    book = await bench.running(steps(1))
    bench.server.lose("PUT /stage/1", Mishap.REPLY_LOST)
    assert (await book.finish(SUCCESS, [DONE])).kind == "gone"
    assert bench.database.stage["status"] == "success"
    assert [write.after for write in bench.database.writes if write.what == "stage"][-1:] == ["success"]
    assert bench.database.stage["version"] == 4


async def test_a_half_written_end_is_completed_without_steps(bench: Bench) -> None:
    book = await bench.running(steps(1))
    bench.database.steps[100].update(status="success", version=2)  # written, before the server died
    assert (await book.finish(SUCCESS, [DONE])).kind == "delivered"
    assert bench.database.stage["status"] == "success"


async def test_a_cancelled_stage_is_not_ended_by_us(bench: Bench) -> None:
    book = await bench.running(steps(1))
    bench.database.cancel()
    assert (await book.finish(SUCCESS, [DONE])).kind == "gone"
    assert bench.database.stage["status"] == "killed"


async def test_an_end_after_a_touch_without_reply_is_delivered_with_its_steps(bench: Bench) -> None:
    book = await bench.running(steps(1))
    bench.server.lose("PUT /stage/1", Mishap.SILENT)
    await _broken_off(bench, book.touch())
    assert (await book.finish(SUCCESS, [DONE])).kind == "delivered"
    assert bench.database.steps[100]["status"] == "success"
    assert not any(call.startswith("GET") for call in bench.server.calls)


async def test_an_end_after_a_touch_without_reply_and_no_open_step_asks_once(bench: Bench) -> None:
    book = await bench.running(steps(1))
    await book.step_ended(DONE)
    bench.server.lose("PUT /stage/1", Mishap.SILENT)
    await _broken_off(bench, book.touch())
    assert (await book.finish(SUCCESS, [DONE])).kind == "delivered"
    assert sum(call.startswith("GET") for call in bench.server.calls) == 1


async def test_a_step_in_doubt_is_ended_with_its_stage(bench: Bench) -> None:
    book = await bench.running(steps(1))
    bench.server.lose("PUT /step", Mishap.SILENT)
    await _broken_off(bench, book.step_running(step(1, "running")))
    assert (await book.finish(SUCCESS, [DONE])).kind == "delivered"
    assert bench.database.steps[100]["status"] == "success"


async def test_an_end_broken_off_by_a_crash_is_reported_again(bench: Bench) -> None:
    book = await bench.running(steps(1))
    bench.server.lose("PUT /stage/1", Mishap.SILENT)
    await _broken_off(bench, book.finish(SUCCESS, [DONE]))
    assert (await bench.reborn().finish(SUCCESS, [DONE])).kind == "gone"
    assert bench.database.stage["version"] == 4


async def test_a_delivered_end_is_not_sent_again(bench: Bench) -> None:
    book = await bench.running(steps(1))
    await book.finish(SUCCESS, [DONE])
    bench.server.heard.clear()
    assert (await bench.reborn().finish(SUCCESS, [DONE])).kind == "delivered"
    assert bench.server.calls == []


async def test_a_stage_that_was_never_started_ends_without_steps(bench: Bench) -> None:
    book = await bench.claimed()
    assert (await book.fail("no such pipeline: caf\u00e9" + "\u00e9" * 400, stopped=20)).kind == "delivered"
    stored = bench.database.stage["error"]
    assert len(stored.encode()) <= 500
    assert stored.endswith("\u00e9")
    assert bench.database.stage["started"] == 20


async def test_a_stage_that_the_server_forgot_is_gone(bench: Bench) -> None:
    book = await bench.running(steps(1))
    bench.database.build["id"] = 8
    assert (await book.finish(SUCCESS, [DONE])).kind == "gone"


# ---------------------------------------------------------------------- crash


async def test_after_a_crash_running_steps_end_in_error_and_others_are_skipped(bench: Bench) -> None:
    book = await bench.running(steps(3))
    await book.step_ended(DONE)
    await book.step_running(step(2, "running"))
    assert (await bench.reborn().close_after_crash("runner restarted", stopped=20)).kind == "delivered"
    assert [row["status"] for row in bench.database.steps.values()] == ["success", "error", "skipped"]
    assert (bench.database.stage["status"], bench.database.stage["exit_code"]) == ("error", 255)


async def test_after_a_crash_a_cancelled_stage_stays_killed(bench: Bench) -> None:
    book = await bench.running(steps(2))
    await book.step_running(step(1, "running"))
    bench.database.cancel()
    assert (await bench.reborn().close_after_crash("runner restarted", stopped=20)).kind == "gone"
    assert [row["status"] for row in bench.database.steps.values()] == ["killed", "skipped"]
    assert bench.database.stage["status"] == "killed"


async def test_after_a_crash_a_step_in_doubt_is_ended(bench: Bench) -> None:
    book = await bench.running(steps(1))
    bench.server.lose("PUT /step", Mishap.SILENT)
    await _broken_off(bench, book.step_running(step(1, "running")))
    assert (await bench.reborn().close_after_crash("runner restarted", stopped=20)).kind == "delivered"
    assert bench.database.steps[100]["status"] == "error"


async def test_after_a_crash_that_lost_the_journals_end_the_stages_version_is_asked_for(bench: Bench) -> None:
    book = await bench.running(steps(1))
    old = bench.saved[-1]
    await book.touch()
    bench.saved.append(old)
    assert (await bench.reborn().close_after_crash("runner restarted", stopped=20)).kind == "delivered"
    assert bench.server.calls[-2:] == ["GET /stage/1", "PUT /stage/1"]


# ---------------------------------------------------------------------- the journal


async def test_a_try_is_journaled_before_it_is_made_and_cleared_by_its_reply(bench: Bench) -> None:
    book = await bench.running(steps(1))
    bench.saved.clear()
    await book.step_running(step(1, "running"))
    assert [record["steps"][0]["tried"] for record in bench.saved] == [["running"], []]
    await book.touch()
    assert [record["unsure"] for record in bench.saved[2:]] == [True, False]


async def test_the_journal_holds_no_secret_of_the_details(bench: Bench) -> None:
    book = await bench.claimed()
    await book.details()
    await book.begin(steps(1), started=10)
    for secret in ("invented-rpc-token", "netrc-password", "repository-key", "secret-data"):
        assert secret not in str(bench.saved)


async def test_a_saved_record_reads_back_as_it_was(bench: Bench) -> None:
    book = await bench.running(steps(2))
    await book.step_running(step(1, "running"))
    assert bench.reborn().record == book.record


async def test_steps_need_numbers_from_one_on(bench: Bench) -> None:
    book = await bench.claimed()
    with pytest.raises(ValueError, match="numbered"):
        await book.begin([step(2)], started=10)


async def test_calls_of_several_steps_are_made_one_after_the_other(bench: Bench) -> None:
    book = await bench.running(steps(5))
    bench.server.lose("PUT /step", Mishap.REPLY_LOST, Mishap.BUSY, Mishap.REPLY_LOST)
    async with anyio.create_task_group() as tasks:
        for number in range(1, 6):
            tasks.start_soon(book.step_running, step(number, "running"))
        tasks.start_soon(book.touch)
    for known in book.record.steps:
        assert known.row.version == bench.database.steps[known.row.id]["version"]
        assert known.row.status == "running"


async def _broken_off(bench: Bench, call: object) -> None:
    """Make a call whose reply never comes, until it is done at the server; then give up."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_awaited, call)
        with anyio.fail_after(40):
            await bench.server.silence.wait()
        tasks.cancel_scope.cancel()


async def _awaited(call: object) -> None:
    await call  # type: ignore[misc] # a coroutine
