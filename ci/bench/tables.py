"""What was measured, as Markdown."""

import math
import statistics

REQUESTS_OF_A_PASS = 7


def without_requests(runs):
    return any(not run.requests for run in runs)


def notes(name, runs):
    """What was wrong with runs that count all the same."""
    complaints = [complaint for run in runs for complaint in run.complaints]
    for complaint in dict.fromkeys(complaints):
        yield f"{name} {complaint} in {complaints.count(complaint)} of {len(runs)} runs."


def throughput(runs, base, scenario):
    """`runs` are lists by tool, in rounds; ratios are paired within a round, with the run of `base`."""
    left_out = [name for name, own in runs.items() if without_requests(own)]
    runs = {name: own for name, own in runs.items() if name not in left_out}
    per, unit = (REQUESTS_OF_A_PASS, "iteration") if scenario else (1, "request")
    yield (f"| client | CPU µs/{unit} (user + system) | × {base}, paired median (range) "
           f"| {unit}s/s | server's core busy | peak MiB |")
    yield "|---|--:|--:|--:|--:|--:|"
    cost = {name: statistics.median(run.cpu_per(per) for run in own) for name, own in runs.items()}
    for name in sorted(runs, key=cost.get):
        own = runs[name]
        user = cost[name] * statistics.median(run.user_share for run in own)
        cells = [name, f"{cost[name]:,.1f} ({user:,.1f} + {cost[name] - user:,.1f})"]
        if name == base:
            cells.append("1.00")
        elif base in runs:
            ratios = [run.cpu_per(per) / other.cpu_per(per) for run, other in zip(own, runs[base])]
            cells.append(f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
        else:
            cells.append("")
        cells += [f"{statistics.median(run.rate for run in own) / per:,.0f}",
                  f"{statistics.median(run.server_busy for run in own):.0%}",
                  f"{max(run.rss for run in own) / 1024:.0f}"]
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield from (f"{name} is left out: it made no request in a run." for name in left_out)
    for name, own in runs.items():
        yield from notes(name, own)


def extra(runs, others):
    """What `runs` cost more than `others`, paired within a round: medians, each with where it lies in 19 of 20 cases."""
    with_it, without = ([run.cpu_per(REQUESTS_OF_A_PASS) for run in own] for own in (runs, others))
    yield "| | CPU µs/iteration, median (95 % interval) |"
    yield "|---|--:|"
    for name, values in (("with `undo`", with_it), ("without", without)):
        middle, low, high = median(values)
        yield f"| {name} | {middle:.1f} ({low:.1f} to {high:.1f}) |"
    middle, low, high = median([a - b for a, b in zip(with_it, without)])
    yield f"| difference | {middle:+.2f} ({low:+.2f} to {high:+.2f}) |"
    middle, low, high = median([a / b - 1 for a, b in zip(with_it, without)])
    yield f"| the same as a share | {middle:+.2%} ({low:+.2%} to {high:+.2%}) |"
    yield ""
    for name, own in (("with", runs), ("without", others)):
        yield from notes(name, own)


def median(values):
    """The median, and its 95 % interval, which no assumption of how the values are spread goes into.

    The number of values below the true median is binomial, so two of the ordered values hold it between them.
    """
    values, n = sorted(values), len(values)
    outside, rank = 0.0, 0
    while rank < n // 2 and (outside := outside + math.comb(n, rank) / 2**n) <= 0.025:
        rank += 1
    low = max(rank - 1, 0)
    return statistics.median(values), values[low], values[n - 1 - low]


def memory(runs):
    """`runs` are by tool and number of VUs."""
    sizes = sorted({vus for by_vus in runs.values() for vus in by_vus})
    most = sizes[-1]
    steps = list(zip(sizes, sizes[1:]))
    yield ("| client | " + " | ".join(f"KiB per VU, {low:,} to {high:,}" for low, high in steps)
           + f" | peak MiB at {' / '.join(f'{vus:,}' for vus in sizes)} | requests/s at {most:,} "
           + "| CPU µs/request there |")
    yield "|---|" + "--:|" * (len(steps) + 3)
    whole = {
        name: by_vus for name, by_vus in runs.items()
        if len(by_vus) == len(sizes) and not without_requests(by_vus.values())
    }
    for name, by_vus in sorted(whole.items(), key=lambda item: item[1][most].rss):
        per_vu = [f"{(by_vus[high].rss - by_vus[low].rss) / (high - low):.1f}" for low, high in steps]
        rss = " / ".join(f"{by_vus[vus].rss / 1024:.0f}" for vus in sizes)
        cells = [name, *per_vu, rss, f"{by_vus[most].rate:,.0f}", f"{by_vus[most].cpu_per(1):.0f}"]
        yield f"| {' | '.join(cells)} |"
    yield ""
    for name, by_vus in runs.items():
        if name not in whole:
            yield f"{name} is left out: not every run of it made requests."
        yield from notes(name, list(by_vus.values()))
    if palier := runs.get("palier"):
        lags = ", ".join(f"{run.lag:.2f} ms at {vus:,}" for vus, run in palier.items() if run.lag is not None)
        yield f"palier's own timer lag, 99th percentile: {lags} VUs."
