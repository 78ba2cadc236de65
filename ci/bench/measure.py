"""One run of one tool: what it did to the server, and what it cost."""

import contextlib
import dataclasses
import json
import os
import re
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Optional

from machine import pinned

# All that tools are told of the environment: a variable of k6's or palier's, or of a pipeline, would change the load.
ENVIRONMENT = ("PATH", "HOME", "TMPDIR", "LANG")


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of one tool."""

    user: float  # seconds of CPU time
    system: float
    rss: int  # KiB, the most at any time
    requests: int
    rate: float  # requests a second, as the server counted them in the best half of the load's time
    server_busy: float  # the share of a core that the server used, most of which is the load's
    complaints: tuple  # what was wrong, in words
    lag: Optional[float]  # ms, palier's own measurement of its timers' 99th percentile

    @property
    def cpu(self):
        return self.user + self.system

    def cpu_per(self, requests):
        """Microseconds of CPU time for so many requests."""
        return self.cpu * 1e6 / max(self.requests, 1) * requests

    @property
    def user_share(self):
        return self.user / self.cpu if self.cpu else 0.0


class Watch:
    """Follows a child and the server while it runs: the most memory, and how fast requests come in.

    The kernel's figure of memory at its end is exact, but never below what this process had when it forked the child.
    Small clients are below that: for them the peak is read from /proc while they run.
    """

    def __init__(self, pid, server, seconds):
        self.floor = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.server, self.seconds = server, seconds
        self.seen = 0
        self.samples = [(time.monotonic(), server.requests())]
        self.thread = threading.Thread(target=self.watch, args=(f"/proc/{pid}/status",))
        self.thread.start()

    def watch(self, path):
        # Until the child has ended.
        with contextlib.suppress(OSError):
            while match := re.search(r"^VmHWM:\s+(\d+)", Path(path).read_text(encoding="utf-8"), re.M):
                self.seen = max(self.seen, int(match.group(1)))
                with contextlib.suppress(OSError):
                    requests = self.server.requests()
                    self.samples.append((time.monotonic(), requests))
                time.sleep(0.1)

    def end(self):
        self.thread.join()

    def peak(self, usage):
        return usage.ru_maxrss if usage.ru_maxrss > self.floor * 1.05 else self.seen

    def rate(self):
        """Starting, climbing and ending are in no half of the load's time where the rate is best."""
        window = self.seconds / 2
        rates = [0.0]
        begin = 0
        for now, requests in self.samples:
            while begin + 1 < len(self.samples) and self.samples[begin + 1][0] <= now - window:
                begin += 1
            then, before = self.samples[begin]
            if now - then >= window:
                rates.append((requests - before) / (now - then))
        return max(rates)


def measure(tool, load, server, core):
    """Runs a tool on the client's core until it ends by itself; None if it cannot make this load."""
    command = tool.command(load)
    if command is None:
        return None
    requests, cpu, start = server.requests(), server.cpu(), time.monotonic()
    log = load.work / f"{tool.name}.log"
    with open(log, "wb") as file:
        environment = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd=load.work,
            env={**environment, **load.environment()}, preexec_fn=pinned(core))
        watch = Watch(process.pid, server, load.seconds)
        _, status, usage = os.wait4(process.pid, 0)
    watch.end()
    process.returncode = os.waitstatus_to_exitcode(status)
    busy = (server.cpu() - cpu) / (time.monotonic() - start)
    requests = server.requests() - requests
    complaints = server.complaints()
    if process.returncode:
        complaints.append(f"ended with {process.returncode}")
    if complaints or not requests:
        tail = log.read_text(encoding="utf-8", errors="replace")[-300:]
        print(f"{tool.name} {', '.join(complaints)} after {requests} requests: …{tail}", file=sys.stderr)
    return Run(usage.ru_utime, usage.ru_stime, watch.peak(usage), requests, watch.rate(), busy, tuple(complaints),
               lag(load.work / "palier-report") if tool.name == "palier" else None)


def lag(report):
    """What palier says itself of how late its timers were."""
    with contextlib.suppress(OSError, KeyError):
        return json.loads((report / "summary.json").read_text(encoding="utf-8"))["metrics"]["generator_lag"]["p(99)"]
    return None
