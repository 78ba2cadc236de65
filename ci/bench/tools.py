"""The load generators: where each comes from, and how it is asked for the same load as the others."""

import dataclasses
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Callable, Optional

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "palier-bench"

# The seconds in which many VUs come, where a tool can let them come one after the other.
CLIMB = 10
# wrk asks `delay` before each request, the first one too.
WRK_PAUSE = "function delay() return 1000 end\n"


@dataclasses.dataclass(frozen=True)
class Load:
    """What is asked of a tool: `vus` connections, as fast as they go or each with a pause."""

    url: str
    vus: int
    seconds: int
    # One request a second for each VU, or one pass of the scenario every ten seconds.
    paced: bool
    # The employees scenario instead of a GET.
    scenario: bool
    protocol: str
    work: Path

    @property
    def tls(self):
        return self.protocol != "http"

    @property
    def http2(self):
        return self.protocol == "h2"

    def file(self, name, text):
        path = self.work / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    def environment(self):
        """What palier's profiles read, and whom it trusts."""
        trust = {"SSL_CERT_FILE": str(self.work / "ca.pem")} if self.tls else {}
        return {"BENCH_SECONDS": str(self.seconds), **trust}


@dataclasses.dataclass(frozen=True)
class Tool:
    name: str
    # ("debian" | "go" | "cargo", package); None for palier itself, which is built here.
    source: Optional[tuple]
    # The arguments for a load, or None where the tool cannot make it.
    arguments: Callable[[Load], Optional[list]]
    # What makes it say its version; empty if nothing does. What is in the cache has the version that is pinned here.
    version: tuple = ("--version",)
    # Whether it can go through the employees scenario.
    scripted: bool = False
    # Whether it speaks HTTP/2, a request at a time on each of its connections.
    http2: bool = False

    def program(self):
        """Where the program is, or None: the cache first, then the search path."""
        if self.source is None:
            path = os.environ.get("PALIER_BIN") or ROOT / "target/release/palier"
            return str(path) if os.access(path, os.X_OK) else None
        return shutil.which(self.name, path=f"{CACHE}/bin:{os.environ['PATH']}")

    def command(self, load):
        able = (self.scripted or not load.scenario) and (self.http2 or not load.http2)
        arguments = self.arguments(load) if able else None
        return None if arguments is None else [self.program(), *arguments]

    def shown_version(self):
        if self.program().startswith(f"{CACHE}/"):
            return self.source[1].rpartition("@v" if "@v" in self.source[1] else "@")[2]
        if self.version:
            command = [self.program(), *self.version]
        else:
            command = ["dpkg-query", "-Wf", "${Version}", self.source[1]]
        done = subprocess.run(command, capture_output=True, text=True)
        found = re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)
        return found.group() if found else "(unknown version)"


def wrk(load):
    script = ["-s", load.file("pause.lua", WRK_PAUSE)] if load.paced else []
    return ["-t1", f"-c{load.vus}", f"-d{load.seconds}s", *script, load.url]


def ab(load):
    if load.paced:
        return None
    # -n after -t: it takes back the 50,000 requests that -t implies.
    return ["-q", "-k", "-c", str(load.vus), "-t", str(load.seconds), "-n", "10000000", load.url]


def hey(load):
    return ["-c", str(load.vus), "-z", f"{load.seconds}s", *(["-q", "1"] if load.paced else []), load.url]


def h2load(load):
    http2 = ["-m1"] if load.http2 else ["--h1"]
    return [*http2, "-t1", f"-c{load.vus}", f"-D{load.seconds}", *(["--rps=1"] if load.paced else []), load.url]


def oha(load):
    rate = ["-q", str(load.vus)] if load.paced else []
    tls = ["--insecure"] if load.tls else []
    http2 = ["--http2"] if load.http2 else []
    return [*tls, *http2, "--no-tui", "-c", str(load.vus), "-z", f"{load.seconds}s", *rate, load.url]


def bombardier(load):
    # With a rate it opens fewer connections than it is told to: its memory would not compare.
    return None if load.paced else ["--insecure", "--print=r", "-c", str(load.vus), "-d", f"{load.seconds}s", load.url]


def vegeta(load):
    if load.paced:
        return None
    targets = load.file("targets", f"GET {load.url}\n")
    workers = [f"-workers={load.vus}", f"-max-workers={load.vus}", f"-connections={load.vus}"]
    return ["attack", "-insecure", "-http2=false", "-rate=0", *workers, f"-duration={load.seconds}s",
            f"-targets={targets}", "-output=/dev/null"]


def k6(load):
    pause = ("10" if load.scenario else "1") if load.paced else ""
    script = "employees" if load.scenario else "get"
    # Many VUs come one after the other, as in the profiles of palier.
    shape = ["--stage", f"{CLIMB}s:{load.vus},{load.seconds}s:{load.vus}"] if load.paced else [
        "--vus", str(load.vus), "--duration", f"{load.seconds}s"]
    variables = {"TARGET": load.url, "PAUSE": pause, "RUN": "bench"}
    return ["run", "--quiet", "--no-usage-report", "--insecure-skip-tls-verify", *shape,
            *(word for name, value in variables.items() for word in ("-e", f"{name}={value}")),
            str(HERE / f"k6/{script}.js")]


def palier(load):
    if load.paced:
        profile = "many-employees" if load.scenario else "many"
        vus = ["--set", f"load.stages[0].target={load.vus}", "--set", f"load.stages[1].target={load.vus}"]
    else:
        profile = "employees" if load.scenario else "get"
        vus = ["--set", f"load.vus={load.vus}"]
    return ["run", str(HERE / f"profiles/{profile}.toml"), "--target", load.url, *vus,
            "--out", str(load.work / "palier-report"), "--quiet", "--progress", "none"]


def palier_without_undo(load):
    """The same passes, of which nothing is written down: each deletes what it created, and nothing else would."""
    scenario = (ROOT / "profiles/scenarios/employees.toml").read_text(encoding="utf-8")
    kept, left_out = re.subn(r"^undo = .*\n", "", scenario, flags=re.M)
    assert left_out == 1
    load.file("without-undo.toml", kept)
    profile = load.file("profile.toml", f'extends = "{HERE}/profiles/employees.toml"\nscenario = "without-undo.toml"\npause = "0s"\n')
    first, _, *others = palier(load)
    return [first, profile, *others]


TOOLS = {
    tool.name: tool
    for tool in (
        Tool("wrk", ("debian", "wrk"), wrk, ("-v",)),
        Tool("ab", ("debian", "apache2-utils"), ab, ("-V",)),
        Tool("h2load", ("debian", "nghttp2-client"), h2load, http2=True),
        Tool("palier", None, palier, scripted=True),
        Tool("oha", ("cargo", "oha@1.16.0"), oha, http2=True),
        Tool("bombardier", ("go", "github.com/codesenberg/bombardier@v1.2.6"), bombardier),
        Tool("hey", ("debian", "hey"), hey, ()),
        Tool("vegeta", ("go", "github.com/tsenart/vegeta/v12@v12.13.0"), vegeta),
        Tool("k6", ("go", "go.k6.io/k6@v1.8.1"), k6, ("version",), scripted=True, http2=True),
    )
}

# What the journal costs: palier with and without it.
JOURNAL = (Tool("palier", None, palier, scripted=True), Tool("without undo", None, palier_without_undo, scripted=True))
