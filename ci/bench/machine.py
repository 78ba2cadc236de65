"""The machine that is measured on: which cores there are, and how a process comes to one of them."""

import contextlib
import os
import platform


def two_cores():
    """A core for the client and another one for the server, of those that this process may use."""
    cores = sorted(os.sched_getaffinity(0))
    return cores[0], cores[-1]


def pinned(core):
    """What a child does before it becomes the program: it goes to that core, and ahead of others where root asks."""

    def prepare():
        os.sched_setaffinity(0, {core})
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, -10)

    return prepare


def description():
    """In words, with how busy it is now."""
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), model)
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{os.cpu_count()} × {model}, Linux {platform.release()}, load average {load} at the end"
