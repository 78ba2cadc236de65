#!/usr/bin/env python3
"""check-gitlab-load.py HEAD.json [BASE.json]: what GitLab's load_performance widget would show of a merge request.

The widget's rules, written anew: it reads metrics.http_reqs.rate, metrics.http_req_waiting["p(90)"] and ["p(95)"],
and metrics.checks.passes and .fails, and nothing else. It has no tolerance: every difference that is not 0.00 is
"improved" or "degraded". A row whose metric is not there is not shown.
"""

import json
import math
import sys

BIGGER_IS_BETTER = {"RPS", "Checks"}


def rows(path):
    with open(path, encoding="utf-8") as file:
        metrics = json.load(file).get("metrics")
    if not isinstance(metrics, dict):
        sys.exit(f"FAIL {path}: no object `metrics`, so the widget stays empty")
    shown = {}
    if "http_reqs" in metrics:
        shown["RPS"] = metrics["http_reqs"].get("rate")
    if "http_req_waiting" in metrics:
        shown["TTFB P90"] = metrics["http_req_waiting"].get("p(90)")
        shown["TTFB P95"] = metrics["http_req_waiting"].get("p(95)")
    if "checks" in metrics:
        passes, fails = metrics["checks"].get("passes"), metrics["checks"].get("fails")
        shown["Checks"] = 100 * passes / (passes + fails) if passes + fails else math.nan
    return shown


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def compare(head, base):
    for name in head.keys() & base.keys():
        difference = round(head[name] - base[name], 2)
        better = (difference > 0) == (name in BIGGER_IS_BETTER)
        word = "same" if difference == 0 else "improved" if better else "degraded"
        print(f"WIDGET {name}: {head[name]:.2f} ({difference:+.2f}) {word}")


def main():
    head = rows(sys.argv[1])
    for name, value in head.items():
        print("PASS" if is_number(value) else "FAIL", name, value)
    if not head:
        print("NOTE nothing was measured, so the widget shows no row")
    if len(sys.argv) > 2:
        compare(head, rows(sys.argv[2]))
    sys.exit(not all(is_number(value) for value in head.values()))


if __name__ == "__main__":
    main()
