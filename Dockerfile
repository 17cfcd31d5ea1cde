# The runner as a container image. See docs/image.md.
#
#   docker build --tag delegate .
#
# BASE is any Linux with Python 3.11 or newer and its venv; git is installed there with apt-get if it is missing.
# Packages come from where pip is told to look: give it a pip.conf with `--secret id=pip.conf,src=...`; or put the
# wheels into requirements/wheels and say `--build-arg PIP_NO_INDEX=1`.

ARG BASE=docker.io/library/python:3.13-slim

FROM ${BASE} AS built
ARG PIP_NO_INDEX=
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_FIND_LINKS=/source/requirements/wheels
WORKDIR /source
COPY requirements requirements
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    python3 -m venv /build \
 && /build/bin/pip install --quiet --no-deps --require-hashes -r requirements/build.txt \
 && python3 -m venv /opt/delegate \
 && /opt/delegate/bin/pip install --quiet --no-deps --require-hashes -r requirements/run.txt
COPY . .
RUN for project in . plugins/docker plugins/drone plugins/harness; do \
      (cd "$project" && /build/bin/python -m hatchling build -t wheel -d /wheels) || exit; \
    done \
 && /opt/delegate/bin/pip install --quiet --no-deps --no-index /wheels/*.whl \
 && /opt/delegate/bin/pip uninstall --quiet --yes pip setuptools

FROM ${BASE}
ARG PACKAGES="ca-certificates git openssh-client"
RUN if ! command -v git >/dev/null; then \
      apt-get update -qq && apt-get install -qq --yes --no-install-recommends ${PACKAGES} && rm -rf /var/lib/apt/lists/*; \
    fi \
 && echo 'delegate:x:10001:10001:runner:/var/lib/delegate:/bin/sh' >>/etc/passwd \
 && echo 'delegate:x:10001:' >>/etc/group \
 && mkdir -p -m 0700 /var/lib/delegate /etc/delegate \
 && chmod 0755 /etc/delegate \
 && chown 10001:10001 /var/lib/delegate
COPY --from=built /opt/delegate /opt/delegate

ENV PATH=/opt/delegate/bin:$PATH \
    HOME=/var/lib/delegate \
    XDG_CONFIG_HOME=/etc \
    DELEGATE_STATE_DIR=/var/lib/delegate/state
USER 10001:10001
WORKDIR /var/lib/delegate

ARG VERSION=
ARG REVISION=
LABEL org.opencontainers.image.title="delegate" \
      org.opencontainers.image.description="An extensible runner for CI control planes: Harness, Drone and anything with the same interface." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# A drain is told by SIGTERM. An outage of the server makes no runner unhealthy: its tasks go on.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["delegate", "health"]
ENTRYPOINT ["delegate"]
CMD ["run"]
