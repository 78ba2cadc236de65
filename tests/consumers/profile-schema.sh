#!/usr/bin/env bash
# profile-schema.sh: profile.schema.json in the hands of three readers that editors and CI use. They accept all shipped
# profiles and the good samples, without a warning, and refuse each of the bad samples, which are wrong in one thing.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.." || exit 2
. "$here/lib/paths.sh"
. "$here/lib/check.sh"
PATH=$(dirname "$NODE"):$PATH
schema=profile.schema.json
good=(profiles/*.toml profiles/scenarios/*.toml tests/samples/profiles/good/*.toml)
bad_samples=(tests/samples/profiles/bad/*.toml)

# A file whose schema is not found is accepted by editors without a look.
names_the_schema() {
  local file line code=0
  for file in "${good[@]}" "${bad_samples[@]}"; do
    read -r line < "$file"
    if [ "$(realpath "$(dirname "$file")/${line#\#:schema }")" != "$(realpath "$schema")" ]; then
      echo "$file: line 1 does not lead to $schema"; code=1
    fi
  done
  return "$code"
}

# refused READER COMMAND...: the command, given all bad samples at once, complains about each of them.
refused() {
  local reader=$1 output code; shift
  output=$("$@" "${bad_samples[@]}" 2>&1); code=$?
  check "$reader refuses ${#bad_samples[@]} bad samples" all_named "$code" "$output"
}

all_named() {
  local file
  if [ "$1" -eq 127 ]; then return 127; fi
  for file in "${bad_samples[@]}"; do
    if [[ $2 != *"$file"* ]]; then echo "accepted: $file"; return 1; fi
  done
}

check_jsonschema=("$VENV/check-jsonschema" --schemafile "$schema")
# INFO lines name files that are fine.
taplo=(env RUST_LOG=error timeout 120 "$NODE_MODULES/.bin/taplo" lint --colors never --schema "file://$PWD/$schema")
tombi=("$VENV/tombi" lint --offline)

check "first lines lead to $schema" names_the_schema
check "metaschema" "$VENV/check-jsonschema" --check-metaschema "$schema"
check "check-jsonschema accepts ${#good[@]} files" "${check_jsonschema[@]}" "${good[@]}"
check "taplo accepts ${#good[@]} files" "${taplo[@]}" "${good[@]}"
check "tombi accepts ${#good[@]} files" "${tombi[@]}" --error-on-warnings "${good[@]}"
refused check-jsonschema "${check_jsonschema[@]}"
refused taplo "${taplo[@]}"
refused tombi env NO_COLOR=1 "${tombi[@]}"
exit "$bad"
