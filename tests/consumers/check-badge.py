#!/usr/bin/env python3
"""check-badge.py BADGE.json [BADGE.svg]: the badge keeps to shields.io's endpoint rules and the SVG shows its message.

The SVG must be well-formed and self-contained: no script, no reference to the outside.
"""

import json
import re
import sys
import xml.etree.ElementTree as ET

# The service refuses a document with any other key.
KNOWN_KEYS = set(
    "schemaVersion label message color labelColor isError namedLogo logoSvg logoColor logoWidth logoSize style cacheSeconds"
    .split())
COLOURS = (
    "brightgreen|green|yellowgreen|yellow|orange|red|blue|lightgrey|grey|success|important|critical|informational|inactive"
    "|#?[0-9a-fA-F]{3}|#?[0-9a-fA-F]{6}")


def faults_of_endpoint(badge):
    if badge.get("schemaVersion") != 1 or isinstance(badge.get("schemaVersion"), bool):
        yield "schemaVersion must be the number 1"
    if not isinstance(badge.get("label"), str):
        yield "label must be a string"
    if not isinstance(badge.get("message"), str) or not badge["message"]:
        yield "message must be a non-empty string"
    for key in sorted(badge.keys() - KNOWN_KEYS):
        yield f"unknown key {key}"
    if "color" in badge and not re.fullmatch(COLOURS, badge["color"]):
        yield f"color {badge['color']}"
    if not isinstance(badge.get("isError", False), bool):
        yield "isError must be a boolean"
    seconds = badge.get("cacheSeconds", 300)
    if not isinstance(seconds, int) or seconds < 300:
        yield "cacheSeconds below 300 is raised to 300"


def faults_of_svg(svg, message):
    root = ET.fromstring(svg)
    if not root.tag.endswith("svg"):
        yield "not an svg"
    if message not in "".join(root.itertext()):
        yield "svg lacks the message"
    if re.search(r"<script|href=|url\((?!#)|@import|<foreignObject|\son\w+=", svg):
        yield "svg has script or outside references"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        badge = json.load(file)
    faults = list(faults_of_endpoint(badge))
    if len(sys.argv) > 2:
        with open(sys.argv[2], encoding="utf-8") as file:
            faults += faults_of_svg(file.read(), badge["message"])
    print("FAIL " + "; ".join(faults) if faults else f"PASS badge {badge['label']}: {badge['message']}")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
