"""From a manifest's text and a person's options to the order of a build."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from delegate_core.development import SubmissionError
from delegate_drone.manifest import Manifest, load_manifest

from .builds import Order
from .candidates import candidates
from .git import Commit, GitError, GitRepository
from .hooks import EVENTS, Hook
from .planning import mismatch
from .pulls import FIRST_PULL, PullRequests, is_pull_ref

__all__ = ["OPTIONS", "read_order"]

OPTIONS: Mapping[str, str] = {
    "repo": "a git working copy or bare repository on this machine",
    "event": f"what happened: {', '.join(EVENTS)}",
    "branch": "the branch; of a pull request the one it goes to",
    "source": "the branch that a pull request comes from",
    "ref": "the full ref, as refs/tags/v1, or refs/pull/2/head for another pull request than the first",
    "commit": "the commit, instead of the newest of the ref",
    "message": "the commit's message",
    "title": "the title of a pull request",
    "author": "who made the commit: NAME or NAME <EMAIL>",
    "action": "of a pull request: opened or synchronized",
    "target": "where a promotion or rollback deploys to",
    "cron": "the name of the cron job",
    "slug": "the repository's namespace and name",
    "default_branch": "the repository's default branch",
    "trusted": "true or false: the repository may ask for host volumes and the like",
    "timeout": "minutes for a stage",
    "throttle": "how many stages of the repository may run at once",
    "auto_cancel_pushes": "true or false: a push skips older waiting builds of its branch",
    "auto_cancel_pull_requests": "true or false: the same for pull requests",
    "auto_cancel_running": "true or false: such builds that run already are ended as well",
    "secret": "NAME=VALUE; more of them as secret.NAME=VALUE",
    "secret_file": "a file of NAME=VALUE lines",
    "secrets_in_pull_requests": "true or false: builds of pull requests get the secrets",
    "param": "NAME=VALUE, a parameter of the build; more of them as param.NAME=VALUE",
    "strict": "true or false: unknown keys of the manifest are errors",
}
"""What can be said about a submission."""

_MANY = ("secret", "param")
_SWITCHES = ("trusted", "auto_cancel_pushes", "auto_cancel_pull_requests", "auto_cancel_running")
_NUMBERS = ("timeout", "throttle")
_SLUG = re.compile(r"[A-Za-z0-9_][\w.-]*/(?!\.{1,2}$)[A-Za-z0-9_.][\w.-]*", re.ASCII)
_UNFIT = re.compile(r"[^A-Za-z0-9_.]+")
_AUTHOR = re.compile(r"(?P<name>[^<]*?)\s*(?:<(?P<email>[^>]*)>)?\s*")
_REFLESS = "refs/heads/"


def read_order(text: str, options: Mapping[str, str], pulls: PullRequests | None = None) -> Order:
    """The order of a build.

    Args:
        text: the manifest.
        options: of `OPTIONS`.
        pulls: gives pull requests their refs; without it they are cloned from the repository itself.

    Raises:
        SubmissionError: the manifest, an option or the repository does not allow one; the text says what to do.
    """
    _check_names(options)
    manifest = _manifest(text, options)
    git = _repository(options["repo"]) if "repo" in options else None
    hook = _hook(options, git)
    slug = _slug(options, git)
    _check_triggers(manifest, hook, slug)
    if git is None:
        _check_clones(manifest, hook, slug)
    return Order(
        text=text,
        hook=hook,
        slug=slug,
        settings=_settings(options, git, _url(git, hook, pulls)),
        secrets=_secrets(options),
        secrets_in_pull_requests=_switch(options, "secrets_in_pull_requests"),
    )


# ---------------------------------------------------------------------- the manifest


def _manifest(text: str, options: Mapping[str, str]) -> Manifest:
    strict, trusted = _switch(options, "strict"), _switch(options, "trusted")
    manifest = load_manifest(text, strict=strict, trusted=trusted)
    if manifest.errors:
        raise SubmissionError("\n\n".join(problem.render() for problem in manifest.errors))
    return manifest


def _check_triggers(manifest: Manifest, hook: Hook, slug: str) -> None:
    if hook.skips:
        raise SubmissionError("the message asks for no build ([ci skip]); give another one with the option message")
    misses = [mismatch(each, hook, slug) for each in candidates(manifest)]
    if not misses:
        raise SubmissionError("the file has no pipeline: a document that begins with `kind: pipeline`")
    if all(misses):
        cure = "say what happened with the options event, branch, ref, target, cron or action"
        raise SubmissionError("no pipeline is triggered:\n" + "\n".join(misses) + f"\n{cure}")


def _check_clones(manifest: Manifest, hook: Hook, slug: str) -> None:
    """Without a repository there is nothing to clone, which would show only as a failed step."""
    for each in candidates(manifest):
        if each.clones and not mismatch(each, hook, slug):
            text = f"pipeline `{each.name}` clones the repository, and none is given"
            raise SubmissionError(f"{text}: give one with --repo PATH, or write `clone: {{disable: true}}`")


# ---------------------------------------------------------------------- what happened


def _repository(path: str) -> GitRepository:
    try:
        return GitRepository(Path(path).expanduser())
    except GitError as error:
        raise SubmissionError(f"option repo: {error}") from None


def _hook(options: Mapping[str, str], git: GitRepository | None) -> Hook:
    event = _event(options)
    branch = options.get("branch") or _branch(event, options, git)
    source = (options.get("source") or (git.current_branch() if git else "") or branch) if _pulls(event) else branch
    ref = options.get("ref") or (FIRST_PULL if _pulls(event) else f"{_REFLESS}{source}")
    if event == "tag" and not ref.startswith("refs/tags/"):
        raise SubmissionError("a tag event needs the option ref, as ref=refs/tags/v1.0")
    commit = (
        _commit(git, options.get("commit") or _tip(git, options, ref, source))
        if git
        else Commit("0" * 40, "0" * 40, "", "", "", 0)
    )
    name, email = _author(options, commit)
    return Hook(
        event=event,
        action=options.get("action", "opened" if _pulls(event) else ""),
        ref=ref,
        source=source,
        target=branch,
        before=commit.before,
        after=commit.sha,
        title=options.get("title", ""),
        message=options.get("message", commit.message),
        author_login=name,
        author_name=name,
        author_email=email,
        timestamp=commit.time,
        cron=options.get("cron", ""),
        deploy_to=options.get("target", ""),
        params=_pairs(options, "param"),
    )


def _event(options: Mapping[str, str]) -> str:
    """As given; else what the other options can only mean."""
    event = options.get("event")
    if event is None:
        guesses = {
            "tag": options.get("ref", "").startswith("refs/tags/"),
            "cron": "cron" in options,
            "promote": "target" in options,
        }
        event = next((name for name, meant in guesses.items() if meant), "push")
    if event not in EVENTS:
        raise SubmissionError(f"option event: {event!r} is none of {', '.join(EVENTS)}")
    if event in {"promote", "rollback"} and not options.get("target"):
        raise SubmissionError(f"event {event} needs the option target, as target=production")
    return event


def _tip(git: GitRepository, options: Mapping[str, str], ref: str, source: str) -> str:
    """The name of the newest commit: of a pull request that only we know, that of its source branch."""
    known = "ref" in options and git.has(ref)
    return f"{_REFLESS}{source}" if is_pull_ref(ref) and not known else ref


def _pulls(event: str) -> bool:
    return event == "pull_request"


def _branch(event: str, options: Mapping[str, str], git: GitRepository | None) -> str:
    ref = options.get("ref", "")
    if ref.startswith(_REFLESS) and not _pulls(event):
        return ref.removeprefix(_REFLESS)
    default = _default_branch(options, git)
    current = git.current_branch() if git and event not in {"tag", "pull_request", "cron"} else ""
    return current or default


def _default_branch(options: Mapping[str, str], git: GitRepository | None) -> str:
    return options.get("default_branch") or (git.default_branch() if git else "") or "main"


def _commit(git: GitRepository, name: str) -> Commit:
    try:
        return git.commit(name)
    except GitError as error:
        raise SubmissionError(f"{error}; name another with the options branch, ref or commit") from None


def _author(options: Mapping[str, str], commit: Commit) -> tuple[str, str]:
    if "author" not in options:
        return commit.author_name, commit.author_email
    found = _AUTHOR.fullmatch(options["author"])
    if found is None:
        raise SubmissionError("option author: write NAME or NAME <EMAIL>")
    return found["name"], found["email"] or ""


# ---------------------------------------------------------------------- the repository


def _slug(options: Mapping[str, str], git: GitRepository | None) -> str:
    name = _UNFIT.sub("-", git.name).strip("-.") if git else "sandbox"
    slug = options.get("slug", f"local/{name or 'repository'}")
    if not _SLUG.fullmatch(slug):
        raise SubmissionError(f"option slug: {slug!r} is not of the form namespace/name")
    return slug


def _url(git: GitRepository | None, hook: Hook, pulls: PullRequests | None) -> str:
    """From where it is cloned."""
    if git is None or pulls is None:
        return git.url if git else ""
    try:
        return pulls.url(git, hook.ref, hook.after)
    except GitError as error:
        raise SubmissionError(f"the pull request cannot be prepared: {error}") from None


def _settings(options: Mapping[str, str], git: GitRepository | None, url: str) -> Mapping[str, Any]:
    """What is said of the repository; what is not said becomes the default again."""
    return {
        "git_http_url": url,
        "link": git.url if git else "",
        "default_branch": _default_branch(options, git),
        **{name: _switch(options, name) for name in _SWITCHES},
        "timeout": _number(options, "timeout", 60),
        "throttle": _number(options, "throttle", 0),
    }


def _secrets(options: Mapping[str, str]) -> Mapping[str, str]:
    found = _dotenv(Path(options["secret_file"]).expanduser()) if "secret_file" in options else {}
    return {**found, **_pairs(options, "secret")}


def _dotenv(file: Path) -> dict[str, str]:
    """``NAME=VALUE`` lines; blank ones and comments are left out, one pair of quotes around a value as well."""
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SubmissionError(f"option secret_file: cannot read {file}: {error}") from None
    found = {}
    for number, line in enumerate(lines, start=1):
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if line.strip() and not line.strip().startswith("#"):
            if not equals or not name.strip():
                raise SubmissionError(f"option secret_file: {file}, line {number}: write NAME=VALUE")
            found[name.strip()] = _unquoted(value.strip())
    return found


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value


# ---------------------------------------------------------------------- options


def _check_names(options: Mapping[str, str]) -> None:
    unknown = [name for name in options if name not in OPTIONS and name.partition(".")[0] not in _MANY]
    if unknown:
        raise SubmissionError(f"unknown option {', '.join(unknown)}; there are {', '.join(OPTIONS)}")


def _pairs(options: Mapping[str, str], kind: str) -> dict[str, str]:
    """``kind=NAME=VALUE`` and ``kind.NAME=VALUE``."""
    found = {}
    if kind in options:
        name, equals, value = options[kind].partition("=")
        if not equals or not name:
            raise SubmissionError(f"option {kind}: write {kind}=NAME=VALUE")
        found[name] = value
    prefix = f"{kind}."
    return found | {name.removeprefix(prefix): value for name, value in options.items() if name.startswith(prefix)}


def _switch(options: Mapping[str, str], name: str) -> bool:
    given = options.get(name, "false")
    if given not in {"true", "false"}:
        raise SubmissionError(f"option {name} is true or false, not {given!r}")
    return given == "true"


def _number(options: Mapping[str, str], name: str, default: int) -> int:
    given = options.get(name, str(default))
    if not given.isascii() or not given.isdigit() or not 0 <= int(given[:9]) <= 100_000:
        raise SubmissionError(f"option {name} is a number from 0 to 100000, not {given!r}")
    return int(given)
