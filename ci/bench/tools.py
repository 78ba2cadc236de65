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

K6_SCRIPT = """\
import http from 'k6/http';
import { check, sleep } from 'k6';
export const options = { vus: %(vus)d, duration: '%(seconds)ds' };
export default function () {
  check(http.get('%(url)s'), { 'status 200': (r) => r.status === 200 });
  sleep(%(pause)d);
}
"""
# wrk asks `delay` before each request, the first one too.
WRK_PAUSE = "function delay() return 1000 end\n"


@dataclasses.dataclass(frozen=True)
class Load:
    """What is asked of a tool: `vus` connections, without a pause or with one request a second each."""

    url: str
    vus: int
    seconds: int
    paced: bool
    work: Path

    def file(self, name, text):
        path = self.work / name
        path.write_text(text, encoding="utf-8")
        return str(path)


@dataclasses.dataclass(frozen=True)
class Tool:
    name: str
    # ("debian" | "go" | "cargo", package); None for palier, which is built here.
    source: Optional[tuple]
    # The arguments for a load, or None where the tool cannot make it.
    arguments: Callable[[Load], Optional[list]]
    # What makes it say its version; empty if nothing does. What is in the cache has the version that is pinned here.
    version: tuple = ("--version",)

    def program(self):
        """Where the program is, or None: the cache first, then the search path."""
        if self.name == "palier":
            path = os.environ.get("PALIER_BIN") or ROOT / "target/release/palier"
            return str(path) if os.access(path, os.X_OK) else None
        return shutil.which(self.name, path=f"{CACHE}/bin:{os.environ['PATH']}")

    def command(self, load):
        arguments = self.arguments(load)
        return None if arguments is None else [self.program(), *arguments]

    def shown_version(self):
        if self.program().startswith(f"{CACHE}/"):
            return self.source[1].rpartition("@v" if "@v" in self.source[1] else "@")[2]
        command = [self.program(), *self.version] if self.version else ["dpkg-query", "-Wf", "${Version}", self.source[1]]
        done = subprocess.run(command, capture_output=True, text=True)
        found = re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)
        return found.group() if found else "(unknown version)"


def wrk(load):
    script = ["-s", load.file("pause.lua", WRK_PAUSE)] if load.paced else []
    return ["-t1", f"-c{load.vus}", f"-d{load.seconds}s", *script, load.url]


def ab(load):
    # -n after -t: it takes back the 50,000 requests that -t implies.
    return None if load.paced else ["-q", "-k", "-c", str(load.vus), "-t", str(load.seconds), "-n", "10000000", load.url]


def hey(load):
    return ["-c", str(load.vus), "-z", f"{load.seconds}s", *(["-q", "1"] if load.paced else []), load.url]


def h2load(load):
    return ["--h1", "-t1", f"-c{load.vus}", f"-D{load.seconds}", *(["--rps=1"] if load.paced else []), load.url]


def oha(load):
    rate = ["-q", str(load.vus)] if load.paced else []
    return ["--no-tui", "-c", str(load.vus), "-z", f"{load.seconds}s", *rate, load.url]


def bombardier(load):
    # With a rate it opens fewer connections than it is told to: its memory would not compare.
    return None if load.paced else ["--print=r", "-c", str(load.vus), "-d", f"{load.seconds}s", load.url]


def vegeta(load):
    if load.paced:
        return None
    targets = load.file("targets", f"GET {load.url}\n")
    workers = [f"-workers={load.vus}", f"-max-workers={load.vus}", f"-connections={load.vus}"]
    return ["attack", "-rate=0", *workers, f"-duration={load.seconds}s", f"-targets={targets}", "-output=/dev/null"]


def k6(load):
    script = K6_SCRIPT % {"vus": load.vus, "seconds": load.seconds, "url": load.url, "pause": load.paced}
    return ["run", "--quiet", "--no-usage-report", load.file("k6.js", script)]


def palier(load):
    profile = HERE / "profiles" / ("memory.toml" if load.paced else "get.toml")
    return ["run", str(profile), "--target", load.url, "--out", str(load.work / "palier-report"),
            "--set", f"load.vus={load.vus}", "-q"]


TOOLS = {
    tool.name: tool
    for tool in (
        Tool("wrk", ("debian", "wrk"), wrk, ("-v",)),
        Tool("ab", ("debian", "apache2-utils"), ab, ("-V",)),
        Tool("h2load", ("debian", "nghttp2-client"), h2load),
        Tool("palier", None, palier),
        Tool("oha", ("cargo", "oha@1.16.0"), oha),
        Tool("bombardier", ("go", "github.com/codesenberg/bombardier@v1.2.6"), bombardier),
        Tool("hey", ("debian", "hey"), hey, ()),
        Tool("vegeta", ("go", "github.com/tsenart/vegeta/v12@v12.13.0"), vegeta),
        Tool("k6", ("go", "go.k6.io/k6@v1.8.1"), k6, ("version",)),
    )
}
