"""``delegate tasks``."""

from __future__ import annotations

from typing import Annotated

import typer

from delegate_core.cli.commands.arguments import BackendName, RunnerName, StateDir, TaskId

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add ``delegate tasks`` and its commands."""
    group = typer.Typer(help="Look at the tasks in a runner's journal.", no_args_is_help=True, rich_markup_mode=None)
    group.command("list")(tasks_list)
    group.command("show")(tasks_show)
    group.command("logs")(tasks_logs)
    app.add_typer(group, name="tasks")


def tasks_list(
    state_dir: StateDir = None,
    backend: BackendName = None,
    name: RunnerName = None,
    limit: Annotated[int, typer.Option("--limit", help="How many, the newest first.")] = 20,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """List what a runner has claimed lately, beside the running runner or after its end.

    \b
        delegate tasks list --backend harness
    """
    from delegate_core.cli import tasks  # noqa: PLC0415

    raise typer.Exit(tasks.list_tasks(tasks.open_history(state_dir, backend, name), limit, as_json=json_))


def tasks_show(
    task_id: TaskId,
    state_dir: StateDir = None,
    backend: BackendName = None,
    name: RunnerName = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Show one task: its times, its result, whether the server has it, and its log.

    \b
        delegate tasks show 3f2a --backend harness
    """
    from delegate_core.cli import tasks  # noqa: PLC0415

    raise typer.Exit(tasks.show_task(tasks.open_history(state_dir, backend, name), task_id, as_json=json_))


def tasks_logs(
    task_id: TaskId, state_dir: StateDir = None, backend: BackendName = None, name: RunnerName = None
) -> None:
    """Print a task's log as it is on this machine, also where the server did not take it.

    \b
        delegate tasks logs 3f2a --backend harness
    """
    from delegate_core.cli import tasks  # noqa: PLC0415

    raise typer.Exit(tasks.show_log(tasks.open_history(state_dir, backend, name), task_id))
