"""`delegate exec`: pipelines of real files, run by real shells in real folders."""

from __future__ import annotations

import json

import pytest

from tests.drone.local.command import Command

GRAPH = """
kind: pipeline
type: exec
name: default
steps:
- name: fetch
  commands: [ "echo fetched > fetched" ]
- name: left
  commands: [ "until test -e right.sign; do sleep 0.01; done; touch left.sign" ]
  depends_on: [ fetch ]
- name: right
  commands: [ "touch right.sign; until test -e left.sign; do sleep 0.01; done" ]
  depends_on: [ fetch ]
- name: join
  commands: [ "cat fetched" ]
  depends_on: [ left, right ]
"""


def step(name: str, command: str, more: str = "") -> str:
    return f"- name: {name}\n  commands:\n  - {json.dumps(command)}\n{more}"


def pipeline(*steps: str, name: str = "default", more: str = "") -> str:
    return f"kind: pipeline\ntype: exec\nname: {name}\n{more}steps:\n" + "".join(steps)


def events(out: str, kind: str) -> list[dict[str, object]]:
    return [one for one in map(json.loads, out.splitlines()) if one["event"] == kind]


# ---------------------------------------------------------------------- running


def test_steps_run_in_this_folder_and_nothing_else_is_left(delegate: Command) -> None:
    delegate.write(pipeline(step("build", "pwd; echo made > made")))
    ended = delegate("exec")
    assert ended.code == 0
    assert f"[build] {delegate.folder}\n" in ended.out
    assert ended.out.endswith("\ndefault: success in 0.0s\n") or "default: success in" in ended.out
    assert (delegate.folder / "made").read_text() == "made\n"
    assert delegate.left_behind() == []


def test_steps_that_depend_on_nothing_of_each_other_run_at_the_same_time(delegate: Command) -> None:
    delegate.write(GRAPH)
    ended = delegate("exec")
    assert ended.code == 0, ended.both
    assert "[join] fetched\n" in ended.out


def test_starts_and_ends_are_told_apart_from_what_steps_print(delegate: Command) -> None:
    delegate.write(pipeline(step("build", "printf '==> [build] success\\n'; exit 3")))
    lines = delegate("exec").out.splitlines()
    assert "==> [build] started" in lines
    assert "[build] ==> [build] success" in lines
    assert any(line.startswith("==> [build] failure in ") and line.endswith(", exit code 3") for line in lines)


def test_the_table_at_the_end_has_every_step_with_status_and_exit_code(delegate: Command) -> None:
    delegate.write(
        pipeline(
            step("good", "true"),
            step("bad", "exit 7"),
            step("never", "true"),
            step("tell", "true", "  when: {status: failure}\n"),
        )
    )
    ended = delegate("exec")
    rows = [line.split()[:3] for line in ended.out.partition("STEP ")[2].splitlines()[1:5]]
    assert rows == [
        ["good", "success", "0"],
        ["bad", "failure", "7"],
        ["never", "skipped", "step"],
        ["tell", "success", "0"],
    ]
    assert ended.out.splitlines()[-1].startswith("default: failure after ")
    assert ended.code == 1


@pytest.mark.parametrize(
    ("command", "more", "code"),
    [
        ("exit 1", "", 1),
        ("exit 78", "", 0),
        ("exit 5", "  failure: ignore\n", 0),
        ("kill -9 $$$$", "", 1),
        ("nosuchcommand", "", 1),
        ("false\n  true", "", 1),
    ],
)
def test_the_exit_status_is_that_of_the_pipeline(delegate: Command, command: str, more: str, code: int) -> None:
    delegate.write(pipeline(step("build", command, more)))
    assert delegate("exec").code == code


def test_facts_come_from_the_repository(delegate: Command) -> None:
    delegate.write(
        pipeline(step("show", 'echo "$DRONE_REPO|$DRONE_BRANCH|$DRONE_COMMIT|$DRONE_COMMIT_AUTHOR|$DRONE_BUILD_EVENT"'))
    )
    commit = delegate.commit()
    delegate.git("remote", "add", "origin", "https://ada:hunter22@git.example.org/ada/engine.git")
    ended = delegate("exec")
    assert f"[show] ada/engine|main|{commit}|Ada|push\n" in ended.out
    assert "hunter22" not in ended.both


def test_what_was_chosen_wins_over_the_repository(delegate: Command) -> None:
    delegate.write(
        pipeline(step("show", 'echo "$DRONE_REPO|$DRONE_BRANCH|$DRONE_TAG|$DRONE_DEPLOY_TO|$DRONE_SYSTEM_HOST"'))
    )
    delegate.commit()
    chosen = ["--repo", "o/n", "--branch", "b", "--event", "tag", "--ref", "refs/tags/v1", "--deploy-to", "prod"]
    ended = delegate("exec", *chosen, "--instance", "drone.example.org")
    assert "[show] o/n|b|v1|prod|drone.example.org\n" in ended.out


def test_without_git_it_works_too(delegate: Command) -> None:
    delegate.write(pipeline(step("show", "echo $DRONE_REPO")))
    (delegate.folder / "bin").mkdir()
    for tool in ("sh", "echo"):
        (delegate.folder / "bin" / tool).symlink_to(f"/bin/{tool}")
    ended = delegate("exec", PATH=str(delegate.folder / "bin"))
    assert ended.code == 0, ended.both
    assert "[show] local/project\n" in ended.out


def test_the_manifest_may_come_from_standard_input(delegate: Command) -> None:
    ended = delegate("exec", "-", stdin=pipeline(step("build", "echo here")).encode())
    assert ended.code == 0
    assert "[build] here\n" in ended.out


# ---------------------------------------------------------------------- choosing


def test_include_and_exclude_choose_steps(delegate: Command) -> None:
    delegate.write(pipeline(step("a", "true"), step("b", "true"), step("c", "true")))
    only = events(delegate("exec", "--include", "a", "--include", "b", "--console", "json").out, "step_over")
    without = events(delegate("exec", "--exclude", "a", "--console", "json").out, "step_over")
    assert [one["step"] for one in only] == ["a", "b"]
    assert [one["step"] for one in without] == ["b", "c"]


def test_pipelines_run_in_the_order_of_their_dependencies(delegate: Command) -> None:
    last = pipeline(step("s", "echo last"), name="last", more="depends_on: [ first ]\n")
    delegate.write(last + "---\n" + pipeline(step("s", "echo first"), name="first"))
    out = delegate("exec").out
    assert out.index("[first/s] first\n") < out.index("[last/s] last\n")


def test_a_failure_reaches_all_that_waits_also_behind_a_skipped_pipeline(delegate: Command) -> None:
    more = "depends_on: [ build ]\n"
    delegate.write(
        "---\n".join(
            (
                pipeline(step("s", "false"), name="test"),
                pipeline(step("s", "true"), name="build", more="depends_on: [ test ]\n"),
                pipeline(step("s", "true"), name="deploy", more=more),
                pipeline(step("s", "true"), name="tell", more=f"{more}trigger: {{status: [ failure ]}}\n"),
            )
        )
    )
    ended = delegate("exec", "--console", "json")
    assert ended.code == 1
    assert [one["pipeline"] for one in events(ended.out, "pipeline_began")] == ["test", "tell"]
    assert [one["pipeline"] for one in events(ended.out, "pipeline_left_out")] == ["build", "deploy"]


@pytest.mark.parametrize(("trigger", "runs"), [("", False), ("trigger: {status: [ success, failure ]}\n", True)])
def test_nothing_that_wants_success_runs_after_what_cannot_run_here(
    delegate: Command, trigger: str, *, runs: bool
) -> None:
    """A deployment must not run because its tests could not."""
    delegate.write(
        "kind: pipeline\nname: test\nsteps:\n- { name: s, image: alpine, commands: [ 'true' ] }\n---\n"
        + pipeline(step("s", "echo deployed"), name="build", more=f"depends_on: [ test ]\n{trigger}")
        + "---\n"
        + pipeline(step("s", "echo other"), name="other")
    )
    ended = delegate("exec")
    assert ended.code == 2
    assert ("deployed\n" in ended.out) is runs
    assert "other\n" in ended.out
    reason = 'build: not run: pipeline "test", which it depends on, cannot run here'
    assert (reason in ended.out) is not runs


def test_what_depends_on_a_failed_pipeline_is_skipped_unless_its_trigger_wants_failures(delegate: Command) -> None:
    delegate.write(
        "---\n".join(
            [
                pipeline(step("s", "exit 1"), name="test"),
                pipeline(step("s", "true"), name="deploy", more="depends_on: [ test ]\n"),
                pipeline(step("s", "true"), name="tell", more="depends_on: [ test ]\ntrigger: {status: [ failure ]}\n"),
                pipeline(step("s", "true"), name="other"),
            ]
        )
    )
    ended = delegate("exec", "--console", "json")
    assert [one["pipeline"] for one in events(ended.out, "pipeline_began")] == ["test", "tell", "other"]
    (left_out,) = events(ended.out, "pipeline_left_out")
    assert left_out["reason"] == 'pipeline "test" did not succeed'
    assert ended.code == 1


def test_a_pipeline_that_only_tells_of_failures_is_skipped_where_there_is_none(delegate: Command) -> None:
    tell = pipeline(step("s", "true"), name="tell", more="depends_on: [ test ]\ntrigger: {status: [ failure ]}\n")
    delegate.write(pipeline(step("s", "true"), name="test") + "---\n" + tell)
    ended = delegate("exec")
    assert "tell: not run: no pipeline has failed" in ended.out
    assert ended.code == 0


def test_a_trigger_that_does_not_match_leaves_the_pipeline_out_and_says_why(delegate: Command) -> None:
    delegate.write(
        pipeline(step("s", "true"), name="test")
        + "---\n"
        + pipeline(step("s", "true"), name="deploy", more="trigger: {event: [ promote ]}\n")
    )
    ended = delegate("exec")
    assert "deploy: not run: its trigger does not match: event must be promote, and this is push" in ended.out
    assert ended.code == 0


def test_a_chosen_pipeline_runs_alone_whatever_its_trigger_says(delegate: Command) -> None:
    deploy = pipeline(
        step("s", "echo deployed"), name="deploy", more="trigger: {event: [ promote ]}\ndepends_on: [ test ]\n"
    )
    delegate.write(pipeline(step("s", "exit 1"), name="test") + "---\n" + deploy)
    ended = delegate("exec", "--pipeline", "deploy")
    assert ended.code == 0
    assert "[s] deployed\n" in ended.out


def test_docker_pipelines_are_reported_as_not_run(delegate: Command) -> None:
    docker = "---\nkind: pipeline\nname: images\nsteps:\n- name: a\n  image: alpine\n  commands: [ x ]\n"
    delegate.write(pipeline(step("build", "echo built"), name="host") + docker)
    mixed, chosen, only = (
        delegate("exec", *which, DELEGATE_DISABLE_PLUGIN="docker")
        for which in ([], ["--pipeline", "host"], ["--pipeline", "images"])
    )
    assert (mixed.code, chosen.code, only.code) == (2, 0, 2)
    assert "images: not run: it is of type docker, and no container engine is installed: pip install" in mixed.out
    assert "[build] built\n" in mixed.out
    assert only.err.startswith('delegate: pipeline "images" cannot run here: it is of type docker')


# ---------------------------------------------------------------------- the environment


def test_variables_of_the_caller_reach_substitution_only(delegate: Command) -> None:
    delegate.write(pipeline(step("show", 'echo "${DRONE_MINE}|${MINE}|$DRONE_MINE|$MINE"')))
    assert "[show] seen|||\n" in delegate("exec", DRONE_MINE="seen", MINE="unseen").out


def test_variables_of_a_file_reach_every_step(delegate: Command) -> None:
    delegate.write("# mine\nexport GREETING='hello $USER' # so\nEMPTY=\n", "dev.env")
    delegate.write(pipeline(step("show", 'echo "$GREETING|$EMPTY"')))
    assert "[show] hello $USER|\n" in delegate("exec", "--env-file", "dev.env").out


def test_home_is_not_the_home_of_the_caller(delegate: Command) -> None:
    delegate.write(pipeline(step("show", 'echo "$HOME"; echo x > "$HOME/file"')))
    ended = delegate("exec")
    assert ended.code == 0
    assert delegate.left_behind() == []


def test_each_pipeline_knows_its_own_name_also_in_substitution(delegate: Command) -> None:
    both = [pipeline(step("s", "echo ${DRONE_STAGE_NAME} $DRONE_STAGE_NAME"), name=name) for name in ("one", "two")]
    delegate.write("---\n".join(both))
    out = delegate("exec").out
    assert "[one/s] one one\n" in out
    assert "[two/s] two two\n" in out


def test_a_step_knows_whether_an_earlier_one_failed(delegate: Command) -> None:
    delegate.write(
        pipeline(
            step("bad", "exit 1"),
            step("tell", 'echo "$DRONE_BUILD_STATUS $DRONE_FAILED_STEPS"', "  when: {status: failure}\n"),
        )
    )
    assert "[tell] failure bad\n" in delegate("exec").out


def test_a_pipeline_after_a_failed_one_knows_of_it(delegate: Command) -> None:
    tell = step("s", 'echo "$DRONE_BUILD_STATUS $DRONE_FAILED_STAGES"')
    more = "depends_on: [ test ]\ntrigger: {status: [ failure ]}\n"
    delegate.write(pipeline(step("s", "exit 1"), name="test") + "---\n" + pipeline(tell, name="tell", more=more))
    assert "[tell/s] failure test\n" in delegate("exec").out


# ---------------------------------------------------------------------- output


def test_json_has_every_event_and_line(delegate: Command) -> None:
    delegate.write(pipeline(step("build", "printf 'a\\033[31mb\\n'; exit 3")))
    ended = delegate("exec", "--console", "json")
    assert ended.out.isascii()
    assert [one["text"] for one in events(ended.out, "line")][-1] == "a\x1b[31mb"
    (over,) = events(ended.out, "step_over")
    assert (over["status"], over["exit_code"]) == ("failure", 3)
    assert json.loads(ended.out.splitlines()[-1])["exit_code"] == ended.code == 1


def test_output_without_line_end_and_of_any_bytes_is_shown(delegate: Command) -> None:
    delegate.write(pipeline(step("build", "printf '\\377\\376 \\000 x\\nend'")))
    ended = delegate("exec")
    assert "[build] \ufffd\ufffd \\x00 x\n[build] end\n" in ended.out


def test_a_very_long_line_comes_in_pieces_and_loses_nothing(delegate: Command) -> None:
    delegate.write(pipeline(step("build", "head -c 1000000 /dev/zero | tr '\\0' x")))
    shown = [
        line.removeprefix("[build] ") for line in delegate("exec").out.splitlines() if line.startswith("[build] xx")
    ]
    assert sum(map(len, shown)) == 1_000_000


def test_output_of_50_megabytes_is_shown_whole_in_bounded_memory(delegate: Command) -> None:
    delegate.write(pipeline(step("build", "yes 012345678901234567890123456789 | head -c 50000000")))
    with delegate.started("exec") as running:
        running.keep_tail()
        code, peak = running.measured()
    assert code == 0
    assert running.size > 50_000_000
    assert 0 < peak < 110 << 20


def test_a_reader_that_leaves_ends_the_run(delegate: Command) -> None:
    delegate.write(pipeline(step("build", "yes"), step("more", "touch more")))
    with delegate.started("exec") as running:
        running.said("[build] y")
        running.close()
        assert running.ended() == 141
    assert not (delegate.folder / "more").exists()
    assert delegate.left_behind() == []


def test_parameters_reach_the_steps_and_the_substitution(delegate: Command) -> None:
    delegate.write(pipeline(step("s", "echo $LEVEL ${LEVEL} $URL")))
    ended = delegate("exec", "--param", "LEVEL=3", "--param", "URL=a=b")
    assert "[s] 3 3 a=b\n" in ended.out
    refused = delegate("exec", "--param", "LEVEL")
    assert refused.code == 2
    assert "--param LEVEL: write it as NAME=value" in refused.err


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-"])
def test_without_standard_output_the_steps_still_run_with_their_own_files(delegate: Command, closed: str) -> None:
    delegate.write(pipeline(step("s", "echo printed; echo 3 > result; exit 3")))
    assert delegate.in_shell(closed) == 1
    assert (delegate.folder / "result").read_text() == "3\n"


def test_a_full_disk_under_the_output_ends_the_run_and_is_told(delegate: Command) -> None:
    delegate.write(pipeline(step("s", "echo printed; sleep 60")))
    assert delegate.in_shell("> /dev/full 2> errors") == 141
    assert "standard output cannot be written: [Errno 28]" in (delegate.folder / "errors").read_text()


def test_a_pipeline_for_another_platform_is_run_only_where_it_is_asked_for(delegate: Command) -> None:
    elsewhere = pipeline(step("s", "echo elsewhere"), name="elsewhere", more="platform: { os: darwin }\n")
    here = pipeline(step("s", "echo here"), name="here", more="platform: { os: linux }\n")
    delegate.write(f"{elsewhere}---\n{here}")
    every, chosen = delegate("exec"), delegate("exec", "--pipeline", "elsewhere")
    assert every.code == 2
    assert "[s] here\n" in every.out
    assert "elsewhere: not run: it is for darwin/" in every.out
    assert chosen.code == 0
    assert "[s] elsewhere\n" in chosen.out
