"""The commands and their help. What they do is imported when they run, so that ``--help`` stays quick."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from delegate_core.cli.contributed import add_commands

__all__ = ["build"]

Backend = Annotated[str, typer.Option("--backend", help="The control plane: harness, or another installed backend.")]
Options = Annotated[
    list[str] | None, typer.Option("--option", help="An option of the embedded server, name=value. Repeatable.")
]

StateDir = Annotated[Path | None, typer.Option("--state-dir", help="The runner's state folder.")]
BackendName = Annotated[str | None, typer.Option("--backend", help="The runner's backend, for its default folder.")]
RunnerName = Annotated[str | None, typer.Option("--name", help="The runner's name, for its default folder.")]
Config = Annotated[
    Path | None, typer.Option("--config", help="The settings file; default: ./delegate.toml, or the user's.")
]
Wanted = Annotated[str | None, typer.Option("--backend", help="The backend, where the settings do not name it.")]
CacheDir = Annotated[Path | None, typer.Option("--cache-dir", help="The cache's folder; default: the settings'.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
All = Annotated[bool, typer.Option("--all", help="All of them.")]
TaskIds = Annotated[list[str] | None, typer.Argument(help="Ids of tasks, or how they begin.")]
ServiceUser = Annotated[str | None, typer.Option("--user", help="Who runs it; default: root, or the unit's owner.")]
UserService = Annotated[bool, typer.Option("--user-service", help="A unit of this user's own manager.")]
TaskId = Annotated[str, typer.Argument(help="The task's id, or how it begins.")]

_RUN = """Run a runner against a control plane.

\b
    delegate run --backend harness --endpoint https://manager.example --account-id ACCOUNT \\
        --account-secret-file secret.txt --handlers my_handlers.py

Every setting may also come from the environment (DELEGATE_ENDPOINT) or from delegate.toml. Ctrl-C or SIGTERM drains,
a second one cancels the running tasks, a third leaves at once. `delegate run --backend NAME --help` shows the
backend's own settings too.
"""

_DEV = """Serve an embedded control plane on loopback, with a runner beside it.

\b
    delegate dev --backend harness --handlers my_handlers.py
    delegate submit task.json --wait

The server's state is gone when it ends.
"""


def build(arguments: Sequence[str]) -> Callable[..., Any]:
    """The command line for these arguments: the settings of ``run`` and ``dev`` depend on the backend they name."""
    app = typer.Typer(
        name="delegate",
        help="An extensible runner for CI control planes.",
        no_args_is_help=True,
        add_completion=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    command = next((each for each in arguments if not each.startswith("-")), "")
    app.command("run", help=_RUN)(_with_settings(command == "run", arguments, "run"))
    app.command("dev", help=_DEV)(_with_settings(command == "dev", arguments, "dev"))
    for function in (demo, task, cancel, logs, status, top, dashboard, pause, resume, drain, stop, reload, version):
        app.command(function.__name__)(function)
    app.command("submit", context_settings={"ignore_unknown_options": True})(submit)
    plugins = typer.Typer(help="Look at the installed plugins.", no_args_is_help=True, rich_markup_mode=None)
    plugins.command("list")(plugins_list)
    plugins.command("show")(plugins_show)
    plugins.command("check")(plugins_check)
    plugins.command("new")(plugins_new)
    app.add_typer(plugins, name="plugins")
    tasks = typer.Typer(help="Look at the tasks in a runner's journal.", no_args_is_help=True, rich_markup_mode=None)
    for name, function in (("list", tasks_list), ("show", tasks_show), ("logs", tasks_logs)):
        tasks.command(name)(function)
    app.add_typer(tasks, name="tasks")
    outbox = typer.Typer(
        help="Look at results that the server has not got.", no_args_is_help=True, rich_markup_mode=None
    )
    for name, function in (
        ("list", outbox_list),
        ("show", outbox_show),
        ("retry", outbox_retry),
        ("drop", outbox_drop),
    ):
        outbox.command(name)(function)
    app.add_typer(outbox, name="outbox")
    cache = typer.Typer(help="Look at downloaded executables.", no_args_is_help=True, rich_markup_mode=None)
    for name, function in (("list", cache_list), ("prune", cache_prune)):
        cache.command(name)(function)
    app.add_typer(cache, name="cache")
    config = typer.Typer(help="Look at a runner's settings.", no_args_is_help=True, rich_markup_mode=None)
    for name, function in (("show", config_show), ("check", config_check), ("init", config_init)):
        config.command(name)(function)
    config.command("schema")(config_schema)
    app.add_typer(config, name="config")
    service = typer.Typer(help="Make a runner a service of systemd.", no_args_is_help=True, rich_markup_mode=None)
    service.command("show")(service_show)
    service.command("install")(service_install)
    app.add_typer(service, name="service")
    own = {*(each.name or "" for each in app.registered_commands), *(each.name or "" for each in app.registered_groups)}
    add_commands(app, command, frozenset(own))
    return typer.main.get_command(app)


def _with_settings(chosen: bool, arguments: Sequence[str], name: str) -> Callable[..., None]:  # noqa: FBT001 - private
    if not chosen:
        return lambda: None  # listed by name only
    from delegate_core.cli import signature  # noqa: PLC0415 - imports the settings

    return signature.command(name, _run if name == "run" else _dev, arguments)


def _run(**given: Any) -> None:
    from delegate_core.cli.running import run  # noqa: PLC0415 - a runner needs no server

    run(**given)


def _dev(**given: Any) -> None:
    from delegate_core.cli.developing import develop  # noqa: PLC0415 - imports the servers

    develop(**given)


def demo(
    backend: Annotated[
        list[str] | None, typer.Option("--backend", help="Show only this backend; default: all that are installed.")
    ] = None,
) -> None:
    """Run the demonstration: an embedded server, a runner, and tasks that end in every way.

    \b
        delegate demo
        delegate demo --backend drone
    """
    from delegate_core.cli.demo import run_demo  # noqa: PLC0415

    raise typer.Exit(run_demo(backend or []))


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
    config: Config = None,
) -> None:
    """Run one task here, without a server: its log on standard error, its result on standard output.

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
        run_task(file, handlers=handlers or [], secrets=secret or [], timeout=seconds, pretty=pretty, config=config)
    )


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


def status(json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:  # noqa: FBT002 - a flag
    """List the tasks of the running development server.

    \b
        delegate status
    """
    from delegate_core.cli import client  # noqa: PLC0415

    raise typer.Exit(client.status(as_json=json_))


def top(
    url: Annotated[str | None, typer.Argument(metavar="[URL]", help="Where a status is served.")] = None,
    state_dir: StateDir = None,
    backend: BackendName = None,
    name: RunnerName = None,
) -> None:
    """Show the live view of a runner that runs elsewhere: on this machine, or at an address.

    Piped, the view is printed once. A runner on another machine wants a token in DELEGATE_STATUS_TOKEN, or a password.

    \b
        delegate top --backend drone
        delegate top http://admin:PASSWORD@builder-7.example:9210
    """
    from delegate_core.cli.top import show_top  # noqa: PLC0415

    raise typer.Exit(show_top(url, state_dir, backend, name))


def dashboard(state_dir: StateDir = None, backend: BackendName = None, name: RunnerName = None) -> None:
    """Print the address of a running runner's web page, with the token that opens it.

    \b
        xdg-open "$(delegate dashboard --backend drone)"
    """
    from delegate_core.cli.folders import folder_of  # noqa: PLC0415
    from delegate_core.status.address import StatusAddress  # noqa: PLC0415

    found = StatusAddress.of(folder_of(state_dir, backend, name))
    typer.echo(f"{found.url}/?token={found.token}")


def plugins_list(json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:  # noqa: FBT002 - a flag
    """List the installed backends and plugins, and what is broken.

    \b
        delegate plugins list
    """
    from delegate_core.cli.listing import list_plugins  # noqa: PLC0415

    raise typer.Exit(list_plugins(as_json=json_))


def plugins_show(
    name: Annotated[str, typer.Argument(help="The plugin's name, as `delegate plugins list` shows it.")],
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Show one backend or plugin: where it comes from, its hooks, task types, engines and commands, what is broken.

    \b
        delegate plugins show harness
    """
    from delegate_core.cli.inspecting import show_plugin  # noqa: PLC0415

    raise typer.Exit(show_plugin(name, as_json=json_))


def plugins_check(json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:  # noqa: FBT002 - a flag
    """Find what is broken: imports, hooks, handlers, and task types that two plugins claim. 1 if something is.

    \b
        delegate plugins check
    """
    from delegate_core.cli.inspecting import check_plugins  # noqa: PLC0415

    raise typer.Exit(check_plugins(as_json=json_))


def plugins_new(
    name: Annotated[str, typer.Argument(help="The distribution's name: my-handlers.")],
    folder: Annotated[Path | None, typer.Option("--folder", help="Where to write it; default: ./NAME.")] = None,
    task_type: Annotated[str, typer.Option("--task-type", help="The task type that its handler serves.")] = "greet",
) -> None:
    """Write a package with a handler, its test and a README, to begin with.

    \b
        delegate plugins new my-handlers
    """
    from delegate_core.cli.scaffold import new_plugin  # noqa: PLC0415

    raise typer.Exit(new_plugin(name, folder or Path(name), task_type))


def config_show(
    config: Config = None,
    backend: Wanted = None,
    given: Annotated[bool, typer.Option("--given", help="Only what is not left to its default.")] = False,  # noqa: FBT002 - a flag
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Show each setting, its value, and the flag, variable or line of the file that it came from. Secrets are hidden.

    \b
        delegate config show --backend drone --given
    """
    from delegate_core.cli import config as settings  # noqa: PLC0415

    raise typer.Exit(settings.show(config, backend, given=given, as_json=json_))


def config_check(config: Config = None, backend: Wanted = None) -> None:
    """Say whether a runner could be started with the settings file and the environment.

    \b
        delegate config check --config /etc/delegate/delegate.toml
    """
    from delegate_core.cli import config as settings  # noqa: PLC0415

    raise typer.Exit(settings.check(config, backend))


def config_init(
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("delegate.toml"),
    backend: Wanted = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Write a settings file in which every setting is explained, and commented out.

    \b
        delegate config init --backend harness
    """
    from delegate_core.cli import config as settings  # noqa: PLC0415

    raise typer.Exit(settings.init(file, backend, force=force))


def config_schema() -> None:
    """Print the JSON schema of the settings file, for editors.

    \b
        delegate config schema > delegate.schema.json
    """
    from delegate_core.cli import config as settings  # noqa: PLC0415

    raise typer.Exit(settings.schema())


def service_show(
    config: Config = None,
    backend: Wanted = None,
    name: RunnerName = None,
    user: ServiceUser = None,
    user_service: UserService = False,  # noqa: FBT002 - a flag
) -> None:
    """Print the unit that would be installed.

    \b
        delegate service show --config /etc/delegate/delegate.toml --user delegate
    """
    from delegate_core.cli import service  # noqa: PLC0415

    raise typer.Exit(service.show(service.make_unit(config, backend, name, user, system=not user_service)))


def service_install(
    config: Config = None,
    backend: Wanted = None,
    name: RunnerName = None,
    user: ServiceUser = None,
    user_service: UserService = False,  # noqa: FBT002 - a flag
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Write the unit of a runner with these settings, and say how to start it.

    \b
        delegate service install --config /etc/delegate/delegate.toml --user delegate
        delegate service install --backend drone --user-service
    """
    from delegate_core.cli import service  # noqa: PLC0415

    unit = service.make_unit(config, backend, name, user, system=not user_service)
    raise typer.Exit(service.install(unit, force=force))


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


def pause(state_dir: StateDir = None, backend: BackendName = None, name: RunnerName = None) -> None:
    """Have a running runner take no new task; what runs goes on.

    \b
        delegate pause --backend drone
    """
    _give("pause", state_dir, backend, name)


def resume(state_dir: StateDir = None, backend: BackendName = None, name: RunnerName = None) -> None:
    """Have a paused runner take tasks again.

    \b
        delegate resume --backend drone
    """
    _give("resume", state_dir, backend, name)


def drain(
    state_dir: StateDir = None,
    backend: BackendName = None,
    name: RunnerName = None,
    wait: Annotated[bool, typer.Option("--wait", help="Return when it has left.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Have a running runner take no new task, finish what runs, deliver, and leave: as a first SIGTERM.

    \b
        delegate drain --backend drone --wait
    """
    _give("drain", state_dir, backend, name, wait=wait)


def stop(
    state_dir: StateDir = None,
    backend: BackendName = None,
    name: RunnerName = None,
    wait: Annotated[bool, typer.Option("--wait", help="Return when it has left.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Have a running runner cancel what runs, deliver, and leave: as a second SIGTERM.

    \b
        delegate stop --backend drone --wait
    """
    _give("stop", state_dir, backend, name, wait=wait)


def reload(state_dir: StateDir = None, backend: BackendName = None, name: RunnerName = None) -> None:
    """Have a running runner read its settings again, and say what that has changed: as SIGHUP.

    \b
        delegate reload --backend drone
    """
    _give("reload", state_dir, backend, name)


def _give(
    what: Literal["pause", "resume", "drain", "stop", "reload"],
    state_dir: Path | None,
    backend: str | None,
    name: str | None,
    *,
    wait: bool = False,
) -> None:
    from delegate_core.cli.folders import folder_of  # noqa: PLC0415
    from delegate_core.cli.steering import give  # noqa: PLC0415
    from delegate_core.control import Order  # noqa: PLC0415

    raise typer.Exit(give(folder_of(state_dir, backend, name), Order(do=what), wait=wait))


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


def cache_list(
    cache_dir: CacheDir = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """List the executables that were downloaded or built, the most recently used first.

    \b
        delegate cache list
    """
    from delegate_core.cli import cache  # noqa: PLC0415

    raise typer.Exit(cache.list_cache(cache.open_cache(cache_dir), as_json=json_))


def cache_prune(
    cache_dir: CacheDir = None,
    unused_for: Annotated[str, typer.Option("--unused-for", help="Only what was not used for so long: 168h.")] = "0",
    keep: Annotated[str, typer.Option("--keep", help="Stop when this much is left: 5GiB.")] = "0",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")] = False,  # noqa: FBT002 - a flag
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Delete downloaded executables that no task uses, the longest unused first. They are fetched again when needed.

    \b
        delegate cache prune --unused-for 168h
        delegate cache prune --keep 5GiB --dry-run
    """
    from pydantic import ByteSize, TypeAdapter, ValidationError  # noqa: PLC0415

    from delegate_core.cli import cache  # noqa: PLC0415
    from delegate_core.settings.durations import parse_duration  # noqa: PLC0415

    try:
        seconds = parse_duration(unused_for)
    except ValueError as error:
        raise typer.BadParameter(f"--unused-for: {error}") from None
    try:
        size = TypeAdapter(ByteSize).validate_python(keep)
    except ValidationError:
        raise typer.BadParameter("--keep: give a size like 500MiB or 5GiB") from None
    found = cache.open_cache(cache_dir)
    raise typer.Exit(cache.prune_cache(found, unused_for=seconds, keep=size, dry_run=dry_run, as_json=json_))


def version() -> None:
    """Print the version."""
    from importlib.metadata import version as installed  # noqa: PLC0415

    typer.echo(installed("delegate-core"))
