"""Installs the load generators and nginx through the package clients. Each is optional."""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from server import nginx_program
from tools import CACHE

POLICY = Path("/usr/sbin/policy-rc.d")


def say(text):
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def no_services():
    """Debian asks policy-rc.d before a package starts its service; 101 is a no."""
    own = POLICY.with_suffix(".palier")  # the machine's, put back afterwards
    if POLICY.exists():
        POLICY.rename(own)
    POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
        if own.exists():
            own.rename(POLICY)


def install_debian(packages):
    if not shutil.which("apt-get") or os.geteuid() != 0:
        say(f"left out, Debian packages need apt-get and root: {' '.join(packages)}")
        return
    apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    with no_services():
        subprocess.run([*apt, "update"], env=environment, check=False)
        subprocess.run([*apt, "install", "--yes", "--no-install-recommends", *packages],
                       env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)


def install(tools):
    """Brings what is missing, at low priority: some are compiled."""
    missing = [tool for tool in tools if tool.source and not tool.program()]
    packages = [tool.source[1] for tool in missing if tool.source[0] == "debian"]
    if not nginx_program():
        packages.append("nginx-light")
    if packages:
        say(f"installing Debian packages: {' '.join(packages)}")
        install_debian(packages)
    # Go modules first: crates take longer.
    for tool in sorted(missing, key=lambda tool: tool.source[0], reverse=True):
        kind, package = tool.source
        if kind == "debian":
            continue
        if not shutil.which(kind):
            say(f"left out, {kind} is missing: {tool.name}")
            continue
        say(f"compiling {package} (minutes)")
        if kind == "go":
            command = ["go", "install", package]
            environment = dict(os.environ, GOBIN=str(CACHE / "bin"), GOFLAGS="")
        else:
            command = ["cargo", "install", "--quiet", "--locked", "--root", str(CACHE), package]
            environment = dict(os.environ, CARGO_TARGET_DIR=str(CACHE / "target"))
        done = subprocess.run(["nice", *command], env=environment, capture_output=True, text=True)
        if done.returncode:
            say(f"left out, {tool.name} does not build:\n{done.stderr[-2000:]}")
    shutil.rmtree(CACHE / "target", ignore_errors=True)
