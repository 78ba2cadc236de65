# PASS and FAIL lines for the shell checks; sourced. `bad` is 1 once anything failed.
# shellcheck shell=bash disable=SC2034
bad=0
# check NAME COMMAND...: passes if the command does, and shows the head of its output if not.
# A program that is not installed is a note, or with PALIER_TESTS_STRICT=1 a failure.
check() {
  local name=$1 output code; shift
  output=$("$@" 2>&1); code=$?
  if [ "$code" -eq 0 ]; then
    printf 'PASS %s\n' "$name"
  elif [ "$code" -eq 127 ] && [ "${PALIER_TESTS_STRICT:-}" != 1 ]; then
    printf 'NOTE %s: not installed\n' "$name"
  else
    printf 'FAIL %s\n' "$name"
    printf '%s\n' "$output" | head -25 | sed 's/^/    /'
    bad=1
  fi
}
