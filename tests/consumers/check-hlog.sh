#!/usr/bin/env bash
# check-hlog.sh FILE [TAG...]: HdrHistogram's own processor (Java) reads the log as a whole, and each TAG of it.
# An interval without values is read, but a TAG has to have some.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib/paths.sh"
. "$here/lib/check.sh"
file=$1; shift

process() { java -cp "$CONSUMERS/java/*" org.HdrHistogram.HistogramLogProcessor -csv -i "$file" "$@"; }

reads() {
  local output; output=$(process 2>&1) && ! grep -qi exception <<< "$output" && grep -q '^"Value"' <<< "$output" ||
    { echo "$output"; return 1; }
}

has_values() {
  local output; output=$(process -tag "$1" 2>&1) && grep -qE '^[0-9.]+,1\.0+,[1-9][0-9]*,' <<< "$output" ||
    { echo "$output"; return 1; }
}

check "HistogramLogProcessor" reads
for tag in "$@"; do check "HistogramLogProcessor, tag $tag" has_values "$tag"; done
exit "$bad"
