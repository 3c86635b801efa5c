"""A program that computes on both engines while its dashboard is looked at.

    python tests/browser/workload.py [--rounds N]

It prints the page's address, then, after its rounds of work, what it did as a line of JSON; it goes on at its ease
until its standard input ends. It needs a device of OpenCL, PoCL's is enough.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import warnings
from collections import Counter

import numpy as np

import lapack_py as lap

SIZES = (64, 128, 256, 400)
rng = np.random.default_rng(0)


def small_systems(done: Counter[str], count: int) -> None:
    a, b = rng.standard_normal((4, 4)) + 4 * np.eye(4), rng.standard_normal(4)
    for _ in range(count):
        lap.solve(a, b)
    done["solve cpu"] += count


def one_round(done: Counter[str]) -> None:
    """Products and decompositions of several sizes, types and engines."""
    for n in SIZES:
        a = rng.standard_normal((n, n))
        for dtype in (np.float64, np.float32):
            one = a.astype(dtype)
            for gpu in (True, False):
                lap.matmul(one, one, gpu=gpu)
                done["matmul opencl" if gpu else "matmul cpu"] += 1
        lap.solve(a + n * np.eye(n), a[0])
        lap.eigh(a + a.T)
        done["solve cpu"] += 1
        done["eigh cpu"] += 1
    for gpu in (True, False):
        lap.svd(rng.standard_normal((128, 128)), gpu=gpu)
        done["svd opencl" if gpu else "svd cpu"] += 1
    lap.matmul(rng.standard_normal((500, 4, 4)), rng.standard_normal((500, 4, 4)))
    done["matmul cpu"] += 1


def doubtful_and_failing(done: Counter[str]) -> None:
    vandermonde = np.vander(np.linspace(1, 2, 25))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(8):
            lap.solve(vandermonde, np.ones(25))
            lap.qr(rng.standard_normal((60, 60)), gpu=True)
    for _ in range(5):
        try:
            lap.solve(np.zeros((3, 3)), np.ones(3))
        except lap.SingularMatrixError:
            done["failed"] += 1
    done["solve cpu"] += 8 + 5
    done["qr cpu"] += 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    done: Counter[str] = Counter()
    with lap.monitor(port=0) as monitor:
        print(monitor.url, flush=True)
        for _ in range(rounds):
            small_systems(done, 20_000)
            one_round(done)
        doubtful_and_failing(done)
        print(json.dumps(done), flush=True)
        ended = threading.Event()
        threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
        beyond: Counter[str] = Counter()
        while not ended.wait(0.3):
            small_systems(beyond, 3000)
            a = rng.standard_normal((300, 300))
            lap.matmul(a, a, gpu=True)
            lap.solve(a, a[0])


if __name__ == "__main__":
    main()
