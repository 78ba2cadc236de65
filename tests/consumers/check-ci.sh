#!/usr/bin/env bash
# check-ci.sh DIR...: lints the pipeline files in a folder offline, one PASS/FAIL line a check.
#
# Known by name: workflows (.github/workflows/, workflows/, examples/), actions (action.yml), GitLab files
# (*.gitlab-ci.yml) and GitLab component templates (templates/), at any depth below DIR.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib/paths.sh"
. "$here/lib/check.sh"

schema() { "$VENV/check-jsonschema" --builtin-schema "$@"; }
# Its schema is older than the permission to attest.
action_validator() {
  local file=$1 code
  if grep -q '^ *attestations: write$' "$1"; then file=$(mktemp --suffix=.yml); sed '/^ *attestations: write$/d' "$1" > "$file"; fi
  "$NODE" "$NODE_MODULES/@action-validator/cli/cli.mjs" "$file"; code=$?
  [ "$file" = "$1" ] || rm -f "$file"
  return "$code"
}
files() { find "$@" -type f -not -path '*/node_modules/*' | sort; }

check_workflow() {
  check "actionlint $1" "$GO_TOOLS/actionlint" -no-color "$1"
  check "check-jsonschema github-workflows $1" schema vendor.github-workflows "$1"
  check "check-jsonschema require-timeout $1" schema custom.github-workflows-require-timeout "$1"
  check "action-validator $1" action_validator "$1"
}

check_action() {
  check "check-jsonschema github-actions $1" schema vendor.github-actions "$1"
  check "action-validator $1" action_validator "$1"
}

check_gitlab() {
  check "check-jsonschema gitlab-ci $1" schema vendor.gitlab-ci --data-transform gitlab-ci "$1"
}

# A component template has two YAML documents; the second is checked, with its interpolations replaced.
check_component() {
  local body; body=$(mktemp --suffix=.yml)
  sed -n '/^---$/,$p' "$1" | sed '1d; s/\$\[\[ *inputs\.\([a-z-]*\) *\]\]/x-\1/g' > "$body"
  check "check-jsonschema gitlab-ci (body of) $1" schema vendor.gitlab-ci --data-transform gitlab-ci "$body"
  rm -f "$body"
}

# Actions are pinned by release tag, not by hash, in files that people copy; the rest of zizmor's rules hold.
zizmor() {
  "$VENV/zizmor" --offline --no-progress --min-severity medium \
    --config <(printf 'rules:\n  unpinned-uses:\n    config:\n      policies:\n        "*": ref-pin\n') "$@"
}

for dir in "$@"; do
  cd "$dir" || exit 2
  mapfile -t workflows < <(files . '(' -path '*/workflows/*.y*ml' -o -path '*/github/examples/*.y*ml' -o -path './examples/*.y*ml' ')')
  mapfile -t actions < <(files . -name 'action.y*ml')
  mapfile -t gitlab < <(files . -name '*.gitlab-ci.y*ml')
  mapfile -t components < <(files . -path '*/templates/*' -name '*.yml')
  for file in "${workflows[@]}"; do check_workflow "$file"; done
  for file in "${actions[@]}"; do check_action "$file"; done
  for file in "${gitlab[@]}"; do check_gitlab "$file"; done
  for file in "${components[@]}"; do check_component "$file"; done
  if [ $((${#workflows[@]} + ${#actions[@]})) -gt 0 ]; then
    check "zizmor $dir" zizmor "${workflows[@]}" "${actions[@]}"
  fi
  all=("${workflows[@]}" "${actions[@]}" "${gitlab[@]}" "${components[@]}")
  if [ ${#all[@]} -eq 0 ]; then
    echo "FAIL $dir: no pipeline file found"
    bad=1
  else
    check "yamllint $dir" "$VENV/yamllint" -s \
      -d '{extends: relaxed, rules: {line-length: disable, braces: disable, truthy: disable}}' "${all[@]}"
  fi
  cd "$OLDPWD" || exit 2
done
exit "$bad"
