#!/usr/bin/env bash
# check-schema.sh SCHEMA.json FILE.toml...: three independent readers of a JSON schema for TOML.
# For editors the TOML's first line must be '#:schema ./SCHEMA.json' (taplo / Even Better TOML, tombi).
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib/paths.sh"
. "$here/lib/check.sh"
PATH=$(dirname "$NODE"):$PATH

schema=$(realpath "$1"); shift
check "metaschema" "$VENV/check-jsonschema" --check-metaschema "$schema"
for file in "$@"; do
  file=$(realpath "$file")
  check "check-jsonschema $file" "$VENV/check-jsonschema" --schemafile "$schema" "$file"
  check "taplo $file" timeout 120 "$NODE_MODULES/.bin/taplo" lint --schema "file://$schema" "$file"
  check "tombi $file" "$VENV/tombi" lint --offline "$file"
done
exit "$bad"
