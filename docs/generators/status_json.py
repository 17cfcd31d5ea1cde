"""The fields of ``/status.json``, from its models."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from delegate_core.status.report import SCHEMA_VERSION, StatusReport
from docs.generators.markdown import code, joined, prose, table

__all__ = ["page"]

_INTRODUCTION = f"""\
# status.json

<!-- Made from delegate_core/status/report.py by docs/generators/status_json.py: make reference. -->

What `GET /status.json` answers, and each `status` event of `GET /events`; [who may ask](../status.md#who-may-look).
This is version {SCHEMA_VERSION} of its schema, which every answer names: fields are added, never changed or taken
away. Times are seconds since 1970, durations and ages seconds. [status.schema.json](status.schema.json) is the same
for programs.

```sh
curl --silent --header "Authorization: Bearer $TOKEN" http://127.0.0.1:9210/status.json
```"""


def page() -> str:
    """The whole page."""
    return joined([_INTRODUCTION, *_parts(StatusReport.model_json_schema(mode="serialization"))])


def _parts(schema: dict[str, Any]) -> Iterator[str]:
    yield "## The report"
    yield _fields(schema)
    for name, part in schema["$defs"].items():
        yield f"## {name}"
        yield prose(inspect.cleandoc(part.get("description", "")))
        yield _fields(part)


def _fields(schema: dict[str, Any]) -> str:
    return table(["field", "type"], [[code(name), _type(part)] for name, part in schema["properties"].items()])


def _type(part: dict[str, Any]) -> str:
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in part:
        return " or ".join(_type(each) for each in part["anyOf"])
    if part.get("type") == "array":
        return f"list of {_type(part['items'])}"
    if part.get("type") == "object":
        return f"map of {_type(part['additionalProperties'])}"
    return str(part["type"])
