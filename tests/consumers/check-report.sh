#!/usr/bin/env bash
# check-report.sh REPORT.html [--fast] [--shots DIR] [TEXT...]: check_report.mjs with the Node and the packages of setup.sh.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib/paths.sh"
CHROMIUM=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
if [ -z "$CHROMIUM" ]; then
  echo "NOTE report.html: no Chromium to open it with"
  [ "${PALIER_TESTS_STRICT:-}" != 1 ]; exit
fi
export CHROMIUM NODE_MODULES
exec "$NODE" "$here/check_report.mjs" "$@"
