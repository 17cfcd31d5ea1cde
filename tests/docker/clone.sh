#!/bin/sh
set -eu
# The interface of a clone image: what to fetch, how and as whom is told in variables. Each that is needed has to be there.
: "${DRONE_WORKSPACE:?}" "${DRONE_REMOTE_URL:?}" "${DRONE_BUILD_EVENT:?}" "${DRONE_COMMIT_SHA:?}" "${DRONE_COMMIT_REF:?}"
export HOME=/root GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
export GIT_AUTHOR_NAME=clone GIT_AUTHOR_EMAIL=clone@localhost GIT_COMMITTER_NAME=clone GIT_COMMITTER_EMAIL=clone@localhost
if [ -n "${DRONE_NETRC_MACHINE:-}" ]; then
  printf 'machine %s login %s password %s\n' \
    "$DRONE_NETRC_MACHINE" "$DRONE_NETRC_USERNAME" "$DRONE_NETRC_PASSWORD" > "$HOME/.netrc"
fi
[ "${PLUGIN_SKIP_VERIFY:-}" != true ] || export GIT_SSL_NO_VERIFY=true
depth=${PLUGIN_DEPTH:+--depth=$PLUGIN_DEPTH}
mkdir -p "$DRONE_WORKSPACE"
cd "$DRONE_WORKSPACE"
echo "cloning $DRONE_REMOTE_URL for $DRONE_BUILD_EVENT with ${depth:-the whole history}"
git -c init.defaultBranch=none init -q
git remote add origin "$DRONE_REMOTE_URL"
case $DRONE_BUILD_EVENT in
pull_request)
  git fetch -q $depth origin "+refs/heads/${DRONE_COMMIT_BRANCH:?}:"
  git checkout -q -B "$DRONE_COMMIT_BRANCH" FETCH_HEAD
  git fetch -q origin "$DRONE_COMMIT_REF:"
  git merge -q "$DRONE_COMMIT_SHA" ;;
tag)
  git fetch -q $depth origin "+refs/tags/${DRONE_TAG:?}:"
  git checkout -q -f FETCH_HEAD ;;
*)
  git fetch -q $depth origin "+refs/heads/${DRONE_COMMIT_BRANCH:?}:"
  git checkout -q "$DRONE_COMMIT_SHA" -B "$DRONE_COMMIT_BRANCH" ;;
esac
