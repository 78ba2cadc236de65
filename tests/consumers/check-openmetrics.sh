#!/usr/bin/env bash
# check-openmetrics.sh FILE: check_openmetrics.py with the packages that setup.sh installed.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib/paths.sh"
exec "$VENV/python" "$here/check_openmetrics.py" "$@"
