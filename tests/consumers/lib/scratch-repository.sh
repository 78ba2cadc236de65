# shellcheck shell=bash
# scratch_repository DIR REMOTE: copies DIR to a temporary repository with one commit on `main` and goes there.
# It is removed when the script ends, unless KEEP_SCRATCH is set.
scratch_repository() {
  scratch=$(mktemp -d)
  [ -n "${KEEP_SCRATCH:-}" ] || trap 'rm -rf "$scratch"' EXIT
  cp -a "$1/." "$scratch"
  cd "$scratch" || exit 2
  rm -rf .git
  local git=(git -c user.email=palier@example.com -c user.name=palier)
  git init -q -b main . && "${git[@]}" add -A && "${git[@]}" commit -qm 'Run this pipeline' || exit 2
  git remote add origin "$2"
  git update-ref refs/remotes/origin/main HEAD
  git symbolic-ref refs/remotes/origin/HEAD refs/remotes/origin/main
}
