"""Rules for what parses but cannot run, or silently does something else than is meant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

from delegate_drone.manifest.conditions import CONDITION_KEYS, Condition
from delegate_drone.manifest.graphs import find_cycle, name_hint, report_cycle
from delegate_drone.manifest.ignored import IGNORED_IN_EXEC_PIPELINE, IGNORED_IN_STEP
from delegate_drone.manifest.models import Pipeline
from delegate_drone.manifest.nodes import Mapping as MappingNode
from delegate_drone.manifest.nodes import Mark, Node, Scalar, Sequence, walk
from delegate_drone.manifest.problems import Report
from delegate_drone.manifest.steps import all_steps, entry
from delegate_drone.manifest.storage import lint_mounts, lint_volumes, lint_workspace

__all__ = ["RULES", "lint_pipeline"]

Rule: TypeAlias = Callable[[Pipeline, Report], None]

_LONGEST_NAME = 100
_CLONE = "clone"
_FAILURES = frozenset({"", "always", "fail", "fail-fast", "fast", "fast-fail", "ignore"})
_PULLS = frozenset({"", "always", "default", "if-not-exists", "never"})
_STATUSES = frozenset({"success", "failure"})
_MISPLACED = ("when", "trigger", "platform", "commands", "depends_on", "environment")


def lint_pipeline(pipeline: Pipeline, report: Report) -> None:
    """Apply every rule to one pipeline."""
    for rule in RULES:
        rule(pipeline, report)


def _names(pipeline: Pipeline, report: Report) -> None:
    for step in pipeline.steps:
        if not step.name:
            report.error("missing-name", step.mark, "a step has no name", "add `name: ...`")
        elif len(step.name) > _LONGEST_NAME:
            message = f"the step's name has {len(step.name)} characters; {_LONGEST_NAME} are allowed"
            report.error("long-name", step.mark, message, "shorten it")


def _no_steps(pipeline: Pipeline, report: Report) -> None:
    if not pipeline.steps:
        report.warning("no-steps", pipeline.mark, f"pipeline `{pipeline.name}` has no steps", "add `steps:`")


def _duplicate_steps(pipeline: Pipeline, report: Report) -> None:
    seen: dict[str, Mark] = {}
    for step in all_steps(pipeline):
        if step.name in seen:
            message = f"the name `{step.name}` is taken by the step on line {seen[step.name].line}"
            report.error("duplicate-step", step.mark, message, "give each step a name of its own")
        elif step.name == _CLONE and not pipeline.clone.disable:
            cure = "rename it, or set `clone: { disable: true }`"
            report.error("duplicate-step", step.mark, "the name `clone` is taken by the built-in clone step", cure)
        elif step.name:
            seen[step.name] = step.mark


def _images(pipeline: Pipeline, report: Report) -> None:
    for step in all_steps(pipeline):
        has_image = entry(step.node, "image")
        if pipeline.type == "exec" and has_image and step.image:
            cure = "remove it, or make the pipeline `type: docker`"
            message = f"step `{step.name}` has an image, but an exec pipeline runs on the host"
            report.error("image", has_image.key.mark, message, cure)
        elif pipeline.type != "exec" and not step.image:
            cure = "add `image: ...`, or make the pipeline `type: exec` to run on the host"
            report.error("image", step.mark, f"step `{step.name}` has no image", cure)


def _step_dependencies(pipeline: Pipeline, report: Report) -> None:
    edges = {step.name: step.depends_on for step in all_steps(pipeline)}
    for step in all_steps(pipeline):
        for dependency in step.dependencies:
            if dependency.name not in edges and dependency.name != _CLONE:
                cure = "" if report.full else name_hint(dependency.name, edges)
                message = f"step `{step.name}` depends on `{dependency.name}`, which this pipeline has not"
                report.error("unknown-step", dependency.mark, message, cure)
    marks = {step.name: step.dependencies for step in all_steps(pipeline)}
    report_cycle(find_cycle(edges), marks, "step", report)


def _ignored_keys(pipeline: Pipeline, report: Report) -> None:
    if pipeline.type == "exec":
        _report_ignored(pipeline.node, IGNORED_IN_EXEC_PIPELINE, pipeline.type, report)
    for step in all_steps(pipeline):
        _report_ignored(step.node, IGNORED_IN_STEP[pipeline.type], pipeline.type, report)


def _report_ignored(node: MappingNode, keys: Iterable[str], type_: str, report: Report) -> None:
    for key in keys:
        if found := entry(node, key):
            cure = "remove it; `type: docker` pipelines have it" if type_ == "exec" else "remove it"
            report.warning("ignored-key", found.key.mark, f"`{key}` has no effect in a pipeline of type {type_}", cure)


def _misplaced_settings(pipeline: Pipeline, report: Report) -> None:
    for step in all_steps(pipeline):
        settings = entry(step.node, "settings")
        for key in _MISPLACED:
            found = entry(settings.value, key) if settings and isinstance(settings.value, MappingNode) else None
            if found and isinstance(found.value, MappingNode | Sequence):
                message = f"`{key}` under `settings` is a setting of the plugin, no `{key}` of the step"
                report.warning("misplaced", found.key.mark, message, "indent it less, to stand beside `settings`")


def _nested_secrets(pipeline: Pipeline, report: Report) -> None:
    for step in all_steps(pipeline):
        for name, value in step.settings.items():
            if isinstance(value, tuple | Mapping) and _has_secret(value):
                found = entry(step.node, "settings")
                message = f"from_secret inside the list or map of setting `{name}` is not resolved"
                mark = found.key.mark if found else step.mark
                report.warning("nested-secret", mark, message, "take the whole setting from one secret")


def _has_secret(value: object) -> bool:
    if isinstance(value, Mapping):
        return "from_secret" in value or any(map(_has_secret, value.values()))
    return isinstance(value, tuple) and any(map(_has_secret, value))


def _refs(pipeline: Pipeline, report: Report) -> None:
    owners = [(pipeline.node, "trigger"), *((step.node, "when") for step in all_steps(pipeline))]
    for node, key in owners:
        found = entry(node, key)
        ref = found.value.get("ref") if found and isinstance(found.value, MappingNode) else None
        for pattern in walk(ref) if ref else ():
            _check_ref(pattern, report)


def _check_ref(pattern: Scalar, report: Report) -> None:
    for wrong, right in (("refs/head/", "refs/heads/"), ("refs/tag/", "refs/tags/")):
        if pattern.text.startswith(wrong):
            message = f"`{pattern.text}` matches nothing: no ref begins with {wrong}"
            report.warning("never-matches", pattern.mark, message, f"write {right}")


def _statuses(pipeline: Pipeline, report: Report) -> None:
    for step in all_steps(pipeline):
        unknown = set(step.when.status.include) - _STATUSES
        found = entry(step.node, "when")
        for status in sorted(unknown if found else ()):
            message = f"status `{status}` is never met here"
            mark = found.key.mark if found else step.mark
            report.warning("never-matches", mark, message, "a step knows the statuses success and failure")


def _words(pipeline: Pipeline, report: Report) -> None:
    for step in all_steps(pipeline):
        for key, value, known in (("failure", step.failure, _FAILURES), ("pull", step.pull, _PULLS)):
            found = entry(step.node, key)
            if found and value.lower() not in known:
                cure = f"it knows {', '.join(sorted(known - {''}))}"
                report.warning("unknown-value", found.value.mark, f"`{key}: {value}` means nothing", cure)


def _keys_with_variables(pipeline: Pipeline, report: Report) -> None:
    for key in _keys(pipeline.node):
        if "${" in key.text:
            report.warning("variable-in-key", key.mark, f"`{key.text}`: variables in keys stay as they are", "name it")


def _keys(node: Node) -> Iterator[Scalar]:
    if isinstance(node, Sequence):
        for item in node.items:
            yield from _keys(item)
    for found in node.entries if isinstance(node, MappingNode) else ():
        if isinstance(found.key, Scalar):
            yield found.key
        yield from _keys(found.value)


def _never_matching(pipeline: Pipeline, report: Report) -> None:
    for step in all_steps(pipeline):
        found = entry(step.node, "when")
        for key in CONDITION_KEYS if found else ():
            condition = getattr(step.when, key)
            both = set(condition.include) & set(condition.exclude) if isinstance(condition, Condition) else set()
            if found and both:
                message = f"`{key}` includes and excludes `{min(both)}`: excluding wins"
                report.warning("never-matches", found.key.mark, message, "keep it in one of them")


RULES: tuple[Rule, ...] = (
    _names,
    _no_steps,
    _duplicate_steps,
    _images,
    _step_dependencies,
    _ignored_keys,
    _misplaced_settings,
    _nested_secrets,
    _refs,
    _statuses,
    _words,
    _keys_with_variables,
    lint_volumes,
    lint_mounts,
    lint_workspace,
    _never_matching,
)
"""What is asked of every pipeline, one rule a question."""
