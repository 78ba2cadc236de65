#!/usr/bin/env python3
"""check_openmetrics.py FILE: strict OpenMetrics (prometheus-client's parser), and GitLab's own reading of lines.

GitLab cuts a line at `#` and splits it as a shell would: the first word is the name with its labels, the second the
value. `check-openmetrics.sh` calls it with the packages of setup.sh.
"""

import re
import shlex
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families


def faults_of_gitlab(text):
    names = set()
    for line in text.splitlines():
        try:
            words = shlex.split(re.sub(r"#.*$", "", line))
        except ValueError as error:
            yield f"GitLab cannot read {line!r}: {error}"
            continue
        if not words:
            continue
        if len(words) != 2:
            yield f"GitLab takes {line!r} for {len(words)} words"
        elif words[0] in names:
            yield f"GitLab knows {words[0]} already"
        names.add(words[0])


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        text = file.read()
    faults = list(faults_of_gitlab(text))
    try:
        samples = sum(len(family.samples) for family in text_string_to_metric_families(text))
    except ValueError as error:
        samples = 0
        faults.append(f"OpenMetrics: {error}")
    if not samples:
        faults.append("no sample")
    print("FAIL " + "; ".join(faults) if faults else f"PASS OpenMetrics, {samples} samples")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
