"""What the monitor costs: the same work with it off, on, and on with a page open, in rounds that take turns.

    python bench/monitor_overhead.py [--quick] [--events N] [--browser PROGRAM] [--output FILE]

Each round is timed by the clock and by the processor time of the whole process, monitor and server included; the
ratio to the round with the monitor off just before it is what counts. Reported is the median of the ratios, with the
quartiles: the noise of a shared machine is larger than what is measured. The page is a WebSocket that reads everything,
from another process; or, with `--browser`, the page itself in that browser.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from devtools import Browser, Tab
from machine import processor

import lapack_py as lap

Page = Callable[[lap.Monitor], contextlib.AbstractContextManager[None]]

READER = """
import base64, os, socket, sys
port, token = int(sys.argv[1]), sys.argv[2]
s = socket.create_connection(("127.0.0.1", port))
key = base64.b64encode(os.urandom(16)).decode()
s.sendall((f"GET /api/stream HTTP/1.1\\r\\nHost: 127.0.0.1:{port}\\r\\nConnection: Upgrade\\r\\n"
           f"Upgrade: websocket\\r\\nSec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: {key}\\r\\n"
           f"Sec-WebSocket-Protocol: lapack-ai, lapack-ai.token.{token}\\r\\n\\r\\n").encode())
assert s.recv(4096).startswith(b"HTTP/1.1 101"), "no stream"
print("open", flush=True)
while s.recv(1 << 16):
    pass
"""


def small_solves(calls: int) -> Callable[[], None]:
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((4, 4)) + 4 * np.eye(4), rng.standard_normal(4)
    solve = lap.solve

    def work() -> None:
        for _ in range(calls):
            solve(a, b)

    return work


def mixed(sizes: list[int]) -> Callable[[], None]:
    rng = np.random.default_rng(2)
    pairs = [(rng.standard_normal((n, n)) + n * np.eye(n), rng.standard_normal(n)) for n in sizes]

    def work() -> None:
        for a, b in pairs:
            lap.solve(a, b)
            lap.matmul(a, a)
            if a.shape[0] <= 500:
                lap.svdvals(a)

    return work


def one_svd(n: int) -> Callable[[], None]:
    a = np.random.default_rng(3).standard_normal((n, n))
    return lambda: lap.svd(a) and None


def timed(work: Callable[[], None]) -> tuple[float, float]:
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - processor


@contextlib.contextmanager
def reader(monitor: lap.Monitor) -> Iterator[None]:
    """The stream of the page, read by another process."""
    arguments = [sys.executable, "-c", READER, str(monitor.port), str(monitor.token)]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield
    finally:
        process.kill()
        process.wait()


def page_in(tab: Tab) -> Page:
    """The page itself, in a tab that shows nothing in between."""

    @contextlib.contextmanager
    def page(monitor: lap.Monitor) -> Iterator[None]:
        tab.go(str(monitor.url))
        try:
            assert tab.wait_for("document.querySelector('[role=status]')?.innerText === 'live'")
            yield
        finally:
            tab.go("about:blank")

    return page


def round_with(mode: str, work: Callable[[], None], page: Page) -> tuple[float, float]:
    if mode == "off":
        return timed(work)
    with lap.monitor(port=0, history=False) as monitor:
        if mode == "on":
            return timed(work)
        with page(monitor):
            return timed(work)


def overhead(
    work: Callable[[], None],
    rounds: int,
    page: Page,
) -> dict[str, Any]:
    """Ratios of the rounds with the monitor to those without it, in percent above 1."""
    if rounds > 1:
        work()
    ratios: dict[str, list[tuple[float, float]]] = {"on": [], "page": []}
    base: list[tuple[float, float]] = []
    for _ in range(rounds):
        for mode, found in ratios.items():
            off = round_with("off", work, page)
            on = round_with(mode, work, page)
            base.append(off)
            found.append((on[0] / off[0], on[1] / off[1]))
    result: dict[str, Any] = {
        "seconds_off": statistics.median(clock for clock, _ in base),
        "rounds": rounds,
    }
    for mode, found in ratios.items():
        for name, index in (("clock", 0), ("processor", 1)):
            percent = sorted(100 * (pair[index] - 1) for pair in found)
            low, middle, high = statistics.quantiles(percent, n=4) if len(percent) > 2 else (percent[0],) * 3
            result[f"{mode}_{name}_percent"] = {"median": middle, "quartiles": [low, high]}
    return result


def resident() -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return float(line.split()[1]) / 1024


def idle(seconds: float) -> dict[str, float]:
    """Processor time of a program that does nothing, in percent of a core."""

    def used() -> float:
        start = time.process_time()
        time.sleep(seconds)
        return 100 * (time.process_time() - start) / seconds

    without = used()
    with lap.monitor(port=0, history=False):
        with_monitor = used()
    return {"seconds": seconds, "without_percent": without, "with_percent": with_monitor}


def memory(events: int) -> dict[str, float]:
    """Growth of resident memory over many calls."""
    work = small_solves(events // 10)
    with lap.monitor(port=0, history=False) as monitor:
        small_solves(100_000)()
        time.sleep(1.5)
        before = resident()
        for _ in range(10):
            work()
        time.sleep(1.5)
        after = resident()
        totals = monitor.snapshot()["totals"]
    return {"events": totals["calls"], "dropped": totals["dropped"], "mib_before": before, "mib_after": after}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the work")
    parser.add_argument("--events", type=float, default=1e7, help="calls for the growth of memory")
    parser.add_argument(
        "--only", default="", help="parts whose name has this in it; others stay in the output as they are"
    )
    parser.add_argument("--rounds", type=int, help="rounds of each workload, in place of its own number")
    parser.add_argument("--browser", help="opens the page in this Chromium")
    parser.add_argument("--browser-arguments", default="", help="more of them, for machines where it needs them")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        page = reader
        if arguments.browser:
            browser = stack.enter_context(Browser(arguments.browser, arguments.browser_arguments.split()))
            page = page_in(browser.tab("about:blank", 1440, 900))
        measure(arguments, page)


def measure(arguments: argparse.Namespace, page: Page) -> None:
    tenth = 10 if arguments.quick else 1
    workloads = {
        "solve 4x4, 1,000,000 one by one": (small_solves(1_000_000 // tenth), 11),
        "solve, matmul, svdvals, 64 to 2000": (mixed([64, 100, 200, 350, 500, 1000, *([2000] * (tenth == 1))]), 5),
        "svd 4000": (one_svd(4000 // (4 if tenth > 1 else 1)), 1 if tenth == 1 else 2),
    }
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        name: lambda work=work, rounds=arguments.rounds or rounds: overhead(work, rounds, page)
        for name, (work, rounds) in workloads.items()
    }
    parts["idle"] = lambda: idle(10 / tenth)
    parts["memory"] = lambda: memory(int(arguments.events) // tenth)
    known = arguments.output.read_text() if arguments.output and arguments.output.is_file() else "{}"
    results = json.loads(known)
    results["machine"] = {"processor": processor(), "cores": os.cpu_count(), "lapack_threads": 1}
    # Threads that wait for each other would measure what else the machine does.
    lap.set_num_threads(1)
    for name, part in parts.items():
        if arguments.only in name:
            before = os.getloadavg()[0]
            # What else ran, as the mean number of processes that wanted to: 1 would be this one alone.
            results[name] = part() | {"load": [before, os.getloadavg()[0]]}
            print(name, json.dumps(results[name]), flush=True)
            if arguments.output:
                arguments.output.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
