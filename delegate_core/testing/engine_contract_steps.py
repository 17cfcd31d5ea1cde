# ruff: noqa: S101, D102 - these are tests: they assert, and each one's name is its sentence; secrets are invented
"""Contract: what a step runs, and what it is given."""

from __future__ import annotations

import shlex

import anyio
import pytest

from delegate_core.pipeline.spec import Secret
from delegate_core.pipeline.states import Broken, Exited
from delegate_core.testing.engine_contract_base import EngineFixtures, EngineUnderTest, Ran, Room

__all__ = ["StepContract"]

_OF_THE_SHELL = frozenset({"PWD", "OLDPWD", "SHLVL", "_"})

_SAME_SLUG = ("Build & Test", "build test", "build/test", "build-test", "BUILD_TEST")
_ODD = ("../../escape", "/etc/passwd", "", ".", "-rf", "$(exit 3)", "a\nb", "ключ", "\N{ROCKET}", "x" * 300, "a'b\"c`d")


class StepContract(EngineFixtures):
    """From the spec to the exit code."""

    async def test_the_output_and_the_exit_code_are_the_step_s(self, room: Room) -> None:
        ran = await room.run("echo hello; exit 3")
        assert (ran.ending, ran.own) == (Exited(3), b"hello\n")

    @pytest.mark.parametrize("code", [0, 1, 78, 127, 137, 255])
    async def test_every_exit_code_is_passed_on(self, room: Room, code: int) -> None:
        assert (await room.run(f"exit {code}")).ending == Exited(code)

    async def test_the_first_command_that_fails_ends_the_step(self, room: Room) -> None:
        ran = await room.run("echo one", "false", "echo three")
        assert (ran.ending, ran.output) == (Exited(1), b"+ echo one\none\n+ false\n")

    async def test_a_folder_and_a_variable_carry_over_to_the_next_command(self, room: Room) -> None:
        ran = await room.run("mkdir below && cd below", "export WORD=carried", 'echo "${PWD##*/} $WORD"')
        assert ran.output.endswith(b"\nbelow carried\n")

    async def test_a_command_may_have_several_lines(self, room: Room) -> None:
        ran = await room.run("for n in 1 2\ndo\n  echo $n\ndone")
        assert ran.own == b"1\n2\n"

    async def test_a_step_without_commands_succeeds(self, room: Room) -> None:
        ran = await room.run()
        assert (ran.ending, ran.output) == (Exited(0), b"")

    @pytest.mark.parametrize(
        "command", ["true # a comment", "true \\", "true `touch trap`", 'true "$(touch trap)"', "true '$HOME' %s%n\\c"]
    )
    async def test_the_line_that_announces_a_command_executes_nothing_of_it(self, room: Room, command: str) -> None:
        ran = await room.run("exit 4", command)
        assert ran.output == b"+ exit 4\n", "a command after the end is not announced"
        ran = await room.run(f": {shlex.quote(command)}", "test ! -e trap", command)
        announced = f"+ : {shlex.quote(command)}\n+ test ! -e trap\n+ {command}\n"
        assert (ran.ending, ran.output.decode()) == (Exited(0), announced)

    async def test_the_environment_is_what_was_compiled_and_nothing_else(
        self, room: Room, under_test: EngineUnderTest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("RUNNER_CANARY", "yellow-feathers")
        odd = "two words, 'quotes' \"and\" $dollars `ticks` \\ ü\ttab"
        environment = {"PLAIN": odd, "EMPTY": ""}
        step = under_test.step(room.folder, "step", ("env",), environment=environment)
        seen = _variables(await room.run("env", environment=environment))
        assert {name: seen[name] for name in step.variables()} == step.variables()
        assert seen.keys() - step.variables().keys() <= under_test.adds | _OF_THE_SHELL
        assert "yellow-feathers" not in str(seen)

    async def test_a_secret_wins_over_a_plain_variable_and_an_empty_one_is_defined(self, room: Room) -> None:
        secrets = (
            Secret(name="key", value="from the secret", variable="KEY"),
            Secret(name="nothing", value="", variable="NOTHING"),
            Secret(name="only masked", value="unseen"),
        )
        seen = _variables(await room.run("env", environment={"KEY": "plain", "NOTHING": "plain"}, secrets=secrets))
        assert (seen["KEY"], seen["NOTHING"]) == ("from the secret", "")
        assert "unseen" not in str(seen)

    async def test_a_secret_of_one_step_is_not_in_the_environment_of_another(self, room: Room) -> None:
        secret = Secret(name="key", value="hidden-treasure", variable="KEY")
        await room.run("true", name="first", secrets=(secret,))
        assert b"hidden-treasure" not in (await room.run("env", name="second")).output

    async def test_it_reads_nothing(self, room: Room) -> None:
        ran = await room.run("cat; echo over")
        assert ran.own == b"over\n"

    async def test_steps_whose_names_differ_in_signs_only_stay_apart(self, room: Room) -> None:
        ran: dict[str, Ran] = {}

        async def run(number: int, name: str) -> None:
            ran[name] = await room.run(f"echo {number}", name=name)

        async with anyio.create_task_group() as tasks:
            for number, name in enumerate(_SAME_SLUG):
                tasks.start_soon(run, number, name)
        assert [ran[name].lines for name in _SAME_SLUG] == [[str(number)] for number in range(len(_SAME_SLUG))]

    @pytest.mark.parametrize("name", _ODD)
    async def test_a_step_may_have_any_name(self, room: Room, name: str) -> None:
        ran = await room.run("echo fine", name=name)
        assert (ran.ending, ran.own) == (Exited(0), b"fine\n")

    async def test_a_working_directory_counts_from_the_workspace(self, room: Room) -> None:
        await room.run("mkdir -p some/where && echo found >some/where/file")
        assert (await room.run("cat file", working_dir="some/where")).own == b"found\n"

    async def test_a_missing_working_directory_is_made_or_the_step_s_own_trouble(self, room: Room) -> None:
        ran = await room.run("echo never", working_dir="not/there")
        if room.under_test.makes_folders:
            assert (ran.ending, ran.own) == (Exited(0), b"never\n")
            return
        assert isinstance(ran.ending, Broken)
        assert "not/there" in ran.ending.error
        assert ran.output == b""
        assert (await room.run("echo fine")).ending == Exited(0)

    @pytest.mark.parametrize("where", ["command", "value"])
    async def test_a_zero_byte_breaks_the_step_and_shows_no_value(self, room: Room, where: str) -> None:
        command, value = ("echo a\0b", "fine") if where == "command" else ("true", "hidden\0treasure")
        ran = await room.run(command, secrets=(Secret(name="key", value=value, variable="KEY"),))
        assert isinstance(ran.ending, Broken)
        assert "zero byte" in ran.ending.error
        assert "treasure" not in ran.ending.error

    async def test_a_variable_that_is_too_long_breaks_the_step_and_shows_no_value(self, room: Room) -> None:
        secret = Secret(name="key", value="treasure" * 500_000, variable="KEY")
        ran = await room.run("true", secrets=(secret,))
        assert isinstance(ran.ending, Broken)
        assert "'KEY'" in ran.ending.error
        assert "treasure" not in ran.ending.error


def _variables(ran: Ran) -> dict[str, str]:
    assert ran.ending == Exited(0)
    pairs = (line.partition("=") for line in ran.lines)
    return {name: value for name, _, value in pairs}
