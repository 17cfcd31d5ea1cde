"""Executables that tasks bring themselves: allowed by the operator only, verified, and never more than one program."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from delegate_core import request
from delegate_core.errors import PluginError
from delegate_core.model import JsonValue, Offer, Outcome, OwnExecutable, SecretTask, Task, TaskResult
from delegate_core.testing.bench import Bench
from tests.artifacts.git_server import Repository
from tests.core.scripted_backend import Scripted
from tests.other_user import NOBODY, needs_root, open_folder

PROGRAM = "#!/bin/sh\necho running >&2\nprintf 'Content-Type: text/plain\\n\\n%s' \"$(cat)\"\n"
RECIPE = "task:\n  run:\n    bash: {script: run.sh}\n"

Run = Callable[..., Any]


@pytest.fixture
def brought(backend: Scripted, bench: Bench, tmp_path: Path) -> Run:
    """Runs tasks that bring an executable, one after the other, on one runner."""
    state: list[Any] = []

    async def run(config: JsonValue, trust: str = "verified", data: JsonValue = None, **more: Any) -> TaskResult:
        if not state:
            state.append(await bench.start({}, cache_dir=tmp_path / "cache"))
        own = OwnExecutable.model_validate({"config": config, "trust": trust, "driver": more.pop("driver", "")})

        def claim(offer: Offer, again: bool) -> Task:  # noqa: FBT001 - the hook's
            return Task(id=offer.task_id, type=offer.type, data=data, executable=own, **more)

        backend.on_claim = claim
        name = f"t{len(state)}"
        state.append(name)
        await backend.offer("brought", name)
        result: TaskResult = await backend.result(name)
        return result

    return run


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A folder over HTTP."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def repository(tmp_path: Path, **files: str) -> tuple[str, str]:
    """A git repository with a program and its recipe: its address and its commit."""
    made = Repository.made(tmp_path / "tool")
    commit = made.commit({"run.sh": PROGRAM, "task.yml": RECIPE, **files})
    return f"file://{made.path}", commit


def body(result: TaskResult) -> str:
    assert result.outcome is Outcome.SUCCEEDED, result.error
    assert isinstance(result.data, dict)
    return base64.b64decode(str(result.data["body"])).decode()


async def test_a_repository_at_a_commit_answers_with_the_whole_response(brought: Run, tmp_path: Path) -> None:
    clone, sha = repository(tmp_path)
    result = await brought({"repository": {"clone": clone, "sha": sha}}, data={"id": 1})
    assert body(result) == '{"id": 1}'
    assert result.data["status_code"] == 200
    assert result.data["headers"] == {"Content-Type": ["text/plain"]}


async def test_a_branch_is_run_only_where_anything_is_allowed_and_each_time_as_it_is_then(
    brought: Run, tmp_path: Path
) -> None:
    made = Repository.made(tmp_path / "tool")
    made.commit({"run.sh": PROGRAM, "task.yml": RECIPE})
    config = {"repository": {"clone": f"file://{made.path}", "ref": "main"}, "answer": "body"}
    refused = await brought(config)
    assert refused.outcome is Outcome.REJECTED
    assert "config.repository needs sha, the full id of a commit; allowing others is --unverified" in refused.error
    assert (await brought(config, "any", data="one")).data == '"one"'
    made.commit({"run.sh": PROGRAM.replace("%s", "new")})
    assert (await brought(config, "any", data="one")).data == "new"
    gone = await brought({"repository": {"clone": f"file://{made.path}", "ref": "gone"}}, "any")
    assert gone.error == f"file://{made.path} has no branch or tag gone"


async def test_a_download_needs_its_sha256_and_is_tried_at_each_of_its_addresses(brought: Run, tmp_path: Path) -> None:
    (tmp_path / "tool").write_text(PROGRAM)
    digest = hashlib.sha256(PROGRAM.encode()).hexdigest()
    with served(tmp_path) as base:
        platform = {"os": "linux", "arch": os.uname().machine}
        files = [{**platform, "url": f"{base}/{name}", "sha256": digest} for name in ("moved", "tool")]
        other = {"os": "plan9", "arch": "amd64", "url": f"{base}/tool", "sha256": digest}
        config: dict[str, Any] = {"executable_config": {"name": "tool", "version": "1", "executables": [*files]}}
        assert body(await brought(config, data=5)) == "5"
        config["executable_config"]["executables"][0].pop("sha256")
        assert "executables.0 needs a sha256; allowing others is --unverified" in (await brought(config)).error
        wrong = [{**files[1], "sha256": "0" * 64}]
        config = {"executable_config": {"executables": wrong, "target": ""}}
        assert f"its sha256 is {digest}, not {'0' * 64}" in (await brought(config)).error
        unverified = [{"url": f"{base}/tool"}]
        assert body(await brought({"executable_config": {"executables": unverified}}, "any", data=6)) == "6"
        config = {"executable_config": {"executables": [other]}}
        assert "plan9" in (await brought(config)).error


async def test_the_request_is_what_the_config_says(brought: Run, tmp_path: Path) -> None:
    clone, sha = repository(
        tmp_path, **{"run.sh": "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'; env | sort; cat\n"}
    )
    config = {
        "repository": {"clone": clone, "sha": sha},
        "method": "PUT",
        "endpoint": "https://api.example/users?all=1",
        "headers": {"X-Mode": "fast", "Content-Type": "text/x", "Host": "other.example", "Proxy": "http://evil"},
        "envs": ["REGION=north=1", "EMPTY="],
        "answer": "body",
    }
    lines = str((await brought(config, data="in")).data).splitlines()
    for line in (
        "REQUEST_METHOD=PUT",
        "PATH_INFO=/users",
        "QUERY_STRING=all=1",
        "SERVER_NAME=api.example",
        "SERVER_PORT=443",
        "HTTP_HOST=other.example",
        "HTTP_X_MODE=fast",
        "CONTENT_TYPE=text/x",
        "REGION=north=1",
        "EMPTY=",
        "RUN_AS_CGI=true",
        '"in"',
    ):
        assert line in lines
    assert not [line for line in lines if "evil" in line]


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        (None, "config names neither executable_config nor repository"),
        ("e30=", "config must be an object, or the base64 of one"),
        ({"executable_config": {"target": "/etc/cron.d/x", "executables": [{}]}}, "target: a task does not choose"),
        ({"executable_config": {"executables": []}}, "executables is empty"),
        ({"executable_config": {"executables": [{"url": "file:///etc/passwd", "sha256": "0" * 64}]}}, "begins with"),
        ({"repository": {"clone": "--upload-pack=touch /x", "sha": "0" * 40}}, "git: give an https://"),
        ({"repository": {"clone": "https://u:p@x/y", "sha": "0" * 40}}, "no password in an address"),
        ({"repository": {"clone": "/x", "sha": "abc"}}, "a full commit id is needed"),
        ({"repository": {"clone": "/x", "sha": "0" * 40, "run": "../../bin/sh"}}, "must be a relative path"),
        ({"repository": {"clone": "/x", "sha": "0" * 40, "password": {"file": "/etc/shadow"}}}, "password."),
        ({"repository": {"clone": "/x", "sha": "0" * 40, "password": {"environment": "HOME"}}}, "password."),
        ({"repository": {"clone": "/x", "sha": "0" * 40}, "envs": ["A"]}, "config.envs.0 must be NAME=VALUE"),
        ({"repository": {"clone": "/x", "sha": "0" * 40}, "endpoint": "users"}, "a path begins with /"),
        ({"repository": {"clone": "/x", "sha": "0" * 40}, "endpoint": "ftp://x/y"}, "config.endpoint: a path such as"),
        ({"repository": {"clone": "/x", "sha": "0" * 40}, "method": "TRACE"}, "method: Input should be"),
        ({"repository": {"clone": "/x", "sha": "0" * 40}, "headers": {"A": "${{secrets.a}}"}}, 'as {"secret": "NAME"}'),
        ({"repository": {"download": "https://x/y.zip"}}, "download needs a sha256 beside it"),
        ({"repositories": {}}, "config.repositories: Extra inputs"),
    ],
)  # fmt: skip
async def test_what_cannot_be_used_is_named_and_nothing_is_fetched(
    brought: Run, config: JsonValue, complaint: str, tmp_path: Path
) -> None:
    result = await brought(config)
    assert (result.outcome, complaint in result.error) == (Outcome.REJECTED, True), result.error
    assert not (tmp_path / "cache").exists()


async def test_another_driver_is_refused_and_so_is_a_ref_that_is_an_option(brought: Run) -> None:
    assert "driver 'http' is not known here; an executable speaks cgi" in (await brought({}, driver="http")).error
    config = {"repository": {"clone": "/x", "ref": "--upload-pack=x"}}
    assert "a ref is the name of a branch or a tag" in (await brought(config, "any")).error


@pytest.mark.parametrize(
    ("recipe", "complaint"),
    [
        ("task: {run: {bash: {script: ../../evil}}}", "task.run.bash.script: '../../evil' must be a relative path"),
        ("task: {run: {bash: {script: gone.sh}}}", "there is no file 'gone.sh' in it"),
        ("task: {run: {go: {module: --x}}}", "task.run.go.module: '--x' is no module of this repository"),
        ("task: {run: {}}", "task.run must say what to run"),
        ("task: [", "task.yml cannot be read"),
        ("task: !!python/object/apply:os.getpid []", "task.yml cannot be read"),
        ("x" * 70_000, "task.yml has more than 64 KiB"),
    ],
)
async def test_a_recipe_that_cannot_be_used_is_named_and_its_checkout_not_kept(
    brought: Run, recipe: str, complaint: str, tmp_path: Path
) -> None:
    clone, sha = repository(tmp_path, **{"task.yml": recipe})
    result = await brought({"repository": {"clone": clone, "sha": sha}})
    assert (result.outcome, complaint in result.error) == (Outcome.FAILED, True), result.error
    assert not list((tmp_path / "cache" / "entries").iterdir())


async def test_a_repository_without_a_recipe_says_what_there_is(brought: Run, tmp_path: Path) -> None:
    clone, sha = repository(tmp_path, other="x")
    config = {"repository": {"clone": clone, "sha": sha, "run": "sub/task.yml"}}
    assert "there is no task.yml in it that says what to run" in (await brought(config)).error


async def test_a_go_module_is_built_once_by_the_go_of_this_machine(
    brought: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "go").write_text('#!/bin/sh\necho "go $*" >&2\ncp run.sh "$3"\n')
    (bin_folder / "go").chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_folder}:{os.environ['PATH']}")
    clone, sha = repository(
        tmp_path, **{"task.yml": "task:\n  deps: {apt: [{name: jq}]}\n  run: {go: {module: ./cmd/tool}}\n"}
    )
    for _ in range(2):
        assert body(await brought({"repository": {"clone": clone, "sha": sha}}, data=1)) == "1"


async def test_a_password_is_one_that_the_settings_declare(
    backend: Scripted, bench: Bench, brought: Run, tmp_path: Path
) -> None:
    clone, sha = repository(tmp_path)
    config = {"repository": {"clone": clone, "sha": sha, "password": {"secret": "git"}}}
    assert "no secret 'git' is declared; give it with --secret git=env:VARIABLE" in (await brought(config)).error


async def test_a_secret_task_may_bring_the_program_that_answers_it(
    brought: Run, tmp_path: Path, backend: Scripted
) -> None:
    answer = '#!/bin/sh\nprintf \'Content-Type: text/plain; charset=utf-8\\n\\n{"value": "hush-hush-1234"}\'\n'
    made = Repository.made(tmp_path / "keys")
    commit = made.commit({"run.sh": answer, "task.yml": RECIPE})
    own = OwnExecutable(config={"repository": {"clone": f"file://{made.path}", "sha": commit}}, trust="verified")
    clone, sha = repository(tmp_path)
    result = await brought(
        {"repository": {"clone": clone, "sha": sha}, "answer": "body"},
        data={"key": "<{ ${{secrets.k}} | getAsBase64 }>", "own": "${{secrets.k}}"},
        secrets=(SecretTask(id="k", type="read-key", executable=own),),
    )
    assert json.loads(str(result.data)) == {"key": "******", "own": "******"}


async def test_without_the_operators_permission_nothing_is_fetched(brought: Run, tmp_path: Path) -> None:
    clone, sha = repository(tmp_path)
    result = await brought({"repository": {"clone": clone, "sha": sha}}, "none")
    assert result.outcome is Outcome.REJECTED
    assert result.error.endswith('is not run: executables = "verified" of [handler.TYPE] allows it')


async def test_a_handler_of_that_type_goes_before_what_the_task_brings(backend: Scripted, bench: Bench) -> None:
    await bench.start({"brought": lambda data: "the handler's"})
    own = OwnExecutable(config={"repository": {"clone": "/x"}}, trust="any")
    backend.on_claim = lambda offer, again: Task(id=offer.task_id, type=offer.type, executable=own)
    await backend.offer("brought")
    assert (await backend.result()).data == "the handler's"


# ---------------------------------------------------------------------- requests of a server


@pytest.mark.parametrize("allowed", ["none", "verified"])
def test_a_servers_task_brings_secret_tasks_and_with_permission_executables(
    any_backend: str, embedded_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    clone, sha = repository(tmp_path)

    def read_key(data: str) -> dict[str, str]:
        return {"value": data * 2}

    server = embedded_server(any_backend, request("wrapped", executables=allowed), read_key)
    task = {"type": "own", "data": "<{ ${{secrets.k}} | getAsBase64 }>"}
    config = {"repository": {"clone": clone, "sha": sha}, "answer": "body"}
    secrets = [{"id": "k", "type": "read_key", "data": "hush-"}]
    ended = server.run("wrapped", {"task": {**task, "config": config}, "secrets": secrets})
    if allowed == "none":
        assert "is not run: executables" in ended.error
    else:
        assert ended.outcome in {"succeeded", "success"}, ended
        assert "running" in ended.log
        assert "hush" not in str(ended)
    script = {"type": "script", "data": {"commands": "echo $K | rev", "environment": {"K": "${{secrets.k}}"}}}
    ended = server.run("wrapped", {"task": script, "secrets": secrets})
    assert "-hsuh-hsuh" in ended.log


async def test_data_that_is_no_request_and_a_request_within_a_request_are_rejected(
    backend: Scripted, bench: Bench
) -> None:
    await bench.start({"wrapped": request("wrapped")})
    asked: list[JsonValue] = [5, {"task": {"data": 1}}, {"task": {"type": "wrapped", "data": {"type": "x"}}}]
    backend.on_claim = lambda offer, again: Task(id=offer.task_id, type=offer.type, data=asked[int(offer.task_id[1:])])
    errors = []
    for number in range(len(asked)):
        await backend.offer("wrapped", f"t{number}")
        errors.append((await backend.result(f"t{number}")).error)
    assert errors == [
        'rejected: data of wrapped: it must hold an object: {"type": "TYPE", "data": ...}',
        "rejected: data of wrapped: task.type: Field required",
        "rejected: a request of type 'wrapped' within a request: give the task itself",
    ]


def test_an_option_of_requests_that_cannot_be_used_is_named() -> None:
    with pytest.raises(PluginError, match=r"handler 'x': executables: Input should be"):
        request("x", executables="some")


@needs_root
async def test_where_tasks_run_as_another_user_they_may_bring_programs_and_have_nothing_built_by_the_runner(
    backend: Scripted,
) -> None:
    with open_folder() as folder:
        async with Bench.opened(folder, lambda: backend) as bench:
            started = await bench.start({}, cache_dir=folder / "cache", work_dir=folder / "work", run_as=NOBODY)
            offered: list[str] = []

            async def brought(config: JsonValue) -> TaskResult:
                own = OwnExecutable.model_validate({"config": config, "trust": "any", "answer": "body"})
                backend.on_claim = lambda offer, _again: Task(id=offer.task_id, type=offer.type, executable=own)
                offered.append(f"t{len(offered)}")
                await backend.offer("brought", offered[-1])
                result: TaskResult = await backend.result(offered[-1])
                return result

            address, commit = repository(folder)
            program = folder / "program"
            program.write_text("#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n%s' $(id -un)")
            with served(folder) as url:
                file: JsonValue = {"url": f"{url}/program", "sha256": hashlib.sha256(program.read_bytes()).hexdigest()}
                run = await brought({"executable_config": {"executables": [file]}})
                built = await brought({"executable_config": {"executables": [file], "run": "a/task.yml"}})
            cloned = await brought({"repository": {"clone": address, "sha": commit, "run": "run.sh"}})
            assert started.error is None
    assert run.data == NOBODY, run.error
    assert built.outcome is cloned.outcome is Outcome.REJECTED
    for refused in (built, cloned):
        assert "the runner fetches no repository and builds nothing for them" in refused.error
