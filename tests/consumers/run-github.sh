#!/usr/bin/env bash
# run-github.sh REPO_DIR [EVENT] [act args...]: runs a repository's workflows on this host with act, no Docker, offline.
# Needs an actions/checkout step (act copies the tree instead of fetching it). Other actions are replaced by lib/stubs/,
# which keep what they are given in $STUB_STORE.
# Example: run-github.sh DIR schedule -W .github/workflows/nightly.yml --var PALIER_BIN=/path/to/palier
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib/paths.sh"
. "$here/lib/scratch-repository.sh"
# The CI system that this may itself run in is not the one that is played here.
unset CI "${!GITHUB_@}" "${!GITLAB_@}" "${!CI_@}"

source_dir=$(realpath "$1"); event=${2:-push}; shift; shift || true
export STUB_STORE=${STUB_STORE:-$(mktemp -d)}
scratch_repository "$source_dir" https://github.com/o/r.git

stubs=()
for version in v4 v5; do
  for action in upload-artifact cache upload-pages-artifact deploy-pages; do
    stubs+=(--local-repository "actions/$action@$version=$here/lib/stubs/$action")
  done
done
# palier's own action is the one of this clone, whatever the release that a workflow names; act copies all that it is
# given, so it is given no more than the action.
root=$(realpath "$here/../..")
own_action=$scratch/.git/palier
mkdir -p "$own_action/ci"
cp -a "$root/ci/github" "$own_action/ci/"
cp "$root/Cargo.toml" "$root/Cargo.lock" "$own_action/"
mapfile -t own < <(grep -rhoE 'OWNER/palier/ci/github@[^ ]+' .github/workflows 2>/dev/null | sort -u)
for uses in ${own[@]+"${own[@]}"}; do
  stubs+=(--local-repository "OWNER/palier@${uses#*@}=$own_action")
done
# Actions written for Node find the pinned one.
PATH=$(dirname "$NODE"):$PATH timeout 300 "$GO_TOOLS/act" "$event" -P ubuntu-latest=-self-hosted --no-cache-server \
  "${stubs[@]}" --env STUB_STORE="$STUB_STORE" "$@" </dev/null
code=$?
echo "act exit=$code store=$STUB_STORE"
find "$STUB_STORE" -type f | sort | sed "s#$STUB_STORE#  #"
exit "$code"
