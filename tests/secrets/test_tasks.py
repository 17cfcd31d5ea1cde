"""Secrets in a runner's tasks: declared, from secret tasks, put into data, masked, and refused."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import anyio
import pytest

from delegate_core.errors import SettingsError
from delegate_core.handlers import Handler, TaskContext
from delegate_core.markers import hookimpl
from delegate_core.model import JsonValue, Offer, Outcome, SecretTask, Task, TaskResult
from delegate_core.secrets import SecretError
from delegate_core.settings import RunnerSettings, load
from delegate_core.testing.bench import Bench, Started
from tests.core.scripted_backend import Scripted, echo

SECRET = "s3cr3t-v@lue"


class Work:
    """One runner, and its tasks' data as handlers saw it."""

    def __init__(self, backend: Scripted, started: Started, seen: list[Any], printed: list[str]) -> None:
        self._backend = backend
        self.started = started
        self.seen = seen
        self.printed = printed

    async def run(self, task_id: str, data: JsonValue, *secrets: SecretTask, kind: str = "show") -> TaskResult:
        def claim(offer: Offer, again: bool) -> Task:  # noqa: FBT001 - the hook's
            return Task(id=offer.task_id, type=offer.type, data=data, secrets=secrets)

        self._backend.on_claim = claim
        await self._backend.offer(kind, task_id)
        return await self._backend.result(task_id)


class Keys:
    """A provider plugin, and an observer of the log."""

    def __init__(self) -> None:
        self.printed: list[str] = []

    @hookimpl
    async def resolve_secret(self, provider: str, reference: str) -> str | None:
        if provider != "keys":
            return None
        if reference == "broken":
            raise RuntimeError("out of order")
        if reference == "none":
            raise SecretError("there is no such key; add it")
        if reference == "huge":
            return "x" * 300 * 1024
        return reference.upper() if reference != "number" else 5  # type: ignore[return-value]  # breaks the contract

    @hookimpl
    def task_logged(self, line: Any) -> None:
        self.printed.append(line.text)


async def work(backend: Scripted, bench: Bench, **declared: str) -> Work:
    seen: list[Any] = []

    async def show(data: Any, context: TaskContext) -> Any:
        seen.append(data)
        context.log(f"it is {data}")
        return {"got": data}

    async def give(data: dict[str, Any], context: TaskContext) -> Any:
        (context.folder / "used").touch(exist_ok=False)
        return data

    async def fail(data: str) -> None:
        raise ValueError("not today")

    keys = Keys()
    handlers: dict[str, Any] = {
        "show": show,
        "give": give,
        "fail": fail,
        "echo": echo,
        "raw": Handler("raw", echo, expressions=False),
    }
    started = await bench.start(handlers, plugins=(keys,), secrets=declared)
    return Work(backend, started, seen, keys.printed)


async def test_a_declared_secret_reaches_the_handler_and_nobody_else(
    backend: Scripted,
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SECRET_OF_TEST", SECRET)
    runner = await work(backend, bench, npm="env:SECRET_OF_TEST", key="keys:abc-def")
    result = await runner.run("t", {"a": "x ${{secrets.npm}} <{ u:${{secrets.key}} | getAsBase64 }>", "n": 1})
    assert runner.seen == [{"a": f"x {SECRET} dTpBQkMtREVG", "n": 1}]
    assert result.data == {"got": {"a": "x ****** ******", "n": 1}}
    assert runner.printed == ["it is {'a': 'x ****** ******', 'n': 1}"]


async def test_only_what_the_data_names_is_asked_for_and_each_time_anew(
    backend: Scripted,
    bench: Bench,
    tmp_path: Path,
) -> None:
    file = tmp_path / "key"
    runner = await work(backend, bench, file=f"file:{file}", broken="keys:broken")
    for value in ("first-value", "second-value"):
        file.write_text(value)
        await runner.run(value, "${{secrets.file}}")
    assert runner.seen == ["first-value", "second-value"]


async def test_secret_tasks_run_in_their_order_and_see_what_came_before(backend: Scripted, bench: Bench) -> None:
    runner = await work(backend, bench, outer="keys:outer-value")
    first = SecretTask(id="user", type="give", data={"value": "admin-${{secrets.outer}}"})
    second = SecretTask(id="both", type="give", data={"value": "<{ ${{secrets.user}}:pw | getAsBase64 }>", "more": 1})
    result = await runner.run("t", ["${{secrets.both}}"], first, second)
    assert runner.seen == [["YWRtaW4tT1VURVItVkFMVUU6cHc="]]
    assert result.data == {"got": ["******"]}


@pytest.mark.parametrize(
    ("data", "secrets", "outcome", "error"),
    [
        ("${{secrets.zz}}", [], "rejected", "rejected: data, column 1: no secret 'zz'; known: broken, huge, "),
        ("<{ a | rot13 }>", [], "rejected", "rejected: data, column 8: no function 'rot13'; known: getAsBase64, "),
        ("${{secrets.none}}", [], "failed", "secret 'none' (keys:none): there is no such key; add it"),
        ("${{secrets.broken}}", [], "failed", "secret 'broken' (keys:broken): RuntimeError: out of order"),
        ("${{secrets.number}}", [], "failed", "secret 'number' (keys:number): its provider answered int"),
        ("${{secrets.huge}}", [], "failed", "secret 'huge' (keys:huge): it has 300 KiB, and a secret has 256 at most"),
        ("x", [("a", "give", {"value": "é" * 150 * 1024})], "failed", "secret 'a': it has 300 KiB, and a secret has "),
        ("${{secrets.odd}}", [], "failed", "secret 'odd' (odd:x): no plugin of this runner is such a provider; "),
        ("x", [("a", "give", {"other": SECRET})], "failed", "secret 'a': the handler of 'give' must answer an object"),
        ("x", [("a", "give", {"value": 5})], "failed", "secret 'a': the handler of 'give' must answer an object"),
        ("x", [("a", "give", {"value": ""})], "failed", "secret 'a': the handler of 'give' must answer an object"),
        ("x", [("a", "echo", [SECRET])], "failed", "secret 'a': the handler of 'echo' must answer an object"),
        ("x", [("a", "give", "text")], "rejected", "rejected: secret 'a': data of give"),
        ("x", [("a", "nope", None)], "rejected", "rejected: secret 'a': no handler for task type 'nope'"),
        ("x", [("a", "fail", SECRET)], "failed", "secret 'a': ValueError: not today"),
        ("x", [("a", "give", "${{secrets.b}}"), ("b", "give", {})], "rejected",
         "rejected: secret 'a': data, column 1: no secret 'b'"),
        ("x", [("a", "give", {"value": "v1"}), ("a", "give", {"value": "v2"})], "rejected",
         "rejected: two secrets have the id 'a'"),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_a_secret_ends_its_task_and_tells_no_value(
    backend: Scripted,
    bench: Bench,
    data: str,
    secrets: list[tuple[str, str, Any]],
    outcome: str,
    error: str,
) -> None:
    declared = {"none": "keys:none", "broken": "keys:broken", "number": "keys:number", "huge": "keys:huge"}
    runner = await work(backend, bench, odd="odd:x", **declared)
    subs = [SecretTask(id=name, type=kind, data=given) for name, kind, given in secrets]
    result = await runner.run("t", data, *subs)
    assert (result.outcome, result.data) == (Outcome(outcome), None)
    assert result.error.startswith(error)
    assert SECRET not in result.error
    assert runner.seen == []


async def test_of_a_task_that_has_ended_nothing_is_kept_but_what_hides_its_secrets(
    backend: Scripted, bench: Bench
) -> None:
    contexts: list[weakref.ref[TaskContext]] = []

    async def obtain(_data: JsonValue, context: TaskContext) -> None:
        context.mask(SECRET)
        contexts.append(weakref.ref(context))

    started = await bench.start({"obtain": obtain})
    await backend.offer("obtain", "t")
    await backend.result("t")
    with anyio.fail_after(40):
        while contexts[0]() is not None:
            gc.collect()
            await anyio.sleep(0.01)
    assert started.runner.secrecy.text(SECRET) == "******"


async def test_a_retrying_middleware_gets_the_data_as_it_came_each_time(backend: Scripted, bench: Bench) -> None:
    seen: list[Any] = []
    tries: list[Any] = []

    async def flaky(data: str) -> str:
        tries.append(data)
        if len(tries) == 1:
            raise ValueError("once more")
        return "done"

    async def retried(task: Task, context: TaskContext, proceed: Any) -> TaskResult:
        seen.append((task.type, task.data))
        result = await proceed(task)
        return await proceed(task) if result.outcome is Outcome.FAILED else result  # type: ignore[no-any-return]

    await bench.start({"flaky": flaky, "echo": echo}, middleware=[retried])
    secret = SecretTask(id="a", type="echo", data={"value": "some-value"})
    backend.on_claim = lambda offer, again: Task(
        id=offer.task_id, type="flaky", data="${{secrets.a}}", secrets=(secret,)
    )
    await backend.offer("flaky")
    assert (await backend.result()).data == "done"
    assert tries == ["some-value", "some-value"]
    assert seen[0] == ("flaky", "${{secrets.a}}")
    assert seen[1:] == [("echo", {"value": "some-value"})] * 2


async def test_a_handler_of_other_systems_texts_gets_them_as_they_are(backend: Scripted, bench: Bench) -> None:
    runner = await work(backend, bench)
    text = "${{secrets.x}} <{ a | nope }>"
    assert (await runner.run("t", text, kind="raw")).data == text


def test_a_secret_itself_where_its_place_belongs_is_refused_unseen(tmp_path: Path) -> None:
    file = tmp_path / "delegate.toml"
    file.write_text(f'[secrets]\nnpm = "{SECRET}"\n')
    with pytest.raises(SettingsError) as caught:
        load(RunnerSettings, flags={}, environ={}, file=file)
    assert str(caught.value) == (
        "secrets.npm (delegate.toml line 1): say where the secret is, not what it is: env:NAME, file:PATH or "
        "vault:PATH#FIELD"
    )
