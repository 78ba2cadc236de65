#!/usr/bin/env bash
# run-gitlab.sh REPO_DIR [gitlab-ci-local args...]: runs .gitlab-ci.yml with the shell executor, no Docker, offline.
# Artifacts are copied to $ARTIFACTS where set. A component include of the repository itself works when it is pinned
# to @$CI_COMMIT_SHA.
#
# A job with allow_failure.exit_codes that fails with another code prints FAIL, yet gitlab-ci-local exits 0: the
# result is read from its last lines. GITLAB_CI is "false" inside gitlab-ci-local; it is set to true here, so that
# the output is the one that the real system gets.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib/paths.sh"
. "$here/lib/scratch-repository.sh"
# The CI system that this may itself run in is not the one that is played here.
unset CI "${!GITHUB_@}" "${!GITLAB_@}" "${!CI_@}"

source_dir=$(realpath "$1"); shift
scratch_repository "$source_dir" git@gitlab.example:o/r.git
log=$(mktemp)
GCL_IGNORE_PREDEFINED_VARS=CI_PIPELINE_SOURCE,GITLAB_CI timeout 300 \
  "$NODE" "$NODE_MODULES/gitlab-ci-local/dist/index.js" --force-shell-executor --variable GITLAB_CI=true "$@" \
  </dev/null 2>&1 | tee "$log"
code=${PIPESTATUS[0]}
if sed 's/\x1b\[[0-9;]*m//g' "$log" | grep -qE '^ FAIL '; then code=1; fi
rm -f "$log"
echo "gitlab-ci-local exit=$code"
if [ -d .gitlab-ci-local/artifacts ]; then
  find .gitlab-ci-local/artifacts -type f -not -path '*gitlab-ci-reports*' | sort
  if [ -n "${ARTIFACTS:-}" ]; then cp -a .gitlab-ci-local/artifacts/. "$ARTIFACTS/"; fi
fi
exit "$code"
