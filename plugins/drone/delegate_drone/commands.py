"""The commands that the Drone plugin brings: their options and help. What they do is imported when they run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["exec_", "lint", "plan"]

File = Annotated[str, typer.Argument(help="The manifest; - for standard input.")]
Pipeline = Annotated[
    str | None, typer.Option("--pipeline", help="Run only this one, whatever its trigger and dependencies say.")
]
Include = Annotated[list[str] | None, typer.Option("--include", help="Run only this step or service. Repeatable.")]
Exclude = Annotated[list[str] | None, typer.Option("--exclude", help="Do not run this step or service. Repeatable.")]
Event = Annotated[str, typer.Option("--event", help="push, pull_request, tag, promote, rollback, cron or custom.")]
Branch = Annotated[str | None, typer.Option("--branch", help="The target branch. [default: the one checked out]")]
Commit = Annotated[str | None, typer.Option("--commit", help="The commit. [default: the one checked out]")]
Ref = Annotated[str | None, typer.Option("--ref", help="The git reference. [default: made from event and branch]")]
Repo = Annotated[str | None, typer.Option("--repo", help="The repository, owner/name. [default: that of origin]")]
DeployTo = Annotated[str, typer.Option("--deploy-to", help="Where a promotion goes.", show_default=False)]
Instance = Annotated[str, typer.Option("--instance", help="Host name of the server to pretend.", show_default=False)]
Cron = Annotated[str, typer.Option("--cron", help="Name of the cron job.", show_default=False)]
Title = Annotated[str, typer.Option("--title", help="Title of the pull request.", show_default=False)]
Message = Annotated[str | None, typer.Option("--message", help="The commit's message. [default: its own]")]
Trusted = Annotated[bool, typer.Option("--trusted", help="Allow what only trusted repositories may ask for.")]
Strict = Annotated[bool, typer.Option("--strict", help="Unknown keys are errors.")]
Clone = Annotated[bool, typer.Option("--clone", help="Run in a fresh clone of what is committed.")]
SecretFile = Annotated[Path | None, typer.Option("--secret-file", help="Secrets, a NAME=value a line.")]
EnvFile = Annotated[Path | None, typer.Option("--env-file", help="Variables for all steps, a NAME=value a line.")]
SecretKeyFile = Annotated[
    Path | None, typer.Option("--secret-key-file", help="The repository's key, for secrets encrypted in the manifest.")
]
Param = Annotated[list[str] | None, typer.Option("--param", help="A parameter of the build, NAME=value. Repeatable.")]
SecretName = Annotated[
    list[str] | None, typer.Option("--secret", help="A secret from the environment variable of this name. Repeatable.")
]
Privileged = Annotated[
    list[str] | None, typer.Option("--privileged", help="Image of a plugin that runs privileged. Repeatable.")
]
Volume = Annotated[
    list[str] | None,
    typer.Option("--volume", help="A folder of this machine in every container, HOST:CONTAINER[:ro]. Repeatable."),
]
Network = Annotated[
    list[str] | None, typer.Option("--network", help="A network that every container joins. Repeatable.")
]
Registry = Annotated[
    Path | None, typer.Option("--registry", help="A docker config.json with accounts that may pull images.")
]


def exec_(  # noqa: PLR0913, PLR0917 - an option each
    file: File = ".drone.yml",
    pipeline: Pipeline = None,
    include: Include = None,
    exclude: Exclude = None,
    event: Event = "push",
    branch: Branch = None,
    commit: Commit = None,
    ref: Ref = None,
    repo: Repo = None,
    deploy_to: DeployTo = "",
    instance: Instance = "",
    cron: Cron = "",
    title: Title = "",
    message: Message = None,
    secret_file: SecretFile = None,
    env_file: EnvFile = None,
    secret: SecretName = None,
    secret_key_file: SecretKeyFile = None,
    param: Param = None,
    trusted: Trusted = False,  # noqa: FBT002 - a flag
    strict: Strict = False,  # noqa: FBT002 - a flag
    clone: Clone = False,  # noqa: FBT002 - a flag
    privileged: Privileged = None,
    volume: Volume = None,
    network: Network = None,
    registry: Registry = None,
    keep_failed: Annotated[
        Path | None, typer.Option("--keep-failed", help="Keep the clone of a failed pipeline in this folder.")
    ] = None,
    timeout: Annotated[str, typer.Option("--timeout", help="Time for each pipeline: 90s, 5m.")] = "1h",
    console: Annotated[str, typer.Option("--console", help="auto, live, plain or json.")] = "auto",
) -> None:
    """Run the pipelines of a Drone manifest here, without a server.

    \b
        delegate exec
        delegate exec --pipeline test --include unit --env-file dev.env
        delegate exec --event promote --deploy-to staging --secret-file secrets.env
        delegate exec --clone --branch main --console plain
        delegate exec --trusted --volume ~/.cache/go:/go/pkg --registry ~/.docker/config.json

    The steps run in this folder, as they are committed or not; --clone makes a clone first. Those of docker pipelines
    see it at /drone/src, or where their workspace says. Ctrl-C, SIGTERM or the end of the terminal cancels what runs
    and gives it ten seconds, a second Ctrl-C or SIGTERM kills it.

    Exit status: 0 success, 1 a pipeline failed, 2 the file or an option cannot be used or a pipeline cannot run here,
    124 a pipeline timed out, 129 the terminal has ended, 130 interrupted, 143 terminated, 141 nobody reads the output.
    """
    options = locals()
    from delegate_core.settings.durations import parse_duration  # noqa: PLC0415 - imports the settings
    from delegate_drone.local.choices import chosen  # noqa: PLC0415 - only when it runs
    from delegate_drone.local.execute import execute  # noqa: PLC0415 - the same

    try:
        seconds = parse_duration(timeout)
    except ValueError as error:
        raise typer.BadParameter(f"--timeout: {error}") from None
    raise typer.Exit(execute(*chosen(options), console=console, timeout=seconds))


def lint(
    files: Annotated[
        list[str] | None, typer.Argument(help="Manifests, or their folders; - for standard input.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,  # noqa: FBT002 - a flag
    strict: Strict = False,  # noqa: FBT002 - a flag
    trusted: Trusted = False,  # noqa: FBT002 - a flag
) -> None:
    """Show what is wrong with Drone manifests, and what to do.

    \b
        delegate lint
        delegate lint --strict services/*/.drone.yml
        delegate lint --json - < .drone.yml

    Exit status: 0 no errors (there may be warnings), 1 errors, 2 a file cannot be read.
    """
    from delegate_drone.local.lint import lint_files  # noqa: PLC0415 - only when it runs

    raise typer.Exit(lint_files(files or [".drone.yml"], strict=strict, trusted=trusted, json=json))


def plan(  # noqa: PLR0913, PLR0917 - an option each
    file: File = ".drone.yml",
    pipeline: Pipeline = None,
    include: Include = None,
    exclude: Exclude = None,
    event: Event = "push",
    branch: Branch = None,
    commit: Commit = None,
    ref: Ref = None,
    repo: Repo = None,
    deploy_to: DeployTo = "",
    instance: Instance = "",
    cron: Cron = "",
    title: Title = "",
    message: Message = None,
    secret_file: SecretFile = None,
    env_file: EnvFile = None,
    secret: SecretName = None,
    secret_key_file: SecretKeyFile = None,
    param: Param = None,
    trusted: Trusted = False,  # noqa: FBT002 - a flag
    strict: Strict = False,  # noqa: FBT002 - a flag
    clone: Clone = False,  # noqa: FBT002 - a flag
    privileged: Privileged = None,
    volume: Volume = None,
    network: Network = None,
    registry: Registry = None,
    env: Annotated[bool, typer.Option("--env", help="Show the steps' variables; secrets are hidden.")] = False,  # noqa: FBT002 - a flag
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Show what `delegate exec` would run, and why not the rest.

    With the same options as that has.

    \b
        delegate plan --event tag --ref refs/tags/v1.2.0
        delegate plan --pipeline test --env

    Exit status: 0, or 2 if the file or an option cannot be used.
    """
    options = locals()
    from delegate_drone.local.choices import chosen  # noqa: PLC0415 - only when it runs
    from delegate_drone.local.plan import plan as show  # noqa: PLC0415 - the same

    raise typer.Exit(show(*chosen(options), as_json=json, environment=env))
