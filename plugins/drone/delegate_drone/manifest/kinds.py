"""Decides what kind a document is, and has it decoded."""

from __future__ import annotations

from delegate_drone.manifest.decoding import decode_dependencies, decode_pipeline
from delegate_drone.manifest.fields import Fields, nearest, shape
from delegate_drone.manifest.models import Content, Foreign, Secret, Signature
from delegate_drone.manifest.nodes import Mapping, Node
from delegate_drone.manifest.problems import Report
from delegate_drone.manifest.values import plain_value

__all__ = ["interpret"]

_KINDS = ("pipeline", "secret", "signature", "template")
_TYPES = ("docker", "exec", "kubernetes", "ssh", "vm")
_INTERPRETED = {"": "docker", "docker": "docker", "exec": "exec"}


def interpret(node: Node, report: Report) -> Content | None:
    """What a document says; None if it is no map or says nothing of its kind, with the reason in the report."""
    if not isinstance(node, Mapping):
        cure = "a document begins with `kind: pipeline`"
        report.error("no-map", node.mark, f"a document must be a map; this one is {shape(node)}", cure)
        return None
    fields = Fields(node, "the document", report)
    kind = fields.text("kind")
    if not kind:
        _explain_missing_kind(fields)
        return None
    return _of_kind(kind, fields)


def _of_kind(kind: str, fields: Fields) -> Content:
    type_ = fields.text("type")
    if kind == "pipeline" and type_ in _INTERPRETED:
        fields.what = "the pipeline"
        return decode_pipeline(fields, _INTERPRETED[type_])
    if kind == "secret":
        return _secret(fields)
    if kind == "signature":
        return _signature(fields)
    _warn_of_near_misses(kind, type_, fields)
    # A foreign document owns its shape: only its name and order mean the same to everyone.
    quiet = Fields(fields.node, "the document", fields.report.child())
    name, dependencies = quiet.text("name"), decode_dependencies(quiet)
    return Foreign(kind, type_, name, fields.node.mark, plain_value(fields.node), dependencies)


def _secret(fields: Fields) -> Secret:
    get = fields.section("get", "`get`")
    data = "" if isinstance(fields.get("data"), Mapping) else fields.text("data")
    path, name, key = (get.text("path"), get.text("name"), get.text("key")) if get else ("", "", "")
    secret = Secret(fields.text("name"), fields.node.mark, data, path, name or key)
    fields.close(frozenset({"type", "version"}))
    if not (data or path or name):
        cure = "give it `data`, or `get` with a path and a name"
        fields.report.warning("empty-secret", fields.node.mark, f"secret `{secret.name}` says not where it is", cure)
    return secret


def _signature(fields: Fields) -> Signature:
    signature = Signature(fields.node.mark, fields.text("hmac"), fields.text("name"))
    fields.close(frozenset({"type", "version"}))
    return signature


def _warn_of_near_misses(kind: str, type_: str, fields: Fields) -> None:
    meant = nearest(kind, _KINDS)
    if meant and meant != kind:
        fields.report.warning("unknown-kind", fields.mark("kind"), f"`{kind}` is no kind", f"did you mean `{meant}`?")
    meant = nearest(type_, _TYPES) if kind == "pipeline" else None
    if meant and meant != type_:
        message = f"`{type_}` is not a type that is known here"
        fields.report.warning("unknown-type", fields.mark("type"), message, f"did you mean `{meant}`?")


def _explain_missing_kind(fields: Fields) -> None:
    mark, report = fields.node.mark, fields.report
    if fields.has("pipeline"):
        message = "this is the format of Drone 0.8, where `pipeline` is a map of steps"
        cure = "write `kind: pipeline`, `name: default`, and `steps` as a list, each step beginning with `- name:`"
        report.error("legacy", fields.mark("pipeline"), message, cure)
    elif fields.has("build"):
        message = "this is the format of Drone 0.4, with `build`, `deploy` and `notify`"
        report.error("legacy", fields.mark("build"), message, "rewrite it as `kind: pipeline` with a list of `steps`")
    elif fields.has("steps"):
        report.error("no-kind", mark, "the document has steps but no kind", "begin it with `kind: pipeline`")
    else:
        report.warning("no-kind", mark, "the document has no kind and is ignored", "begin it with `kind: ...`")
