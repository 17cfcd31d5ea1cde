"""Pipelines for the demonstration."""

from __future__ import annotations

from delegate_core.development import Example

__all__ = ["EXAMPLES"]

_PARALLEL = """\
kind: pipeline
type: exec
name: a pipeline
clone: {disable: true}
steps:
- name: prepare
  commands: [echo "sources of $DRONE_REPO" > sources]
- name: test
  depends_on: [prepare]
  commands: [grep -q "$DRONE_REPO" sources, sleep 0.3, echo all tests pass]
- name: lint
  depends_on: [prepare]
  commands: [sleep 0.2, echo nothing to complain about]
- name: publish
  depends_on: [test, lint]
  commands: [echo "published build $DRONE_BUILD_NUMBER of $DRONE_BRANCH"]
"""

_FAILING = """\
kind: pipeline
type: exec
name: a failing pipeline
clone: {disable: true}
steps:
- name: test
  commands: [echo two tests fail, exit 2]
- name: publish
  commands: [echo this is not reached]
- name: notify
  commands:
  - echo "$DRONE_FAILED_STEPS failed, status $DRONE_STAGE_STATUS"
  when: {status: [failure]}
"""

EXAMPLES = (
    Example("a pipeline, two of its steps side by side", "exec", _PARALLEL, ("succeeded",), "published build"),
    Example("a pipeline whose test fails", "exec", _FAILING, ("failed",), "test failed, status failure"),
)
