#!/usr/bin/env bash
# pipelines.sh PALIER_BIN: runs the GitHub and GitLab examples of ci/ with a real palier, on act and gitlab-ci-local.
# Checks that the job is green on a pass and red on a failing threshold, and, both times, that the reports are kept:
# JUnit file and summary as artifacts, the verdict on GitHub's summary page, the success rate as GitLab's coverage.
#
# The runs are shortened by PALIER_TIME_SCALE (0.2 by default). KEEP_SCRATCH=1 leaves logs and artifacts where the
# last line says.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(realpath "$here/../..")
. "$here/lib/check.sh"
palier=$(realpath "$1")
time_scale=${PALIER_TIME_SCALE:-0.2}

work=$(mktemp -d)
demo_pid=
finish() {
  [ -z "$demo_pid" ] || kill "$demo_pid" 2>/dev/null
  if [ -n "${KEEP_SCRATCH:-}" ]; then echo "kept: $work"; else rm -rf "$work"; fi
}
trap finish EXIT INT TERM

# The examples name a binary and take no further arguments, so what a case changes is put in by a script that they
# run as palier. It also keeps what palier wrote to the step summary.
# stand_in NAME ARGS...: ARGS follow the example's own; "target=URL" puts that target in the place of the demo.
stand_in() {
  local file=$work/$1 target=; shift
  if [[ ${1:-} == target=* ]]; then target=${1#target=}; shift; fi
  cat > "$file" <<SCRIPT
#!/usr/bin/env bash
args=()
for arg in "\$@"; do
  if [ -n '$target' ] && [ "\$arg" = --demo ]; then args+=(--target '$target'); else args+=("\$arg"); fi
done
'$palier' "\${args[@]}" --time-scale $time_scale ${*@Q}
code=\$?
if [ -n "\${GITHUB_STEP_SUMMARY:-}" ]; then cp "\$GITHUB_STEP_SUMMARY" "\$STUB_STORE/step-summary.md"; fi
exit \$code
SCRIPT
  chmod +x "$file"
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# A demo API that answers three requests of ten with an error: thresholds on `checks` and `errors` fail.
start_bad_demo() {
  local port attempt; port=$(free_port)
  bad_target=http://127.0.0.1:$port
  "$palier" demo --port "$port" --error-rate 0.3 > "$work/demo.log" 2>&1 &
  demo_pid=$!
  for attempt in $(seq 100); do
    if (exec 3<> "/dev/tcp/127.0.0.1/$port") 2>/dev/null; then return; fi
    sleep 0.1
  done
  echo "FAIL the demo did not start after $attempt tries:"; cat "$work/demo.log"
  exit 1
}

repository() {
  mkdir -p "$work/github/.github/workflows" "$work/gitlab"
  cp "$root/ci/github/examples/load-test.yml" "$work/github/.github/workflows/"
  cp "$root/ci/gitlab/load-test.gitlab-ci.yml" "$work/gitlab/.gitlab-ci.yml"
  # Reports that a run leaves in the clone are no part of it.
  echo palier-report/ | tee "$work/github/.gitignore" > "$work/gitlab/.gitignore"
}

github() { # github CASE
  export STUB_STORE=$work/github-$1
  mkdir -p "$STUB_STORE"
  "$here/run-github.sh" "$work/github" workflow_dispatch --var PALIER_BIN="$work/$1" > "$work/github-$1.log" 2>&1
}

gitlab() { # gitlab CASE
  mkdir -p "$work/gitlab-$1"
  ARTIFACTS=$work/gitlab-$1 "$here/run-gitlab.sh" "$work/gitlab" --variable PALIER_BIN="$work/$1" \
    > "$work/gitlab-$1.log" 2>&1
}

exits() { # exits CODE COMMAND...: the command ends with that code
  local want=$1 code; shift
  "$@"; code=$?
  [ "$code" -eq "$want" ]
}

# The log of a run, without colours and without act's or gitlab-ci-local's prefix.
log_has() { sed 's/\x1b\[[0-9;]*m//g' "$work/$1.log" | grep -qE "$2"; }

artifact_is_kept() { # artifact_is_kept CASE: what every run leaves, whatever its verdict
  local dir; dir=$(dirname "$(find "$work/$1" -name junit.xml -not -path '*gitlab-ci-reports*' | head -1)") || return 1
  for file in summary.json junit.xml summary.md badge.svg badge.json; do
    if [ ! -s "$dir/$file" ]; then echo "no $file in the artifact:"; find "$work/$1" -type f; return 1; fi
  done
}

junit_is_readable() {
  "$here/check-junit.sh" "$(find "$work/$1" -name junit.xml -not -path '*gitlab-ci-reports*' | head -1)" --contract --fast
}

verdict_is() { # verdict_is CASE VERDICT
  local file; file=$(find "$work/$1" -name summary.json | head -1)
  python3 -c 'import json, sys
verdict = json.load(open(sys.argv[1]))["verdict"]
sys.exit(f"the verdict is {verdict}" if verdict != sys.argv[2] else 0)' "$file" "$2"
}

# check_case SYSTEM CASE EXIT VERDICT
check_case() {
  local before=$bad name="$1 $2"
  check "$name: ends with $3" exits "$3" "$1" "$2"
  check "$name: the verdict is $4" verdict_is "$1-$2" "$4"
  check "$name: the reports are kept" artifact_is_kept "$1-$2"
  check "$name: JUnit is readable" junit_is_readable "$1-$2"
  case $1 in
    github) check "$name: the step summary names the verdict" grep -qi "$4" "$work/$1-$2/step-summary.md" ;;
    # gitlab-ci-local shows the coverage of green jobs only; the line it is taken from is there always.
    gitlab) check "$name: the success rate is printed" log_has "$1-$2" '> palier: .* success [0-9]+(\.[0-9]+)?%$' ;;
  esac
  if [ "$bad" -gt "$before" ]; then sed "s/^/    $1: /" "$work/$1-$2.log" | tail -60; fi
}

repository
start_bad_demo
stand_in green
stand_in orange --set 'warnings.http_reqs=["count<1"]'
stand_in red "target=$bad_target"

check_case github green 0 pass
check_case github red 1 fail
check_case gitlab green 0 pass
check "gitlab green: the success rate is the coverage" log_has gitlab-green 'load-test .*[0-9]% coverage'
check_case gitlab orange 0 warn
check "gitlab orange: the job is allowed to fail" log_has gitlab-orange '^ WARN +load-test'
check_case gitlab red 1 fail
exit "$bad"
