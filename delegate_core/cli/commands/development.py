"""``delegate demo``, ``task``, and what talks to the running development server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from delegate_core.cli.commands.arguments import BackendName, Config, Options, RunnerName, StateDir

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add them."""
    for function in (
        demo,
        task,
        cancel,
        logs,
        status,
    ):
        app.command(function.__name__)(function)
    app.command("submit", context_settings={"ignore_unknown_options": True})(submit)


def demo(
    backend: Annotated[
        list[str] | None, typer.Option("--backend", help="Show only this backend; default: all that are installed.")
    ] = None,
) -> None:
    """Run a demonstration: a server, a runner, all kinds of tasks.

    The server is an embedded one, nothing needs an account, and it ends by itself.

    \b
        delegate demo
        delegate demo --backend drone
    """
    from delegate_core.cli.demo import run_demo  # noqa: PLC0415

    raise typer.Exit(run_demo(backend or []))


def task(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The task's file; - for standard input.")],
    handlers: Annotated[
        list[str] | None, typer.Option("--handlers", help="A module or file with task handlers. Repeatable.")
    ] = None,
    secret: Annotated[
        list[str] | None,
        typer.Option(
            "--secret", metavar="NAME=WHERE", help="Where a secret is: npm=env:TOKEN, npm=file:PATH. Repeatable."
        ),
    ] = None,
    timeout: Annotated[str | None, typer.Option("--timeout", help="How long the task may take: 30s, 5m.")] = None,
    pretty: Annotated[bool, typer.Option("--pretty", help="Print the result over several lines.")] = False,  # noqa: FBT002 - a flag
    unverified: Annotated[  # noqa: FBT002 - a flag
        bool,
        typer.Option("--unverified", help="Also run what the task brings without a sha256 or a commit."),
    ] = False,
    config: Config = None,
) -> None:
    """Run one task here, without a server.

    Its log goes to standard error, its result to standard output.

    \b
        echo '{"type": "fib", "data": {"n": 10}}' | delegate task - --handlers my_handlers.py

    The exit status: 0 succeeded, 1 failed, 10 rejected, 124 timed out, 130 cancelled, 2 to 8 it could not be run.
    """
    from delegate_core.cli.task import run_task  # noqa: PLC0415
    from delegate_core.settings.durations import parse_duration  # noqa: PLC0415

    try:
        seconds = None if timeout is None else parse_duration(timeout)
    except ValueError as error:
        raise typer.BadParameter(f"--timeout: {error}") from None
    if seconds == 0:
        raise typer.BadParameter("--timeout: give more than 0")
    raise typer.Exit(
        run_task(
            file,
            handlers=handlers or [],
            secrets=secret or [],
            timeout=seconds,
            pretty=pretty,
            unverified=unverified,
            config=config,
        )
    )


def submit(
    arguments: Annotated[
        list[str],
        typer.Argument(metavar="FILE", help="The task's file; - for standard input."),
    ],
    wait: Annotated[bool, typer.Option("--wait", help="Show log and result; exit 0 only if it succeeded.")] = False,  # noqa: FBT002 - a flag
    json_: Annotated[bool, typer.Option("--json", help="Print results as JSON lines.")] = False,  # noqa: FBT002 - a flag
    timeout: Annotated[str | None, typer.Option("--timeout", help="Wait no longer: 30s, 5m.")] = None,
    repo: Annotated[Path | None, typer.Option("--repo", help="A local git repository, where tasks need one.")] = None,
    option: Options = None,
) -> None:
    """Queue a task on the running development server.

    Every other option, as in --branch main, goes to the server as it is: what it knows depends on the backend.

    \b
        echo '{"type": "script", "data": {"commands": ["echo hello"]}}' | delegate submit - --wait
        delegate submit .drone.yml --repo . --branch main --event push --wait
    """
    from delegate_core.cli import client, submitting  # noqa: PLC0415
    from delegate_core.settings.durations import parse_duration  # noqa: PLC0415

    try:
        seconds = None if timeout is None else parse_duration(timeout)
    except ValueError as error:
        raise typer.BadParameter(f"--timeout: {error}") from None
    file, options = submitting.read_arguments(arguments, option or [], repo)
    raise typer.Exit(client.submit(file, options, wait=wait, timeout=seconds, as_json=json_))


def cancel(task_id: Annotated[str, typer.Argument(help="The task's id, or how it begins.")]) -> None:
    """Cancel a task on the running development server.

    \b
        delegate cancel 3f2a
    """
    from delegate_core.cli import client  # noqa: PLC0415

    raise typer.Exit(client.cancel(task_id))


def logs(
    task_id: Annotated[str, typer.Argument(help="The task's id, or how it begins.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for the lines to come.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Show a task's log from the running development server.

    \b
        delegate logs 3f2a --follow
    """
    from delegate_core.cli import client  # noqa: PLC0415

    raise typer.Exit(client.logs(task_id, follow=follow))


def status(
    state_dir: StateDir = None,
    backend: BackendName = None,
    name: RunnerName = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Say how a running runner is, and what keeps it from work.

    \b
        delegate status --backend drone
        delegate status                     # the tasks of the development server, else the only runner here

    The exit status: 0 it is ready, 1 it is not, 6 none runs there.
    """
    from delegate_core.cli import client  # noqa: PLC0415

    if state_dir is None and backend is None and name is None and client.is_there():
        raise typer.Exit(client.status(as_json=json_))
    from delegate_core.cli.folders import folder_of  # noqa: PLC0415
    from delegate_core.cli.steering import tell_status  # noqa: PLC0415

    raise typer.Exit(tell_status(folder_of(state_dir, backend, name), as_json=json_))
