#!/usr/bin/env python3
"""check-annotations.py FILE: links on a job's page as GitLab reads them (artifacts:reports:annotations).

{SECTION: [{"external_link": {"label": ..., "url": ...}}]}, at most 1000 of them in a section.
"""

import json
import sys


def faults(document):
    if not isinstance(document, dict) or not document:
        yield "not an object with a section"
        return
    for section, links in document.items():
        if not isinstance(links, list) or len(links) > 1000:
            yield f"{section}: not a list of at most 1000"
            continue
        for link in links:
            target = link.get("external_link") if set(link) == {"external_link"} else None
            if not isinstance(target, dict) or set(target) != {"label", "url"}:
                yield f"{section}: {link}"
            elif not target["label"] or not target["url"].startswith(("http://", "https://")):
                yield f"{section}: {target}"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        document = json.load(file)
    found = list(faults(document))
    print("FAIL " + "; ".join(found) if found else f"PASS annotations, {sum(map(len, document.values()))} links")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
