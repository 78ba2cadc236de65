#!/usr/bin/env bash
# pipelines.sh PALIER_BIN: `palier init` writes a pipeline into an empty repository, and act and gitlab-ci-local run it
# with a real palier against the demo: green, orange on a warning, red on a failing threshold, red where the target is
# down. Read back: verdict, exit code and paths as outputs, the step summary, annotations, artifacts, the success rate as
# GitLab's coverage, what `palier sweep` does at the end. And the action's own ways to a palier, from a release it is
# served here. KEEP_SCRATCH=1 leaves logs and artifacts where the last line says.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(realpath "$here/../..")
. "$here/lib/check.sh"
palier=$(realpath "$1")

work=$(mktemp -d)
servers=()
finish() {
  [ ${#servers[@]} -eq 0 ] || kill "${servers[@]}" 2>/dev/null
  if [ -n "${KEEP_SCRATCH:-}" ]; then echo "kept: $work"; else rm -rf "$work"; fi
}
trap finish EXIT
trap 'exit 130' INT TERM

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# serve NAME COMMAND...: starts a server on $port and waits for it.
serve() {
  local name=$1 attempt; shift
  "$@" > "$work/$name.log" 2>&1 &
  servers+=($!)
  for attempt in $(seq 100); do
    if (exec 3<> "/dev/tcp/127.0.0.1/$port") 2>/dev/null; then return; fi
    sleep 0.1
  done
  echo "FAIL $name did not start after $attempt tries:"; cat "$work/$name.log"
  exit 1
}

# The palier of the runner. It also keeps what palier handed to the step.
stand_in() {
  cat > "$work/palier" <<SCRIPT
#!/usr/bin/env bash
'$palier' "\$@"
code=\$?
if [ "\$1" = run ] && [ -n "\${GITHUB_STEP_SUMMARY:-}" ]; then
  cp "\$GITHUB_STEP_SUMMARY" "\$STUB_STORE/step-summary.md"
  cp "\$GITHUB_OUTPUT" "\$STUB_STORE/outputs.txt"
fi
exit \$code
SCRIPT
  chmod +x "$work/palier"
}

# repository CASE URL WARNING THRESHOLD: what `palier init` writes, with a profile of two seconds.
repository() {
  local case=$1 url=$2 warning=$3 threshold=$4 system folder
  for system in github gitlab; do
    folder=$work/$system-$case/repository
    mkdir -p "$folder"
    (cd "$folder" && git init -q . && "$palier" init "$system" > "../init.txt") || return 1
    echo palier-report/ > "$folder/.gitignore"
    cat > "$folder/profiles/load-test.toml" <<PROFILE
extends = "quick"
[target]
url = "$url"
ready = { get = "/health", within = "2s" }
[load]
stages = [{ name = "climb", duration = "1s", target = 5 }, { name = "hold", duration = "2s", target = 5 }]
[thresholds]
http_req_duration = ["avg<$threshold"]
errors = ["rate<10%"]
checks = ["rate>90%"]
[warnings]
http_reqs = ["count>$warning"]
PROFILE
  done
}

github() { # github CASE
  export STUB_STORE=$work/github-$1/store
  mkdir -p "$STUB_STORE"
  "$here/run-github.sh" "$work/github-$1/repository" workflow_dispatch --env PALIER_BIN="$work/palier" \
    > "$work/github-$1/log" 2>&1
}

gitlab() { # gitlab CASE
  mkdir -p "$work/gitlab-$1/store"
  ARTIFACTS=$work/gitlab-$1/store "$here/run-gitlab.sh" "$work/gitlab-$1/repository" --variable PALIER_BIN="$work/palier" \
    > "$work/gitlab-$1/log" 2>&1
}

exits() { # exits CODE COMMAND...: the command ends with that code
  local want=$1 code; shift
  "$@"; code=$?
  [ "$code" -eq "$want" ]
}

# The log of a run, without colours and without act's or gitlab-ci-local's prefix.
log_has() { sed 's/\x1b\[[0-9;]*m//g' "$work/$1/log" | grep -E -- "$2" > /dev/null; }

artifact() { find "$work/$1/store" -name "$2" -not -path '*gitlab-ci-reports*' | head -1; }

artifact_is_kept() { # artifact_is_kept CASE: what every run leaves, whatever its verdict
  local file
  for file in summary.json junit.xml report.html summary.md badge.svg badge.json; do
    if [ ! -s "$(artifact "$1" "$file")" ]; then echo "no $file in the artifact:"; find "$work/$1/store" -type f; return 1; fi
  done
}

junit_is_readable() { "$here/check-junit.sh" "$(artifact "$1" junit.xml)" --contract --fast; }

verdict_is() { # verdict_is CASE VERDICT
  python3 -c 'import json, sys
verdict = json.load(open(sys.argv[1]))["verdict"]
sys.exit(f"the verdict is {verdict}" if verdict != sys.argv[2] else 0)' "$(artifact "$1" summary.json)" "$2"
}

output_is() { grep -qxE -- "$2" "$work/$1/store/outputs.txt" || { cat "$work/$1/store/outputs.txt"; return 1; }; }

# check_case SYSTEM CASE EXIT VERDICT CODE
check_case() {
  local before=$bad name="$1 $2" job=$1-$2
  check "$name: ends with $3" exits "$3" "$1" "$2"
  check "$name: the verdict is $4" verdict_is "$job" "$4"
  check "$name: the reports are kept" artifact_is_kept "$job"
  check "$name: JUnit is readable" junit_is_readable "$job"
  case $1 in
    github)
      check "$name: the step summary names the verdict" grep -qi "$4" "$work/$job/store/step-summary.md"
      check "$name: the verdict is an output of the step" output_is "$job" "verdict=$4"
      check "$name: the exit code is an output of the step" output_is "$job" "exit-code=$5"
      check "$name: the badge's path is an output of the step" output_is "$job" 'badge=/.*/palier-report/badge\.svg'
      check "$name: the runner has taken the verdict as an output" log_has "$job" "set-output:: verdict=$4"
      ;;
    # gitlab-ci-local shows the coverage of green jobs only; the line it is taken from is there wherever there was load.
    gitlab) [ "$4" = invalid ] || check "$name: the success rate is printed" log_has "$job" '> palier: .* success [0-9]+(\.[0-9]+)?%$' ;;
  esac
  if [ "$bad" -gt "$before" ]; then sed "s/^/    $1: /" "$work/$job/log" | tail -60; fi
}

writes_nothing_twice() { # writes_nothing_twice SYSTEM
  local folder=$work/$1-green/repository before
  before=$(cd "$folder" && find . -name .git -prune -o -type f -exec cksum {} +)
  (cd "$folder" && "$palier" init "$1") | grep -q '^kept' || return 1
  [ "$before" = "$(cd "$folder" && find . -name .git -prune -o -type f -exec cksum {} +)" ]
}

# The action takes palier from a release, which is served here, and refuses one that is not what its checksum says.
release_is_taken() {
  local folder=$work/release name version target=x86_64-unknown-linux-musl; version=v$("$palier" --version | cut -d' ' -f2)
  [ "$(uname -m)" = x86_64 ] || target=aarch64-unknown-linux-musl
  name=palier-$version-$target
  mkdir -p "$folder/o/palier/releases/download/$version" "$folder/temp"
  "$root/ci/package" "$palier" "$target" "$folder/o/palier/releases/download/$version" || return 1
  (cd "$folder/o/palier/releases/download/$version" && sha256sum -- *.tar.gz > SHA256SUMS) || return 1
  port=$(free_port)
  serve release python3 -m http.server "$port" --bind 127.0.0.1 --directory "$folder"
  get() {
    env -u PALIER_BIN ACTION_PATH="$root/ci/github" ACTION_REPOSITORY=o/palier ACTION_REF="$1" INPUT_VERSION="$2" RUNNER_TEMP="$folder/temp" \
      GITHUB_SERVER_URL="http://127.0.0.1:$port" GITHUB_OUTPUT="$folder/output" "$root/ci/github/get-palier" find
  }
  : > "$folder/output"
  get v1 '' || return 1
  "$(sed -n 's/^palier=//p' "$folder/output")" --version || return 1
  for file in man/palier.1 man/palier-run.1 completions/palier.bash LICENSE-MIT; do
    [ -s "$folder/temp/palier-$version/$file" ] || { echo "the release has no $file"; return 1; }
  done
  # Of a branch, the sources.
  : > "$folder/output"
  get main '' && grep -qx "source=$root" "$folder/output" || return 1
  ! get v1 v9.9.9 || return 1
  ! get v1 latest || return 1
  printf x >> "$folder/o/palier/releases/download/$version/$name.tar.gz"
  ! get v1 '' 
}

# Inputs are text: what the shell would run stays what it is.
inputs_are_text() {
  local folder=$work/inputs
  mkdir -p "$folder"
  # The stand-in for palier shows its arguments: what is looked at is how they come to it.
  printf '#!/bin/sh\nfor arg; do printf "[%%s]\\n" "$arg"; done\nexit 7\n' > "$folder/show" && chmod +x "$folder/show"
  (cd "$folder" && PALIER=./show INPUT_PROFILE='a b; touch hacked' INPUT_TARGET='' INPUT_ARGS=$'--set\nload.vus=$(touch hacked)\n\n-q' \
    INPUT_BASELINE=$'one.json\ntwo words.json' INPUT_HISTORY='' INPUT_ON_WARN=pass INPUT_OUT=out GITHUB_OUTPUT=outputs \
    "$root/ci/github/run-palier" run > shown)
  [ $? -eq 7 ] && [ ! -e "$folder/hacked" ] && grep -qx 'exit-code=7' "$folder/outputs" || return 1
  diff "$folder/shown" - <<'SHOWN'
[run]
[a b; touch hacked]
[--out]
[out]
[--on-warn]
[pass]
[--baseline]
[one.json]
[--baseline]
[two words.json]
[--set]
[load.vus=$(touch hacked)]
[-q]
SHOWN
}

stand_in
port=$(free_port)
serve demo "$palier" demo --port "$port"
target=http://127.0.0.1:$port
down=http://127.0.0.1:$(free_port)
# So slow that no delay of a busy machine explains it, which would make the verdict `invalid`.
port=$(free_port)
serve slow-demo "$palier" demo --port "$port" --latency 300ms
slow=http://127.0.0.1:$port
repository green "$target" 1 10s
repository orange "$target" 1000000 10s
repository red "$slow" 1 1ms
repository down "$down" 1 10s

check_case github green 0 pass 0
check_case github red 1 fail 99
check "github red: the reason is an annotation beside the profile's line" log_has github-red 'error file=profiles/load-test.toml,line=8'
check_case github down 1 invalid 98
check "github: init overwrites nothing" writes_nothing_twice github
check_case gitlab green 0 pass 0
check "gitlab green: the success rate is the coverage" log_has gitlab-green 'load-test .*[0-9]% coverage'
check_case gitlab orange 0 warn 3
check "gitlab orange: the job is allowed to fail" log_has gitlab-orange '^ WARN +load-test'
check_case gitlab red 1 fail 99
check_case gitlab down 1 invalid 98
check "gitlab: init overwrites nothing" writes_nothing_twice gitlab
check "the action: inputs are text" inputs_are_text
check "the action: a release is taken, and checked" release_is_taken
exit "$bad"
