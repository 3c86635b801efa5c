"""What the checks of a device's results cost: products of NumPy arrays with LAPACK_GPU_VERIFY=sample and =off.

    python bench/gpu_checks.py [OUTPUT.json]

Each setting needs a process of its own; each process makes the same calls for several seconds and gives their mean. The
processes take turns, and the file has every turn.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

CODE = """
import sys, time, numpy as np, lapack_py as lap
n = int(sys.argv[1])
rng = np.random.default_rng(0)
a, b, out = rng.standard_normal((n, n)), rng.standard_normal((n, n)), np.empty((n, n))
for _ in range(5):
    _, report = lap.matmul(a, b, out=out, gpu="require", return_report=True)
assert report.engine == "opencl"
checked = calls = 0
begin = time.perf_counter()
while time.perf_counter() - begin < 1.0:
    _, report = lap.matmul(a, b, out=out, gpu="require", return_report=True)
    checked += report.verified
    calls += 1
print((time.perf_counter() - begin) / calls, checked, calls)
"""


def mean_of_calls(n: int, verify: str) -> tuple[float, int, int]:
    """Seconds of a call, calls that were checked, calls."""
    command = [sys.executable, "-c", CODE, str(n)]
    environment = {**os.environ, "LAPACK_GPU_VERIFY": verify}
    seconds, checked, calls = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout.split()
    return float(seconds), int(checked), int(calls)


def main() -> None:
    result = []
    for n in (1024, 2048):
        turns = [{mode: mean_of_calls(n, mode) for mode in ("off", "sample")} for _ in range(3)]
        ratios = sorted(turn["sample"][0] / turn["off"][0] for turn in turns)
        result.append({"n": n, "ratio": ratios[1], "ratios": ratios, "turns": turns})
        print(n, [round(ratio, 4) for ratio in ratios], turns[0]["sample"][1:])
    if len(sys.argv) > 1:
        with open(sys.argv[1], "w") as file:
            json.dump(result, file, indent=1)


if __name__ == "__main__":
    main()
