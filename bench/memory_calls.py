"""Small calls of every kind, alone, on threads and in batches: what `bench/check-memory` lets a memory checker watch.

Usage: python bench/memory_calls.py
"""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import lapack_py as lap

THREADS = 4
DTYPES = ("float32", "float64", "complex64", "complex128")


def work_list(dtype: str) -> list[Callable[[], Any]]:
    random = np.random.default_rng(3)

    def draw(*shape: int) -> Any:
        a = random.standard_normal(shape) + (1j * random.standard_normal(shape) if dtype[0] == "c" else 0)
        return a.astype(dtype)

    work: list[Callable[[], Any]] = []
    for n in (1, 5, 8, 11, 30):
        a, b, tall = draw(n, n) + 4 * n * np.eye(n, dtype=dtype), draw(n, 3), draw(n + 4, n)
        definite = (a @ a.conj().T).astype(dtype)
        band = np.triu(np.tril(a, 1), -1)
        orders = (a, np.asfortranarray(a), np.repeat(np.repeat(a, 2, 0), 3, 1)[::2, ::3], a[::-1, ::-1])
        work += [lambda a=order, b=b: lap.solve(a, b) for order in orders]
        work += [lambda a=order, b=b: lap.solve(a, b, assume_a="gen") for order in orders]
        work += [
            lambda a=definite, b=b: lap.solve(a, b, assume_a="pos"),
            lambda a=definite, b=b: lap.solve(a, b, assume_a="her"),
            lambda a=band, b=b: lap.solve(a, b),
            lambda a=a, b=b: lap.solve(np.triu(a), b),
            lambda a=a, b=b: lap.solve(np.array(a, order="F"), b.copy(), overwrite_a=True, overwrite_b=True),
            lambda a=tall: lap.svd(a),
            lambda a=tall: lap.svd(a, full_matrices=False),
            lambda a=tall: lap.svdvals(a.T),
            lambda a=tall: lap.lstsq(a, a[:, 0]),
            lambda a=tall: lap.qr(a),
            lambda a=tall: lap.qr(a, mode="complete"),
            lambda a=definite: lap.eigh(a),
            lambda a=definite: lap.eigvalsh(a),
            lambda a=a, b=definite: lap.eigh(b + b.conj().T, b),
            lambda a=a: lap.eig(a),
            lambda a=a: lap.eigvals(a),
            lambda a=a: lap.schur(a),
            lambda a=definite: lap.cholesky(a),
            lambda a=definite, b=b: lap.cho_solve(lap.cho_factor(a), b),
            lambda a=a, b=b: lap.lu_solve(lap.lu_factor(a), b),
            lambda a=a: lap.inv(a),
            lambda a=a: lap.slogdet(a),
            lambda a=a: lap.rcond(a),
            lambda a=tall: lap.pinv(a),
            lambda a=a, b=b: lap.matmul(a, b),
        ]
    stack = draw(300, 6, 6) + 20 * np.eye(6, dtype=dtype)
    middle = draw(30, 30, 30) + 99 * np.eye(30, dtype=dtype)
    work += [
        lambda: lap.solve(stack, stack),
        lambda: lap.solve(middle, middle),
        lambda: lap.svd(stack),
        lambda: lap.eigh(stack + stack.conj().swapaxes(-1, -2)),
        lambda: lap.matmul(stack, stack),
        lambda: lap.inv(middle),
        lambda: lap.solve(np.zeros((300, 3, 3), dtype), np.ones((300, 3, 1), dtype)),
        lambda: lap.cholesky(-middle),
        lambda: lap.svd(np.full((3, 3), np.nan, dtype)),
        lambda: lap.solve(stack[0, :4], stack[0]),
    ]
    return work


def outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except lap.LapackError as error:
        return str(error), error.report()


def main() -> int:
    warnings.simplefilter("ignore")
    lap.set_num_threads(2)
    calls = [call for dtype in DTYPES for call in work_list(dtype)]
    failures = []

    def compute(number: int) -> None:
        def count(report: Any, error: Any) -> None:
            seen.append(report.operation if report else None)

        seen: list[Any] = []
        try:
            for position in range(number, len(calls), THREADS):
                outcome(calls[position])
            with lap.observe(count):
                outcome(calls[number])
        except BaseException as failure:
            failures.append(failure)
            raise

    threads = [threading.Thread(target=compute, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"{len(calls)} calls on {THREADS} threads")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
