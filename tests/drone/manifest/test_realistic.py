"""Whole manifests of the shapes that people write, read without an error."""

from hypothesis import given
from hypothesis import strategies as st

from delegate_drone.manifest import Condition, SecretRef, load_manifest

GO = """\
---
kind: pipeline
type: docker
name: linux-amd64

platform: { os: linux, arch: amd64 }

clone:
  depth: 50

steps:
- name: test
  image: golang:1.22
  environment:
    GO111MODULE: on
    CGO_ENABLED: 0
  volumes: [ { name: cache, path: /go } ]
  commands:
  - go vet ./...
  - go test -race ./...
- name: publish
  image: plugins/docker
  settings:
    repo: example/tool
    auto_tag: true
    tags: [ "${DRONE_TAG##v}", latest ]
    username: { from_secret: registry_user }
    password: { from_secret: registry_password }
  when:
    event: [ tag ]
    ref: [ "refs/tags/v*" ]

services:
- name: database
  image: postgres:16
  environment: { POSTGRES_PASSWORD: not-a-secret }

volumes:
- name: cache
  temp: {}
---
kind: pipeline
type: docker
name: after
depends_on: [ linux-amd64 ]
steps:
- name: notify
  image: plugins/webhook
  settings: { urls: { from_secret: hook } }
  when: { status: [ success, failure ] }
---
kind: signature
hmac: 5f2d3c
...
"""

HOST = """\
kind: pipeline
type: exec
name: deploy

platform:
  os: linux
  arch: amd64

trigger:
  event: [ promote, rollback ]
  target: production

steps:
- name: build
  environment:
    BUILDDIR: /var/tmp/build
  commands:
  - cd app
  - |
    if ! make; then
      exit 1
    fi
- name: release
  commands:
  - ./release.sh "$DRONE_TAG" \\
    --to production
  depends_on: [ build ]
- name: announce
  commands: [ ./announce.sh ]
  depends_on: [ build ]
  failure: ignore
  when:
    status:
    - failure
    - success
"""


def test_a_docker_manifest_with_plugins_services_and_a_following_pipeline() -> None:
    manifest = load_manifest(GO, variables={"DRONE_TAG": "v1.10"}, strict=True)
    [amd64, after] = manifest.pipelines

    assert not manifest.problems
    assert (amd64.platform.arch, amd64.clone.depth, after.depends_on) == ("amd64", 50, ("linux-amd64",))
    assert amd64.steps[0].environment == {"GO111MODULE": "on", "CGO_ENABLED": "0"}
    assert amd64.steps[1].settings["tags"] == ("1.10", "latest")
    assert amd64.steps[1].settings["auto_tag"] is True
    assert isinstance(amd64.steps[1].settings["password"], SecretRef)
    assert amd64.steps[1].when.ref == Condition(("refs/tags/v*",))
    assert amd64.volumes[0].temporary
    assert after.steps[0].when.run_policy == "always"


def test_an_exec_manifest_with_a_graph_and_conditions() -> None:
    manifest = load_manifest(HOST, strict=True)
    [pipeline] = manifest.pipelines

    assert not manifest.problems
    assert pipeline.steps[0].commands == ("cd app", "if ! make; then\n  exit 1\nfi\n")
    assert pipeline.steps[1].commands == ('./release.sh "$DRONE_TAG" \\ --to production',)
    assert pipeline.trigger.match({"event": "promote", "target": "production"})
    assert not pipeline.trigger.match({"event": "push"})
    assert pipeline.steps[2].failure == "ignore"


DAMAGE = st.text(alphabet=" \t\n:-'\"{}[]&*$|>#", max_size=4)


@given(st.sampled_from([GO, HOST]), st.integers(0, 1200), st.integers(1, 40), DAMAGE)
def test_a_damaged_manifest_is_read_or_explained(text: str, place: int, length: int, instead: str) -> None:
    manifest = load_manifest(text[:place] + instead + text[place + length :])

    for document in manifest.documents:
        assert document.sound or document.problems
