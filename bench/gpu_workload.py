"""A watched program on both engines that computes what it is told to, and says what it did.

    python bench/gpu_workload.py [--small]

It prints the address of its dashboard. Each line of its standard input is a part (`PARTS`); when that is done, it
prints a line of JSON with the calls so far, by operation and engine, and the times of calls by its own clock, by
operation, type, class of size and engine. `live` computes until the next line comes.
"""

from __future__ import annotations

import argparse
import json
import queue
import sys
import threading
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import lapack_py as lap

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "browser"))
from workload import doubtful_and_failing, small_systems

# Enough that an engine's median counts for the rules.
REPEATS = 6
TYPES = (np.float64, np.float32)


class Work:
    """The parts, with what they did."""

    def __init__(self, small: bool, orders: queue.Queue[str | None]) -> None:
        self._small, self._orders = small, orders
        self._rng = np.random.default_rng(0)
        self._held: list[lap.DeviceArray] = []
        self.done: Counter[str] = Counter()
        self.clocks: defaultdict[str, list[float]] = defaultdict(list)

    def _timed(self, operation: str, engine: str, dtype: Any, n: int, call: Callable[[], object]) -> None:
        start = time.perf_counter()
        call()
        self.clocks[f"{operation} {np.dtype(dtype).name} {n} {engine}"].append(time.perf_counter() - start)
        self.done[f"{operation} {engine}"] += 1

    def _engines(self, operation: str, a: np.ndarray, call: Callable[..., object], repeats: dict[bool, int]) -> None:
        for gpu, count in repeats.items():
            for _ in range(count):
                self._timed(operation, "opencl" if gpu else "cpu", a.dtype, len(a), lambda gpu=gpu: call(gpu=gpu))

    def products(self) -> None:
        """Of arrays of the host, on both engines."""
        sizes = (64, 128, 256) if self._small else (128, 256, 512, 1024, 2048, 4096, 8192)
        for n in sizes:
            for dtype in TYPES:
                a = self._rng.standard_normal((n, n), dtype=dtype)
                # Short calls are timed now and then, so it takes more of them to know their time.
                count = REPEATS if n > 400 or self._small else 300
                on_cpu = count if n <= 4096 else 1
                self._engines("matmul", a, lambda gpu, a=a: lap.matmul(a, a, gpu=gpu), {True: count, False: on_cpu})

    def device_arrays(self) -> None:
        """Products of arrays that stay on the device, which is where most of the rates come from."""
        for n in (64, 256) if self._small else (512, 1024, 2048, 4096, 8192):
            for dtype in TYPES:
                on_device = lap.to_device(self._rng.standard_normal((n, n), dtype=dtype))
                for _ in range(20):
                    self._timed("matmul", "opencl", dtype, n, lambda a=on_device: a @ a)

    def same_operand(self) -> None:
        """A large operand that is sent again for every vector."""
        n = 1024 if self._small else 4096
        a, b = self._rng.standard_normal((n, n)), self._rng.standard_normal((n, 1))
        for _ in range(40):
            lap.matmul(a, b, gpu=True)
        self.done["matmul opencl"] += 40

    def svds(self) -> None:
        seconds = 0.0
        for n in (32, 64, 128) if self._small else (256, 512, 1024, 2048, 4096):
            a = self._rng.standard_normal((n, n))
            # One on the CPU takes eight times as long as one of half the order.
            on_cpu = REPEATS if n <= 1024 else int(8 * seconds < 20)
            self._engines("svd", a, lambda gpu, a=a: lap.svd(a, gpu=gpu), {True: REPEATS, False: on_cpu})
            seconds = self.clocks.get(f"svd float64 {n} cpu", [0.0])[-1]

    def batches(self) -> None:
        count = 2000 if self._small else 200_000
        for dtype in TYPES:
            a = self._rng.standard_normal((count, 4, 4), dtype=dtype)
            for gpu in (True, False):
                for _ in range(10):
                    lap.matmul(a, a, gpu=gpu)
                self.done["matmul opencl" if gpu else "matmul cpu"] += 10

    def solves(self) -> None:
        small_systems(self.done, 20_000 if self._small else 200_000)
        for n in (60, 120) if self._small else (500, 1000, 2000, 4000):
            a, b = self._rng.standard_normal((n, n)) + n * np.eye(n), self._rng.standard_normal(n)
            for _ in range(REPEATS):
                lap.solve(a, b)
            lap.eigh(a[:600, :600] + a[:600, :600].T)
            self.done["solve cpu"] += REPEATS
            self.done["eigh cpu"] += 1

    def doubtful(self) -> None:
        doubtful_and_failing(self.done)

    def steady(self) -> None:
        """The device without a pause, so that its figures are still."""
        n = 256 if self._small else 8192
        a = lap.to_device(self._rng.standard_normal((n, n)))
        end = time.monotonic() + (4 if self._small else 10)
        while time.monotonic() < end:
            self._timed("matmul", "opencl", np.float64, n, lambda: a @ a)

    def hold(self) -> None:
        """Arrays on the device until little is left of what the library may use of it."""
        limit = self._pool()["limit"]
        block = np.ones(limit // 32 // 8)
        while self._pool()["used"] < 0.92 * limit:
            self._held.append(lap.to_device(block))

    def release(self) -> None:
        self._held.clear()
        lap.trim()

    def live(self) -> None:
        """A little of everything, at ease."""
        n = 64 if self._small else 1024
        a = self._rng.standard_normal((n, n))
        on_device = lap.to_device(a)
        while self._orders.empty():
            small_systems(self.done, 2000)
            for gpu in (True, False):
                self._timed("matmul", "opencl" if gpu else "cpu", a.dtype, n, lambda gpu=gpu: lap.matmul(a, a, gpu=gpu))
            for _ in range(20):
                self._timed("matmul", "opencl", a.dtype, n, lambda: on_device @ on_device)
            time.sleep(0.1)

    def _pool(self) -> dict[str, Any]:
        return next(device.pool for device in lap.devices() if device.chosen) or {}

    def told(self) -> dict[str, Any]:
        device = next(device for device in lap.devices() if device.chosen)
        held = sum(array.nbytes for array in self._held)
        return {"done": self.done, "clocks": self.clocks, "device": device.name, "pool": device.pool, "held": held}


PARTS = {
    name: getattr(Work, name)
    for name in (
        *("products", "device_arrays", "same_operand", "svds", "batches", "solves", "doubtful"),
        *("steady", "hold", "release", "live"),
    )
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="orders for a device that is a CPU")
    small = parser.parse_args().small
    orders: queue.Queue[str | None] = queue.Queue()

    def listen() -> None:
        for line in sys.stdin:
            orders.put(line.strip())
        orders.put(None)

    threading.Thread(target=listen, daemon=True).start()
    warnings.simplefilter("ignore")
    work = Work(small, orders)
    with lap.monitor(port=0) as monitor:
        print(json.dumps({"url": monitor.url, "port": monitor.port, "token": monitor.token}), flush=True)
        while (order := orders.get()) is not None:
            PARTS[order](work)
            print(json.dumps(work.told()), flush=True)


if __name__ == "__main__":
    main()
