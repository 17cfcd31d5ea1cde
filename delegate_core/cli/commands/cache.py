"""``delegate cache``."""

from __future__ import annotations

from typing import Annotated

import typer

from delegate_core.cli.commands.arguments import CacheDir

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add ``delegate cache`` and its commands."""
    group = typer.Typer(help="Look at downloaded executables.", no_args_is_help=True, rich_markup_mode=None)
    group.command("list")(cache_list)
    group.command("prune")(cache_prune)
    app.add_typer(group, name="cache")


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
