#!/usr/bin/env bash
# check-junit.sh FILE [--fast] [--contract]: check_junit.py with the packages that setup.sh installed.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib/paths.sh"
exec "$VENV/python" "$here/check_junit.py" "$@"
