"""What screens and structure checks cost a call that succeeds: this version beside another one without them.

    python bench/diagnostics_cost.py OUT.json --baseline FOLDER

FOLDER has the other version's package (``pip install --target FOLDER WHEEL``). Both are timed in processes of their
own, in turns; each figure is the median over the turns of the fastest of several calls, and the ratio is taken turn by
turn, since other work on the machine changes both alike. The share of the conditioning is what a call's report says.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from machine import processor

SIZES = (4, 256, 512, 1000)
CHILD = """
import json, sys, time
import numpy as np
import lapack_py as lap
lap.set_num_threads(1)
sizes, seconds = json.loads(sys.argv[1])
rng = np.random.default_rng(1)
found = {}
for n in sizes:
    g = rng.standard_normal((n, n))
    s = g + g.T
    p = g @ g.T + n * np.eye(n)
    b = rng.standard_normal((n, 1))
    calls = {
        "solve": lambda **more: lap.solve(g, b, **more),
        "solve, assume_a='sym'": lambda **more: lap.solve(s, b, assume_a="sym", **more),
        "solve, assume_a='pos'": lambda **more: lap.solve(p, b, assume_a="pos", **more),
        "inv": lambda **more: lap.inv(g, **more),
        "cholesky": lambda **more: lap.cholesky(p, **more),
        "eigh": lambda **more: lap.eigh(s, **more),
        "eig": lambda **more: lap.eig(g, **more),
        "lstsq": lambda **more: lap.lstsq(g, b, **more),
        "det": lambda **more: lap.det(p / n, **more),
        "cho_solve": lambda f=lap.cho_factor(p), **more: lap.cho_solve(f, b, **more),
    }
    for name, call in calls.items():
        call()
        start = time.perf_counter()
        call()
        once = time.perf_counter() - start
        loops = max(1, min(2000, int(2e-4 / max(once, 1e-7))))
        best, end = float("inf"), time.perf_counter() + seconds
        while time.perf_counter() < end:
            start = time.perf_counter()
            for _ in range(loops):
                call()
            best = min(best, (time.perf_counter() - start) / loops)
        times = call(return_report=True)[-1].times
        found[f"{name}, n={n}"] = [best, times["conditioning"] / max(times["total"], 1e-12)]
print(json.dumps(found))
"""


def measure(folder: Path | None, seconds: float) -> dict[str, list[float]]:
    environment = dict(os.environ, PYTHONWARNINGS="ignore")
    if folder is not None:
        environment["PYTHONPATH"] = str(folder.resolve())
    done = subprocess.run(
        [sys.executable, "-c", CHILD, json.dumps([SIZES, seconds])],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--baseline", type=Path, required=True)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.15, help="for each call in each turn")
    arguments = parser.parse_args()
    turns = []
    for turn in range(arguments.turns):
        print(f"turn {turn + 1} of {arguments.turns}", flush=True)
        pair = [measure(arguments.baseline, arguments.seconds), measure(None, arguments.seconds)]
        turns.append(pair)
    rows = []
    for name in turns[0][0]:
        before = [pair[0][name][0] for pair in turns]
        now = [pair[1][name][0] for pair in turns]
        row = {
            "call": name,
            "seconds": statistics.median(now),
            "ratio": statistics.median(y / x for x, y in zip(before, now, strict=True)),
            "extra_seconds": statistics.median(y - x for x, y in zip(before, now, strict=True)),
            "conditioning_share": statistics.median(pair[1][name][1] for pair in turns),
        }
        rows.append(row)
        print(
            f"{name:34s} {row['seconds'] * 1e6:12.2f} us  ratio {row['ratio']:.3f}",
            f" extra {row['extra_seconds'] * 1e9:9.0f} ns",
        )
    machine = {"processor": processor(), "cores": os.cpu_count(), "load": os.getloadavg()[0]}
    result = {"machine": machine, "turns": arguments.turns, "calls": rows}
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
