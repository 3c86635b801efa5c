"""Singular value decompositions on a GPU beside cuSOLVER's drivers and the CPU.

    python bench/gpu_svd.py OUTPUT.json [--parts tall,numpy,square,constructed,auto,cpu] [--sizes 512,1024,...]
        [--seconds 240]

``square``: data on the device, thin vectors and values only, float64 and float32, random and graded matrices (column j
times 10^(-10 j / n)); beside them cuSOLVER's gesvd and gesvdj through torch and its polar Xgesvdp by itself.
``tall``: 1,000,000 x 100 and shorter ones, the same. ``constructed``: 12288 and 16384 against the singular values that
the matrix was made from, U0 diag(sigma) V0^T with orthogonal factors of random matrices: ``values`` is the largest
error of one in units of n eps sigma_1. ``numpy``: 4096 x 4096 from NumPy array to NumPy arrays. ``auto``: what
``gpu="auto"`` takes beside either engine, from n = 2 on, after a calibration. ``cpu``: gesdd on the CPU, gesvd up to
2048.

A time is the median of some calls as the caller sees them, all results waited for; long ones are called once. When the
seconds are used up, the rest is left out. ``residual`` is |A - U S V^T|_F / (max(m, n) eps
|A|_F), ``orthogonality`` the larger of |U^T U - I|_F and |V^T V - I|_F in units of max(m, n) eps, by torch in double
precision. Needs torch with CUDA, and SciPy.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("LAPACK_AI_CACHE_DIR", tempfile.mkdtemp(prefix="lapack-ai-svd-"))

import numpy as np
import scipy.linalg
import torch
from machine import processor

import lapack_py as lap

STARTED = time.perf_counter()
EPS = {"float64": float(np.finfo("float64").eps), "float32": float(np.finfo("float32").eps)}


class Budget:
    """The seconds that are left."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def left(self) -> float:
        return self.seconds - (time.perf_counter() - STARTED)


def median(times: list[float]) -> float:
    """Of the calls after the one that warms up, if there are any."""
    kept = sorted(times[1:] or times)
    return kept[len(kept) // 2]


def timed(work: Callable[[], Any], budget: Budget, calls: int = 5) -> tuple[float | None, Any]:
    """Median seconds of some calls, after one that warms up, and a result; None where there is no time for one."""
    if budget.left() <= 0:
        return None, None
    times: list[float] = []
    result = None
    for index in range(calls + 1):
        torch.cuda.synchronize()
        start = time.perf_counter()
        result = work()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
        # The first call builds kernels, which may take longer than anything.
        if index and (times[-1] > 0.5 or sum(times[1:]) > 2 or budget.left() < times[-1]):
            break
    return median(times), result


class Polar:
    """cuSOLVER's Xgesvdp of a torch matrix in Fortran order."""

    def __init__(self) -> None:
        folder = Path(torch.__file__).parent.parent
        found = [path for path in folder.glob("nvidia/**/libcusolver.so*") if "Mg" not in path.name]
        self.library = ctypes.CDLL(str(found[0]))
        self.handle, self.params = ctypes.c_void_p(), ctypes.c_void_p()
        self.library.cusolverDnCreate(ctypes.byref(self.handle))
        self.library.cusolverDnCreateParams(ctypes.byref(self.params))

    def call(self, a: torch.Tensor, vectors: bool) -> Callable[[], tuple[torch.Tensor, ...]]:
        """What computes U, S and V of `a`, m x n; the workspace is made once."""
        m, n = a.shape
        k, kind, wide = min(m, n), 1 if a.dtype == torch.float64 else 0, ctypes.c_int64

        def fortran(rows: int, cols: int) -> torch.Tensor:
            return torch.empty((cols, rows), dtype=a.dtype, device="cuda").T

        work_on, u, v = fortran(m, n), fortran(m, k), fortran(n, k)
        s = torch.empty(k, dtype=a.dtype, device="cuda")
        info = torch.zeros(1, dtype=torch.int32, device="cuda")
        pointer = lambda tensor: ctypes.c_void_p(tensor.data_ptr())  # noqa: E731
        on_device, on_host, error = ctypes.c_size_t(), ctypes.c_size_t(), ctypes.c_double()
        common = [
            self.handle,
            self.params,
            1 if vectors else 0,
            1,
            wide(m),
            wide(n),
            kind,
            pointer(work_on),
            wide(m),
            kind,
            pointer(s),
            kind,
            pointer(u),
            wide(m),
            kind,
            pointer(v),
            wide(n),
            kind,
        ]
        status = self.library.cusolverDnXgesvdp_bufferSize(*common, ctypes.byref(on_device), ctypes.byref(on_host))
        assert status == 0, status
        buffer = torch.empty(on_device.value + 8, dtype=torch.uint8, device="cuda")
        host = ctypes.create_string_buffer(on_host.value + 8)

        def decompose() -> tuple[torch.Tensor, ...]:
            work_on.copy_(a)
            status = self.library.cusolverDnXgesvdp(
                *common,
                pointer(buffer),
                ctypes.c_size_t(on_device.value),
                host,
                ctypes.c_size_t(on_host.value),
                pointer(info),
                ctypes.byref(error),
            )
            torch.cuda.synchronize()
            assert status == 0, status
            assert int(info[0]) == 0
            return u, s, v

        return decompose


def matrix(m: int, n: int, dtype: str, graded: bool) -> torch.Tensor:
    generator = torch.Generator("cuda").manual_seed(m + n)
    a = torch.randn((m, n), dtype=torch.float64, device="cuda", generator=generator)
    if graded:
        a *= 10.0 ** (-10 * torch.arange(n, dtype=torch.float64, device="cuda") / n)
    return a.to(getattr(torch, dtype))


def errors(a: torch.Tensor, u: torch.Tensor, s: torch.Tensor, v: torch.Tensor, dtype: str) -> dict[str, float]:
    """Of A = U diag(S) V^T."""
    unit = max(a.shape) * EPS[dtype]
    a, u, s, v = (x.double() for x in (a, u, s, v))
    rest = (u * s) @ v.T
    rest -= a
    identity = torch.eye(len(s), dtype=torch.float64, device="cuda")
    off = max((q.T @ q - identity).norm().item() for q in (u, v))
    return {"residual": rest.norm().item() / a.norm().item() / unit, "orthogonality": off / unit}


def peer(name: str, driver: Callable[[], Any], budget: Budget, entry: dict[str, Any]) -> None:
    try:
        seconds, _ = timed(driver, budget, calls=3)
    except (RuntimeError, AssertionError) as error:
        entry[f"{name}_error"] = str(error).splitlines()[0][:200]
        return
    if seconds is not None:
        entry[f"{name}_seconds"] = seconds


def on_device(
    m: int, n: int, dtype: str, graded: bool, vectors: bool, polar: Polar, budget: Budget, peers: tuple[str, ...]
) -> dict[str, Any] | None:
    if budget.left() <= 0:
        return None
    a = matrix(m, n, dtype, graded)
    x = lap.to_device(a.cpu().numpy())
    seconds, found = timed(lambda x=x: lap.svd(x, False, compute_uv=vectors, gpu="require"), budget)
    entry: dict[str, Any] = {
        "m": m,
        "n": n,
        "dtype": dtype,
        "spectrum": "graded" if graded else "random",
        "vectors": vectors,
        "seconds": seconds,
    }
    if vectors and found is not None:
        u, s, vh = (torch.from_numpy(part.numpy()).cuda() for part in found)
        entry |= errors(a, u, s, vh.T, dtype)
        del u, s, vh
    del x, found
    lap.trim()
    thin = {"full_matrices": False}
    for driver in peers:
        if driver == "gesvdp":
            try:
                call = polar.call(a, vectors)
            except (RuntimeError, AssertionError) as error:
                entry["gesvdp_error"] = str(error).splitlines()[0][:200]
                continue
            peer("gesvdp", call, budget, entry)
            del call
        elif vectors:
            peer(driver, lambda driver=driver: torch.linalg.svd(a, driver=driver, **thin), budget, entry)
        else:
            peer(driver, lambda driver=driver: torch.linalg.svdvals(a, driver=driver), budget, entry)
    best = min((entry[key] for key in entry if key.endswith("_seconds")), default=None)
    if best is not None and seconds is not None:
        entry["ratio"] = round(best / seconds, 3)
    torch.cuda.empty_cache()
    print(entry, flush=True)
    return entry


def square(sizes: list[int], polar: Polar, budget: Budget) -> list[dict[str, Any]]:
    entries = []
    for n in sizes:
        for dtype in ("float64", "float32"):
            for graded in (False, True):
                for vectors in (True, False):
                    # Spectra cost cuSOLVER's iterations alike: its slow drivers run once for each size and type.
                    peers = ("gesvdp",) if graded or n > 4096 else ("gesvdp", "gesvd", "gesvdj")
                    entries.append(on_device(n, n, dtype, graded, vectors, polar, budget, peers))
    for n in (n for n in sizes if n > 4096):
        entries.append(on_device(n, n, "float64", False, True, polar, budget, ("gesvd", "gesvdj")))
    return [entry for entry in entries if entry is not None]


def tall(polar: Polar, budget: Budget) -> list[dict[str, Any]]:
    shapes = ((1_000_000, 100), (4096, 512), (8192, 2048))
    cases = [(m, n, dtype, vectors) for m, n in shapes for dtype in ("float64", "float32") for vectors in (True, False)]
    peers = ("gesvd", "gesvdj", "gesvda")
    entries = [
        on_device(m, n, dtype, False, vectors, polar, budget, peers if vectors else peers[:2])
        for m, n, dtype, vectors in cases
    ]
    return [entry for entry in entries if entry is not None]


def orthogonal(n: int, seed: int) -> torch.Tensor:
    generator = torch.Generator("cuda").manual_seed(seed)
    q, r = torch.linalg.qr(torch.randn((n, n), dtype=torch.float64, device="cuda", generator=generator))
    return q * r.diagonal().sign()


def constructed(budget: Budget) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    for n in (12288, 16384):
        if budget.left() < 30:
            break
        steps = torch.arange(n, dtype=torch.float64, device="cuda") / (n - 1)
        spectra = {
            "arithmetic": 1 - steps * (1 - 1e-6),
            "geometric": 10.0 ** (-12 * steps),
            # Four values, a quarter of the columns each, that differ by less than rounding within each.
            "clustered": 10.0 ** (-2 * torch.floor(4 * steps).clamp(max=3)) * (1 - 1e-15 * steps),
        }
        left, right = orthogonal(n, 1), orthogonal(n, 2)
        for name, sigma in spectra.items():
            for dtype in ("float64", "float32"):
                if budget.left() < 10:
                    continue
                a = ((left * sigma) @ right.T).to(getattr(torch, dtype))
                x = lap.to_device(a.cpu().numpy())
                seconds, found = timed(lambda x=x: lap.svd(x, False, gpu="require"), budget, calls=1)
                assert found is not None
                u, s, vh = (torch.from_numpy(part.numpy()).cuda() for part in found)
                entry = {"n": n, "dtype": dtype, "spectrum": name, "seconds": seconds, **errors(a, u, s, vh.T, dtype)}
                entry["values"] = ((s.double() - sigma).abs().max() / sigma[0]).item() / (n * EPS[dtype])
                entries.append(entry)
                print(entry, flush=True)
                del a, x, found, u, s, vh
                lap.trim()
                torch.cuda.empty_cache()
    return entries


def from_numpy(budget: Budget) -> list[dict[str, Any]]:
    """Host to host at 4096."""
    entries: list[dict[str, Any]] = []
    for dtype in ("float64", "float32"):
        a = matrix(4096, 4096, dtype, False).cpu().numpy()
        seconds, _ = timed(lambda a=a: lap.svd(a, False, gpu="require"), budget)
        if seconds is not None:
            entries.append({"n": 4096, "dtype": dtype, "seconds": seconds})
            print(entries[-1], flush=True)
    return entries


def auto(sizes: list[int], budget: Budget) -> list[dict[str, Any]]:
    """`gpu="auto"` beside either engine, host to host; the engines in turns, so that both meet the same machine."""
    lap.calibrate(("svd", "svdvals"), ("float64", "float32"), seconds=1.2)
    entries: list[dict[str, Any]] = []
    ways: list[tuple[str, Any]] = [("auto", "auto"), ("opencl", "require"), ("cpu", False)]
    for n in sizes:
        for dtype in ("float64", "float32"):
            for vectors in (True, False):
                if budget.left() <= 0:
                    return entries
                a = np.random.default_rng(n).standard_normal((n, n)).astype(dtype)

                def call(gpu: Any, a: np.ndarray = a, vectors: bool = vectors) -> Any:
                    return lap.svd(a, False, compute_uv=vectors, gpu=gpu, return_report=True)

                times: dict[str, list[float]] = {"auto": [], "opencl": [], "cpu": []}
                chosen = None
                for turn in range(8):
                    # Each comes after each other one: a device that has waited is slower at first.
                    for name, gpu in ways if turn % 2 else ways[::-1]:
                        # The CPU is not waited for again where it takes very much longer.
                        if name == "cpu" and ((n > 4096 and vectors) or (turn and times[name][0] > 0.5)):
                            continue
                        # Threads of a BLAS spin for an eighth of a second.
                        time.sleep(0.15 if n < 2000 else 0)
                        repeats = max(1, min(4000, int(0.02 / times[name][-1]))) if turn else 1
                        start = time.perf_counter()
                        for _ in range(repeats):
                            _, report = call(gpu)
                        times[name].append((time.perf_counter() - start) / repeats)
                        if name == "auto":
                            chosen = report.engine
                    if turn and sum(map(sum, times.values())) - sum(times["cpu"]) > 3:
                        break
                entry = {"n": n, "dtype": dtype, "vectors": vectors, "chosen": chosen}
                entry |= {f"{name}_seconds": median(t) for name, t in times.items() if t}
                best = min(entry[f"{name}_seconds"] for name in ("opencl", "cpu") if f"{name}_seconds" in entry)
                entry["over_best"] = round(entry["auto_seconds"] / best - 1, 3)
                # What the choice itself costs: the engine taken beside the better one, without what a call varies by.
                if f"{chosen}_seconds" in entry:
                    entry["chosen_over_best"] = round(entry[f"{chosen}_seconds"] / best - 1, 3)
                entries.append(entry)
                print(entry, flush=True)
    return entries


def cpu(sizes: list[int], budget: Budget) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    for n in sizes:
        a = matrix(n, n, "float64", False).cpu().numpy()
        calls = 3 if n < 2048 else 1
        for driver in ("gesdd", "gesvd"):
            if budget.left() <= 0 or (driver == "gesvd" and n > 2048):
                continue
            if driver == "gesdd":
                work = lambda a=a: lap.svd(a, False, gpu=False)  # noqa: E731
            else:
                # SciPy's, as the library chooses gesvd by size only.
                work = lambda a=a: scipy.linalg.svd(a, full_matrices=False, lapack_driver="gesvd")  # noqa: E731
            times = []
            for _ in range(calls):
                start = time.perf_counter()
                work()
                times.append(time.perf_counter() - start)
            entries.append({"n": n, "driver": driver, "seconds": median(times)})
            print(entries[-1], flush=True)
    return entries


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--parts", default="tall,numpy,square,constructed,auto,cpu")
    parser.add_argument("--sizes", default="512,1024,2048,4096,8192")
    parser.add_argument("--seconds", type=float, default=280)
    given = parser.parse_args()
    sizes = [int(size) for size in given.sizes.split(",")]
    budget, polar = Budget(given.seconds), Polar()
    chosen = next(device for device in lap.devices() if device.chosen)
    result: dict[str, Any] = {
        "device": chosen.name,
        "driver": chosen.driver,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "processor": processor(),
        "cores": os.cpu_count(),
        "library": str(lap.library_info()).splitlines()[0],
    }
    many = [2, 4, 8, 16, 32, 64, 100, 128, 200, 256, 300, 400, 512, 700, 1024, 1500, 2048, 3000, 4096, 8192]
    parts: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "square": lambda: square(sizes, polar, budget),
        "tall": lambda: tall(polar, budget),
        "numpy": lambda: from_numpy(budget),
        "constructed": lambda: constructed(budget),
        "auto": lambda: auto([n for n in many if n <= max(sizes)], budget),
        "cpu": lambda: cpu(sizes, budget),
    }
    for part in given.parts.split(","):
        result[part] = parts[part]()
        # Kept after each part, so that a run that is ended has something to show.
        given.output.write_text(json.dumps(result, indent=1) + "\n")
    print(f"{time.perf_counter() - STARTED:.0f} s", flush=True)


if __name__ == "__main__":
    main()
