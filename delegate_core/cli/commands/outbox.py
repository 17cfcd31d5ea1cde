"""``delegate outbox``."""

from __future__ import annotations

from typing import Annotated

import typer

from delegate_core.cli.commands.arguments import All, AsJson, BackendName, RunnerName, StateDir, TaskId, TaskIds

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add ``delegate outbox`` and its commands."""
    group = typer.Typer(
        help="Look at results that the server has not got.", no_args_is_help=True, rich_markup_mode=None
    )
    group.command("list")(outbox_list)
    group.command("show")(outbox_show)
    group.command("retry")(outbox_retry)
    group.command("drop")(outbox_drop)
    group.command("mend")(outbox_mend)
    app.add_typer(group, name="outbox")


def outbox_list(
    state_dir: StateDir = None,
    backend: BackendName = None,
    name: RunnerName = None,
    json_: AsJson = False,  # noqa: FBT002 - a flag
) -> None:
    """List results that the server has not got: those that are tried again, and those that were kept aside.

    \b
        delegate outbox list --backend harness
    """
    from delegate_core.cli import folders, outbox  # noqa: PLC0415

    raise typer.Exit(outbox.list_outbox(folders.folder_of(state_dir, backend, name), as_json=json_))


def outbox_show(
    task_id: TaskId,
    state_dir: StateDir = None,
    backend: BackendName = None,
    name: RunnerName = None,
    json_: AsJson = False,  # noqa: FBT002 - a flag
) -> None:
    """Show one result as it would be sent, how often that was tried, and what went wrong.

    \b
        delegate outbox show 3f2a --backend harness
    """
    from delegate_core.cli import folders, outbox  # noqa: PLC0415

    raise typer.Exit(outbox.show(folders.folder_of(state_dir, backend, name), task_id, as_json=json_))


def outbox_retry(
    task_ids: TaskIds = None,
    everything: All = False,  # noqa: FBT002 - a flag
    state_dir: StateDir = None,
    backend: BackendName = None,
    name: RunnerName = None,
    json_: AsJson = False,  # noqa: FBT002 - a flag
) -> None:
    """Have results delivered now; where no runner runs, at its next start.

    \b
        delegate outbox retry --all --backend harness
    """
    from delegate_core.cli import folders, outbox  # noqa: PLC0415

    folder = folders.folder_of(state_dir, backend, name)
    raise typer.Exit(outbox.retry(folder, task_ids or [], everything=everything, as_json=json_))


def outbox_drop(
    task_ids: TaskIds = None,
    everything: All = False,  # noqa: FBT002 - a flag
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,  # noqa: FBT002 - a flag
    state_dir: StateDir = None,
    backend: BackendName = None,
    name: RunnerName = None,
    json_: AsJson = False,  # noqa: FBT002 - a flag
) -> None:
    """Give results up for good, once that is confirmed: the server never gets them.

    \b
        delegate outbox drop 3f2a --backend harness
    """
    from delegate_core.cli import folders, outbox  # noqa: PLC0415

    folder = folders.folder_of(state_dir, backend, name)
    raise typer.Exit(outbox.drop(folder, task_ids or [], everything=everything, yes=yes, as_json=json_))


def outbox_mend(state_dir: StateDir = None, backend: BackendName = None, name: RunnerName = None) -> None:
    """Save what can be read of a damaged journal into a new one, once its runner has ended.

    The damaged one is kept beside it. What cannot be read, the server ends by its own rules.

    \b
        delegate outbox mend --backend harness
    """
    from delegate_core.cli import folders, mending  # noqa: PLC0415

    raise typer.Exit(mending.mend_journal(folders.folder_of(state_dir, backend, name)))
