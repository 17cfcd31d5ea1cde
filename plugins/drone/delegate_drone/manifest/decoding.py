"""From a document's tree to what it says."""

from __future__ import annotations

from delegate_drone.manifest.conditions import CONDITION_KEYS, Condition, Conditions
from delegate_drone.manifest.fields import Fields, nearest, shape
from delegate_drone.manifest.ignored import IGNORED_IN_EXEC_PIPELINE, IGNORED_IN_STEP
from delegate_drone.manifest.models import (
    Clone,
    Dependency,
    Device,
    Pipeline,
    Platform,
    Step,
    Volume,
    VolumeMount,
    Workspace,
)
from delegate_drone.manifest.nodes import Mapping, Node, Scalar, Sequence
from delegate_drone.manifest.problems import Report
from delegate_drone.manifest.values import (
    EnvironmentValue,
    SecretRef,
    Setting,
    is_null,
    plain_value,
    scalar_text,
)

__all__ = ["decode_conditions", "decode_dependencies", "decode_pipeline"]

_COMMANDS_CURE = "make it a list: each command on a line of its own, after a dash"
_OPTION_CURE = "remove it, or move it below `settings` if it is an option of the plugin"
_HEADER = frozenset({"kind", "type", "version"})


def decode_pipeline(fields: Fields, kind: str) -> Pipeline:
    """A pipeline of type ``exec`` or ``docker``; what is wrong with it goes to the report."""
    if kind == "exec":
        fields.ignore(IGNORED_IN_EXEC_PIPELINE)
    pipeline = Pipeline(
        name=fields.text("name"),
        type=kind,
        mark=fields.node.mark,
        node=fields.node,
        steps=tuple(_step(step, kind) for step in fields.sections("steps", "step")),
        services=tuple(_step(service, kind) for service in fields.sections("services", "service")),
        dependencies=decode_dependencies(fields),
        environment=_plain_environment(fields),
        platform=_platform(fields),
        clone=_clone(fields),
        workspace=_workspace(fields),
        concurrency_limit=_concurrency(fields),
        node_labels=_plain_map(fields, "node"),
        image_pull_secrets=fields.strings("image_pull_secrets"),
        volumes=tuple(_volume(volume) for volume in fields.sections("volumes", "volume")),
        trigger=decode_conditions(fields, "trigger"),
    )
    fields.close(_HEADER)
    return pipeline


def decode_dependencies(fields: Fields) -> tuple[Dependency, ...]:
    """The names under ``depends_on``, each with its place."""
    return tuple(Dependency(scalar_text(name), name.mark) for name in fields.texts("depends_on"))


def _step(fields: Fields, kind: str) -> Step:
    fields.ignore(IGNORED_IN_STEP[kind])
    step = Step(
        name=fields.text("name"),
        mark=fields.node.mark,
        node=fields.node,
        image=fields.text("image"),
        commands=tuple(scalar_text(command) for command in fields.texts("commands", _COMMANDS_CURE)),
        command=fields.strings("command"),
        entrypoint=fields.strings("entrypoint"),
        environment=_environment(fields),
        settings=_settings(fields),
        dependencies=decode_dependencies(fields),
        detach=fields.flag("detach"),
        failure=fields.text("failure"),
        pull=fields.text("pull"),
        privileged=fields.flag("privileged"),
        user=fields.text("user"),
        working_dir=fields.text("working_dir"),
        network_mode=fields.text("network_mode"),
        dns=fields.strings("dns"),
        dns_search=fields.strings("dns_search"),
        extra_hosts=fields.strings("extra_hosts"),
        devices=tuple(_device(device) for device in fields.sections("devices", "device")),
        shm_size=fields.size("shm_size"),
        mem_limit=fields.size("mem_limit"),
        memswap_limit=fields.size("memswap_limit"),
        volumes=tuple(_mount(mount) for mount in fields.sections("volumes", "volume")),
        when=decode_conditions(fields, "when"),
    )
    fields.close(cure=_OPTION_CURE if step.image else "remove it: it has no effect")
    return step


def _environment(fields: Fields) -> dict[str, EnvironmentValue]:
    found: dict[str, EnvironmentValue] = {}
    for name, (key, node) in fields.pairs("environment").items():
        what = f"variable `{name}` of {fields.what}"
        if is_null(node):
            fields.report.warning("empty-variable", key.mark, f"{what} has no value and is left out", 'write ""')
        elif isinstance(node, Scalar):
            found[name] = scalar_text(node)
        elif isinstance(node, Mapping):
            found[name] = _secret_or_value(Fields(node, what, fields.report))
        else:
            fields.report.error("wrong-type", node.mark, f"{what} must be a text; it is a list", "join it to one text")
    return found


def _secret_or_value(fields: Fields) -> EnvironmentValue:
    secret, value = fields.text("from_secret"), fields.text("value")
    if not secret and not fields.has("value"):
        fields.report.warning("empty-variable", fields.node.mark, f"{fields.what} is empty", "write from_secret: NAME")
    fields.close()
    return SecretRef(secret, fields.mark("from_secret"), value) if secret else value


def _settings(fields: Fields) -> dict[str, Setting]:
    pairs = fields.pairs("settings").items()
    return {name: _setting(name, node, fields) for name, (_, node) in pairs if not is_null(node)}


def _setting(name: str, node: Node, fields: Fields) -> Setting:
    if isinstance(node, Mapping):
        what = f"setting `{name}` of {fields.what}"
        secret = node.get("from_secret")
        if secret is not None and not isinstance(secret, Scalar):
            fields.report.error("wrong-type", secret.mark, f"from_secret of {what} must be a name", "write one name")
        elif secret is not None and scalar_text(secret):
            return SecretRef(scalar_text(secret), secret.mark)
    return plain_value(node)


def _plain_environment(fields: Fields) -> dict[str, str]:
    cure = "give variables that come from secrets to each step"
    return _plain_map(fields, "environment", cure)


def _plain_map(fields: Fields, name: str, cure: str = "write a text") -> dict[str, str]:
    pairs = fields.pairs(name).items()
    for key, (_, node) in pairs:
        if not isinstance(node, Scalar):
            message = f"`{key}` in `{name}` of {fields.what} must be a text; it is {shape(node)}"
            fields.report.error("wrong-type", node.mark, message, cure)
    return {key: scalar_text(node) for key, (_, node) in pairs if isinstance(node, Scalar)}


def _platform(fields: Fields) -> Platform:
    section = fields.section("platform", "`platform`")
    if section is None:
        return Platform()
    names = ("os", "arch", "variant", "version")
    platform = Platform(**{name: section.text(name) for name in names})
    section.close()
    return platform


def _clone(fields: Fields) -> Clone:
    section = fields.section("clone", "`clone`")
    if section is None:
        return Clone()
    clone = Clone(
        disable=section.flag("disable"),
        depth=section.number("depth"),
        retries=section.number("retries"),
        skip_verify=section.flag("skip_verify"),
        trace=section.flag("trace"),
    )
    section.close()
    return clone


def _workspace(fields: Fields) -> Workspace:
    section = fields.section("workspace", "`workspace`")
    if section is None:
        return Workspace()
    workspace = Workspace(base=section.text("base"), path=section.text("path"))
    section.close()
    return workspace


def _concurrency(fields: Fields) -> int:
    section = fields.section("concurrency", "`concurrency`")
    if section is None:
        return 0
    limit = section.number("limit")
    section.close()
    return limit


def _volume(fields: Fields) -> Volume:
    host, temp = fields.section("host", f"`host` of {fields.what}"), fields.section("temp", f"`temp` of {fields.what}")
    volume = Volume(
        name=fields.text("name"),
        mark=fields.node.mark,
        host_path=host.text("path") if host else None,
        temporary=temp is not None,
        medium=temp.text("medium") if temp else "",
        size_limit=temp.size("size_limit") if temp else 0,
    )
    for section in (fields, host, temp):
        if section is not None:
            section.close(frozenset({"claim", "config_map", "secret"}) if section is fields else frozenset())
    return volume


def _mount(fields: Fields) -> VolumeMount:
    mount = VolumeMount(fields.text("name"), fields.text("path"), fields.node.mark)
    fields.close()
    return mount


def _device(fields: Fields) -> Device:
    device = Device(fields.text("name"), fields.text("path"))
    fields.close()
    return device


def decode_conditions(fields: Fields, name: str) -> Conditions:
    """The conditions under ``when`` or ``trigger``; any other shape or key is an error, for it would always hold."""
    section = fields.section(name, f"`{name}` of {fields.what}")
    if section is None:
        return Conditions()
    _refuse_unknown_conditions(section)
    return Conditions(**{key: _condition(key, section) for key in CONDITION_KEYS})


def _refuse_unknown_conditions(section: Fields) -> None:
    for entry in section.node.entries:
        key = entry.key.text if isinstance(entry.key, Scalar) else ""
        if not isinstance(entry.key, Scalar) or key in CONDITION_KEYS:
            continue
        cure = f"it knows {', '.join(CONDITION_KEYS)}"
        if key in {"include", "exclude"}:
            cure = f"put `{key}` below the condition it belongs to, such as branch"
        elif meant := nearest(key, CONDITION_KEYS):
            cure = f"did you mean `{meant}`?"
        section.report.error("unknown-condition", entry.key.mark, f"{section.what} has no condition `{key}`", cure)


def _condition(key: str, section: Fields) -> Condition:
    """Of a condition given twice, each shape replaces what it sets: a text or list the includes, a map both."""
    condition = Condition()
    for node in section.all(key):
        if is_null(node):
            condition = Condition()
        elif isinstance(node, Mapping):
            inner = Fields(node, f"condition `{key}`", section.report)
            condition = Condition(_patterns("include", inner), _patterns("exclude", inner))
            _refuse_unknown_clauses(inner)
        else:
            items = node.items if isinstance(node, Sequence) else (node,)
            condition = Condition(_pattern_texts(items, f"condition `{key}`", section.report), condition.exclude)
    return condition


def _patterns(name: str, inner: Fields) -> tuple[str, ...]:
    node = inner.get(name)
    if node is None:
        return ()
    if isinstance(node, Sequence):
        return _pattern_texts(node.items, f"`{name}` of {inner.what}", inner.report)
    message = f"`{name}` of {inner.what} must be a list; it is {shape(node)}"
    cure = f"write `{name}: [ {node.text} ]`" if isinstance(node, Scalar) else "write it as a list of texts"
    inner.report.error("bad-condition", node.mark, message, cure)
    return ()


def _pattern_texts(items: tuple[Node, ...], what: str, report: Report) -> tuple[str, ...]:
    for item in items:
        if not isinstance(item, Scalar) or is_null(item):
            report.error("bad-condition", item.mark, f"a pattern of {what} is {shape(item)}", "write a text")
    return tuple(scalar_text(item) for item in items if isinstance(item, Scalar))


def _refuse_unknown_clauses(inner: Fields) -> None:
    for entry in inner.node.entries:
        if isinstance(entry.key, Scalar) and entry.key.text not in {"include", "exclude"}:
            message = f"{inner.what} has no `{entry.key.text}`"
            inner.report.error("unknown-condition", entry.key.mark, message, "it takes include and exclude")
