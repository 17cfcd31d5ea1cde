"""Drone's variables about system, repository, build and stage: one function for each group, one dict entry each."""

from __future__ import annotations

import re

from delegate_drone.compiler.facts import Facts
from delegate_drone.compiler.versions import calendar_version, semantic_version
from delegate_drone.manifest import Clone
from delegate_drone.wire import Build, Repository, Stage, System

__all__ = [
    "build_variables",
    "facts_variables",
    "git_variables",
    "link_variables",
    "repository_variables",
    "stage_variables",
    "system_variables",
]

_FAILED = frozenset({"error", "failure", "killed"})
_TAG = "refs/tags/"
_NO_NAME = re.compile(r"[\s\x00-\x1f.,:;<>\"\\']*")
"""Git refuses an identity of nothing but these."""


def facts_variables(facts: Facts, *, now: float) -> dict[str, str]:
    """All groups, a later one over an earlier one. ``now`` stands for times that are not yet (unix seconds)."""
    return {
        **system_variables(facts.system),
        **repository_variables(facts.repository),
        **build_variables(facts.build, now=now),
        **stage_variables(facts.stage, (), now=now),
        **link_variables(facts),
    }


def system_variables(system: System) -> dict[str, str]:
    """The server; and that this is a build."""
    return {
        "CI": "true",
        "DRONE": "true",
        "DRONE_SYSTEM_HOST": system.host,
        "DRONE_SYSTEM_HOSTNAME": system.host,
        "DRONE_SYSTEM_PROTO": system.proto,
        "DRONE_SYSTEM_VERSION": system.version,
    }


def repository_variables(repository: Repository) -> dict[str, str]:
    """What is built."""
    return {
        **dict.fromkeys(("CI_REPO", "CI_REPO_NAME", "DRONE_REPO"), repository.slug),
        **dict.fromkeys(("CI_REPO_PRIVATE", "DRONE_REPO_PRIVATE"), _flag(repository.private)),
        **dict.fromkeys(
            ("CI_REMOTE_URL", "CI_REPO_REMOTE", "DRONE_GIT_HTTP_URL", "DRONE_REMOTE_URL"), repository.git_http_url
        ),
        **dict.fromkeys(("CI_REPO_LINK", "DRONE_REPO_LINK"), repository.link),
        **dict.fromkeys(("DRONE_REPO_NAMESPACE", "DRONE_REPO_OWNER"), repository.namespace),
        "DRONE_GIT_SSH_URL": repository.git_ssh_url,
        "DRONE_REPO_BRANCH": repository.default_branch,
        "DRONE_REPO_NAME": repository.name,
        "DRONE_REPO_SCM": repository.scm,
        "DRONE_REPO_VISIBILITY": repository.visibility,
    }


def link_variables(facts: Facts) -> dict[str, str]:
    """Where people see the build."""
    system, slug, number = facts.system, facts.repository.slug, facts.build.number
    return {"DRONE_BUILD_LINK": f"{system.proto}://{system.host}/{slug}/{number}"}


def build_variables(build: Build, *, now: float) -> dict[str, str]:
    """The event, its commit and its author, and how the build stands."""
    return {
        **_event_variables(build),
        **_commit_variables(build),
        **_author_variables(build),
        **_time_variables(build, now),
        **_build_status(build),
        **_pull_request_variables(build),
        **_tag_variables(build.ref),
    }


def _event_variables(build: Build) -> dict[str, str]:
    return {
        **dict.fromkeys(("CI_BUILD_EVENT", "DRONE_BUILD_EVENT"), build.event),
        **dict.fromkeys(("CI_BUILD_NUMBER", "DRONE_BUILD_NUMBER"), str(build.number)),
        **dict.fromkeys(("CI_BUILD_TARGET", "DRONE_DEPLOY_TO"), build.deploy_to),
        **dict.fromkeys(("CI_PARENT_BUILD_NUMBER", "DRONE_BUILD_PARENT"), str(build.parent)),
        "DRONE_BUILD_ACTION": build.action,
        "DRONE_BUILD_DEBUG": _flag(build.debug),
        "DRONE_BUILD_TRIGGER": build.trigger,
        "DRONE_DEPLOY_ID": str(build.deploy_id),
    }


def _commit_variables(build: Build) -> dict[str, str]:
    branch = ("CI_COMMIT_BRANCH", "DRONE_BRANCH", "DRONE_COMMIT_BRANCH", "DRONE_TARGET_BRANCH")
    commit = ("CI_COMMIT_SHA", "DRONE_COMMIT", "DRONE_COMMIT_AFTER", "DRONE_COMMIT_SHA")
    return {
        **dict.fromkeys(branch, build.target),
        **dict.fromkeys(commit, build.after),
        **dict.fromkeys(("CI_BUILD_LINK", "DRONE_COMMIT_LINK"), build.link),
        **dict.fromkeys(("CI_COMMIT_MESSAGE", "DRONE_COMMIT_MESSAGE"), build.message),
        **dict.fromkeys(("CI_COMMIT_REF", "DRONE_COMMIT_REF"), build.ref),
        "DRONE_COMMIT_BEFORE": build.before,
        "DRONE_SOURCE_BRANCH": build.source,
    }


def _author_variables(build: Build) -> dict[str, str]:
    values = {
        "": build.author_login,
        "_AVATAR": build.author_avatar,
        "_EMAIL": build.author_email,
        "_NAME": build.author_name,
    }
    prefixes = ("CI_COMMIT_AUTHOR", "DRONE_COMMIT_AUTHOR")
    return {prefix + suffix: value for prefix in prefixes for suffix, value in values.items()}


def _time_variables(build: Build, now: float) -> dict[str, str]:
    return {
        **dict.fromkeys(("CI_BUILD_CREATED", "DRONE_BUILD_CREATED"), str(build.created)),
        "CI_BUILD_FINISHED": str(build.finished),
        "CI_BUILD_STARTED": str(build.started),
        "DRONE_BUILD_FINISHED": str(build.finished or int(now)),
        "DRONE_BUILD_STARTED": str(build.started or int(now)),
    }


def _build_status(build: Build) -> dict[str, str]:
    failed = [stage.name for stage in build.stages if stage.status in _FAILED]
    if not failed and build.status not in _FAILED:
        return {"CI_BUILD_STATUS": build.status, "DRONE_BUILD_STATUS": "success"}
    return {
        "CI_BUILD_STATUS": build.status,
        "DRONE_BUILD_STATUS": "failure",
        "DRONE_FAILED_STAGES": ",".join(failed),
    }


def _pull_request_variables(build: Build) -> dict[str, str]:
    if build.event != "pull_request":
        return {}
    number = re.search("[0-9]+", build.ref)
    return {"DRONE_PULL_REQUEST": number[0] if number else "", "DRONE_PULL_REQUEST_TITLE": build.title}


def _tag_variables(ref: str) -> dict[str, str]:
    if not ref.startswith(_TAG):
        return {}
    tag = ref.removeprefix(_TAG)
    return {"DRONE_TAG": tag, **semantic_version(tag), **calendar_version(tag)}


def stage_variables(stage: Stage, failed: tuple[str, ...], *, now: float) -> dict[str, str]:
    """The running pipeline; ``failed`` are its steps that failed so far and whose failure counts."""
    failing = bool(failed) or stage.status in _FAILED
    return {
        "DRONE_CARD_PATH": "/dev/stdout",
        "DRONE_STAGE_ARCH": stage.arch,
        "DRONE_STAGE_DEPENDS_ON": ",".join(stage.depends_on),
        "DRONE_STAGE_FINISHED": str(stage.stopped or int(now)),
        "DRONE_STAGE_KIND": stage.kind,
        "DRONE_STAGE_MACHINE": stage.machine,
        "DRONE_STAGE_NAME": stage.name,
        "DRONE_STAGE_NUMBER": str(stage.number),
        "DRONE_STAGE_OS": stage.os,
        "DRONE_STAGE_STARTED": str(stage.started or int(now)),
        "DRONE_STAGE_STATUS": "failure" if failing else "success",
        "DRONE_STAGE_TYPE": stage.type,
        "DRONE_STAGE_VARIANT": stage.variant,
        "DRONE_STAGE_VERSION": str(stage.version),
        **({"DRONE_FAILED_STEPS": ",".join(failed)} if failing else {}),
    }


def git_variables(build: Build, clone: Clone) -> dict[str, str]:
    """What git reads itself: who commits, and that it shall not ask."""
    name = "drone" if _NO_NAME.fullmatch(build.author_name) else build.author_name
    email = "noreply@drone" if _NO_NAME.fullmatch(build.author_email) else build.author_email
    return {
        **dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), name),
        **dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), email),
        "GIT_TERMINAL_PROMPT": "0",
        **({"GIT_TRACE": "true"} if clone.trace else {}),
        **({"GIT_SSL_NO_VERIFY": "true"} if clone.skip_verify else {}),
    }


def _flag(value: bool) -> str:  # noqa: FBT001 -- it is the value to write
    return "true" if value else "false"
