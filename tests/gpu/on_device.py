"""What the tests of the OpenCL engine share: the device, and proof that it computed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from helpers import within

import lapack_py as lap
from lapack_py import _native

CHOSEN = next(device for device in lap.devices() if device.chosen)
NAME, NUMBER = CHOSEN.name, CHOSEN.number


def status() -> lap.DeviceStatus:
    """How the device stands now."""
    return lap.devices()[NUMBER]


def computed_there(report: Any) -> None:
    assert report.engine == "opencl", report.reason
    assert report.device == NAME


def product(a: Any, b: Any, **keywords: Any) -> Any:
    """The product by the device, and nobody else."""
    c, report = lap.matmul(a, b, gpu="require", return_report=True, **keywords)
    computed_there(report)
    return c


def same_product(c: Any, a: Any, b: Any, what: str) -> None:
    """Compares with the CPU's product: every element within its own bound, k eps sum |a_il| |b_lj|."""
    right = lap.matmul(a, b, gpu=False)
    assert (np.shape(c), np.asarray(c).dtype) == (np.shape(right), np.asarray(right).dtype), what
    bound = np.abs(a) @ np.abs(b)
    difference = np.abs(c - right)
    assert np.all(difference[bound == 0] == 0), what
    error = np.max(difference / np.where(bound == 0, 1, bound), initial=0.0)
    within(error, np.shape(a)[-1], right.dtype, what)


@contextmanager
def fault(name: str, times: int = 1) -> Iterator[None]:
    """The next opportunities for a fault fail; whatever happens, the device is sound afterwards."""
    _native.inject_fault(name, times)
    try:
        yield
    finally:
        _native.inject_fault(name, 0)
        _native.close_breaker(NUMBER)


@contextmanager
def memory(limit: int) -> Iterator[None]:
    """The device may use so many bytes."""
    former = _native.set_device_memory_limit(NUMBER, limit)
    try:
        yield
    finally:
        _native.set_device_memory_limit(NUMBER, former)


@contextmanager
def spans() -> Iterator[list[Any]]:
    """Collects the reports of all calls."""
    reports: list[Any] = []
    with lap.observe(lambda report, error: reports.append(report)):
        yield reports
