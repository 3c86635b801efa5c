"""Stacks of which a few matrices fail, and devices that are missing or fail."""

from __future__ import annotations

import tempfile
from collections.abc import Callable

import numpy as np
import scipy.linalg as sl

import lapack_py as lap

from ._case import ILL, NOT_POSITIVE, SINGULAR, Case, Data, element, elsewhere, same, slices

CPU = r"gpu ?= ?(False|['\"]auto)|the CPU|without (a|the) GPU"


def _two_singular() -> Data:
    """Ten transformations; in 3 a scale is 0, in 7 two axes are the same."""
    rng = np.random.default_rng(131)
    a = rng.standard_normal((10, 4, 4)) + 3 * np.eye(4)
    a[3, :, 2] = 0.0
    a[7, 1] = a[7, 0]
    return {"a": a}


def _two_indefinite() -> Data:
    rng = np.random.default_rng(133)
    x = rng.standard_normal((20, 6, 18))
    a = x @ x.mT / 18
    a[4] -= 3 * np.eye(6)
    a[11] -= 5 * np.eye(6)
    return {"a": a}


def _empty_cluster() -> Data:
    """The scatter matrices of six clusters; cluster 4 has no points."""
    rng = np.random.default_rng(135)
    x = rng.standard_normal((120, 3))
    member = rng.choice([0, 1, 2, 3, 5], 120)
    a = np.stack([x[member == k].T @ x[member == k] for k in range(6)])
    return {"a": a, "b": np.ones((6, 3, 1))}


def _one_ill_conditioned() -> Data:
    rng = np.random.default_rng(137)
    a = rng.standard_normal((9, 5, 5)) + 3 * np.eye(5)
    u, _, v = np.linalg.svd(a[6])
    a[6] = u * [1, 1, 1, 1, 1e-17] @ v
    return {"a": a, "b": np.ones((9, 5, 1))}


def _one_overflow() -> Data:
    rng = np.random.default_rng(139)
    a = rng.standard_normal((5, 7, 3))
    a[2, 4, 1] = np.inf
    return {"a": a}


def _regularised(d: Data) -> np.ndarray:
    return lap.solve(d["a"] + 1e-3 * np.eye(3), d["b"])


def _each(a: np.ndarray, x: np.ndarray, right: Callable[[np.ndarray], np.ndarray], units: float = 1.0) -> None:
    for one, result in zip(a, np.asarray(x), strict=True):
        same(result, right(one), units=units)


def _check_inverses(d: Data, p: np.ndarray) -> None:
    assert len(p) == 10
    good = [i for i in range(10) if i not in (3, 7)]
    _each(d["a"][good], np.asarray(p)[good], np.linalg.inv, units=10)


def _check_factors(d: Data, lower: np.ndarray) -> None:
    same(lower @ lower.mT, np.delete(d["a"], [4, 11], axis=0))


def _check_values(d: Data, values: np.ndarray) -> None:
    same(values, np.linalg.svd(np.delete(d["a"], 2, axis=0), compute_uv=False))


def _product() -> Data:
    return {"a": np.random.default_rng(3).standard_normal((48, 48))}


def _first_device() -> int:
    return lap.devices()[0].number


def _with_fault(name: str) -> Callable[[Data], np.ndarray]:
    """A product that the device has to compute, and fails once in the way named.

    Kernels that were built before are kept between processes, so a fault of building gets an empty place for them.
    """
    code = f"""
    _native.inject_fault({name!r}, 20 if {name!r} == "build" else 1)
    result = lap.matmul(a, a, gpu="require")
    """

    def call(_: Data) -> np.ndarray:
        with tempfile.TemporaryDirectory() as empty:
            return elsewhere(code, LAPACK_GPU_DEVICE=str(_first_device()), LAPACK_AI_CACHE_DIR=empty)

    return call


def _after_the_loss(_: Data) -> np.ndarray:
    code = """
    _native.inject_fault("lost", 1)
    try:
        lap.matmul(a, a, gpu="require")
    except lap.GpuError:
        result = lap.matmul(a, a, gpu="require")
    """
    return elsewhere(code, LAPACK_GPU_DEVICE=str(_first_device()))


def _on_another_machine(d: Data) -> np.ndarray:
    with lap.device("H100"):
        return lap.matmul(d["a"], d["a"], gpu="require")


def _no_device(_: Data) -> np.ndarray:
    with tempfile.TemporaryDirectory() as empty:
        code = "result = lap.matmul(a, a, gpu='require')"
        return elsewhere(code, OCL_ICD_VENDORS=empty, OCL_ICD_FILENAMES=None, LAPACK_GPU_DEVICE=None)


def _on_cpu(d: Data) -> np.ndarray:
    return lap.matmul(d["a"], d["a"], gpu=False)


def _on_auto(d: Data) -> np.ndarray:
    return lap.matmul(d["a"], d["a"])


def _check_product(d: Data, c: np.ndarray) -> None:
    same(c, np.einsum("ij,jk->ik", d["a"], d["a"]), units=10)


CASES = (
    Case(
        id="two-of-ten-transformations",
        kind="batch",
        source="https://github.com/numpy/numpy/pull/28782",
        asked="the inverses of ten transformations",
        true_cause="matrices 3 and 7 of the ten are singular, the other eight are not",
        names=(SINGULAR, slices(3, 7) + r"|\b3\b[^\n]*(1 (more|other)|another)"),
        make=_two_singular,
        numpy=lambda d: np.linalg.inv(d["a"]),
        scipy=lambda d: sl.inv(d["a"]),
        lap=lambda d: lap.inv(d["a"]),
        fix=r"pinv|errors|(drop|remove|leave out|delete)",
        fixed=lambda d: lap.pinv(d["a"]),
        check=_check_inverses,
        expects="error",
    ),
    Case(
        id="two-of-twenty-covariances",
        kind="batch",
        source="https://github.com/omicverse/omicverse/issues/210",
        asked="the Cholesky factors of twenty covariance matrices",
        true_cause="matrices 4 and 11 of the twenty are not positive definite",
        names=(NOT_POSITIVE, slices(4, 11) + r"|\b4\b[^\n]*(1 (more|other)|another)"),
        make=_two_indefinite,
        numpy=lambda d: np.linalg.cholesky(d["a"]),
        scipy=lambda d: sl.cholesky(d["a"], lower=True),
        lap=lambda d: lap.cholesky(d["a"]),
        fix=r"add [^\n]*diagonal|errors|(drop|remove|leave out|delete)|shrink|regulari[sz]|eigh",
        fixed=lambda d: lap.cholesky(np.delete(d["a"], [4, 11], axis=0)),
        check=_check_factors,
        expects="error",
    ),
    Case(
        id="cluster-without-points",
        kind="batch",
        source="https://github.com/augerai/a2ml/issues/484",
        asked="one step of a mixture model: a solution for each of six scatter matrices",
        true_cause="cluster 4 has no points: matrix 4 is all 0",
        names=(slices(4), r"(all|only|entire|every)[^\n]{0,30}(0|zero)|(is|are) (0|zero)|zero matrix"),
        make=_empty_cluster,
        numpy=lambda d: np.linalg.solve(d["a"], d["b"]),
        scipy=lambda d: sl.solve(d["a"], d["b"]),
        lap=lambda d: lap.solve(d["a"], d["b"]),
        fix=r"add [^\n]*diagonal|errors|(drop|remove|leave out|delete)|regulari[sz]|lstsq|pinv",
        fixed=_regularised,
        check=lambda d, x: same((d["a"] + 1e-3 * np.eye(3)) @ x, d["b"], units=1e3),
        expects="error",
    ),
    Case(
        id="one-ill-conditioned-of-nine",
        kind="batch",
        source="https://github.com/equinor/ert/issues/9590",
        asked="the solutions of nine systems",
        true_cause="matrix 6 of the nine has rcond about 1e-17, the others are well conditioned",
        names=(ILL, slices(6), r"e-(1[6-9]|2\d)\b"),
        make=_one_ill_conditioned,
        numpy=lambda d: np.linalg.solve(d["a"], d["b"]),
        scipy=lambda d: sl.solve(d["a"], d["b"]),
        lap=lambda d: lap.solve(d["a"], d["b"]),
        fix=r"lstsq|pinv|errors|regulari[sz]",
        fixed=lambda d: lap.pinv(d["a"]) @ d["b"],
        check=lambda d, x: same(x[:6], np.linalg.solve(d["a"][:6], d["b"][:6]), units=10),
        expects="warning",
    ),
    Case(
        id="infinity-in-one-of-five",
        kind="batch",
        source="https://github.com/numpy/numpy/issues/3260",
        asked="the singular values of five tables",
        true_cause="row 4, column 1 of matrix 2 is inf",
        names=(r"\binf(inity|inite)?\b", slices(2) + r"|\(2, ?4, ?1\)|\[2, ?4, ?1\]", element(4, 1)),
        make=_one_overflow,
        numpy=lambda d: np.linalg.svd(d["a"], compute_uv=False),
        scipy=lambda d: sl.svd(d["a"], compute_uv=False),
        lap=lambda d: lap.svdvals(d["a"]),
        fix=r"drop|remove|delete|leave out|replace|nan_to_num|isfinite|clean|errors",
        fixed=lambda d: lap.svdvals(np.delete(d["a"], 2, axis=0)),
        check=_check_values,
        expects="error",
    ),
    Case(
        id="no-device-at-all",
        kind="device",
        source="https://github.com/inducer/pyopencl/issues/283",
        asked="a product on the GPU, gpu='require'",
        true_cause="there is no OpenCL platform, CL_PLATFORM_NOT_FOUND_KHR (-1001): no driver is installed",
        names=(r"\bno\b[^\n]{0,40}(device|platform|driver|GPU|OpenCL)|not found|none", r"OpenCL"),
        make=_product,
        numpy=None,
        scipy=None,
        lap=_no_device,
        fix=CPU + r"|install|driver",
        fixed=_on_auto,
        check=_check_product,
        expects="error",
    ),
    Case(
        id="device-of-another-machine",
        kind="device",
        source="https://github.com/fireice-uk/xmr-stak/issues/858",
        asked="a product on the device called 'H100', on a machine without one",
        true_cause="no device is called 'H100'; the names of the devices there are tell what to write",
        names=(r"H100", r"no (device|GPU)|not found|is (called|named)|match|there (is|are)"),
        make=_product,
        numpy=None,
        scipy=None,
        lap=_on_another_machine,
        fix=r"device|" + CPU,
        fixed=_on_auto,
        check=_check_product,
        expects="error",
    ),
    Case(
        id="device-memory-exhausted",
        kind="device",
        source="https://github.com/clij/clij/issues/19",
        asked="a product on the device, which has no memory left",
        true_cause="the device refused memory, CL_MEM_OBJECT_ALLOCATION_FAILURE (-4)",
        names=(r"memory|alloc|bytes|buffer", r"refus|out of|not enough|no more|-4\b|exhaust|ALLOCATION_FAILURE"),
        make=_product,
        numpy=None,
        scipy=None,
        lap=_with_fault("allocation"),
        fix=CPU + r"|smaller|trim|pieces|LAPACK_GPU_MEMORY_LIMIT|free",
        fixed=_on_cpu,
        check=_check_product,
        expects="error",
        needs_opencl=True,
    ),
    Case(
        id="device-lost",
        kind="device",
        source="https://github.com/GPUOpen-LibrariesAndSDKs/RadeonRays_SDK/issues/65",
        asked="a product on the device, whose driver was restarted in between",
        true_cause="the device was lost by a reset: CL_INVALID_COMMAND_QUEUE (-36), or CL_OUT_OF_RESOURCES (-5)",
        names=(r"lost|stopped|no longer|reset|gone|answer", r"device|driver"),
        make=_product,
        numpy=None,
        scipy=None,
        lap=_with_fault("lost"),
        fix=CPU + r"|again|driver|restart|to_device",
        fixed=_after_the_loss,
        check=_check_product,
        expects="error",
        needs_opencl=True,
    ),
    Case(
        id="device-too-slow",
        kind="device",
        source="https://github.com/m4rs-mt/ILGPU/issues/1169",
        asked="a product on the device, which did not end",
        true_cause="a command took longer than LAPACK_GPU_TIMEOUT_SECONDS and was given up",
        names=(r"time|in time|seconds|\d s\b", r"did not end|timed? ?out|longer|exceed|gave up"),
        make=_product,
        numpy=None,
        scipy=None,
        lap=_with_fault("timeout"),
        fix=r"LAPACK_GPU_TIMEOUT_SECONDS|smaller|" + CPU,
        fixed=_on_cpu,
        check=_check_product,
        expects="error",
        needs_opencl=True,
    ),
    Case(
        id="kernel-not-built",
        kind="device",
        source="https://github.com/s-u/OpenCL/issues/9",
        asked="a product on a device whose driver cannot compile the kernel",
        true_cause="the driver's compiler rejected the kernel, CL_BUILD_PROGRAM_FAILURE (-11)",
        names=(r"kernel|program", r"built|build|compil"),
        make=_product,
        numpy=None,
        scipy=None,
        lap=_with_fault("build"),
        fix=CPU + r"|driver|update|report",
        fixed=_on_cpu,
        check=_check_product,
        expects="error",
        needs_opencl=True,
    ),
    Case(
        id="device-array-to-numpy",
        kind="device",
        source="https://github.com/StrangerZhang/SiamFC-PyTorch/issues/41",
        asked="NumPy's inverse of an array that lies on the device",
        true_cause="the array is in the memory of the device, where NumPy cannot read it; numpy() copies it",
        names=(r"device", r"numpy\(\)|copy|copied|memory"),
        make=_product,
        numpy=None,
        scipy=None,
        lap=lambda d: np.linalg.inv(lap.to_device(d["a"], _first_device())),
        fix=r"\.numpy\(\)|numpy\(\)",
        fixed=lambda d: np.linalg.inv(lap.to_device(d["a"], _first_device()).numpy()),
        check=lambda d, x: same(x @ d["a"], np.eye(48), units=100),
        expects="error",
        needs_opencl=True,
    ),
)
