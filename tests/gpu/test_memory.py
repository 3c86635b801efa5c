"""Products larger than the device's memory, the pool under load, and the limit of a container."""

from __future__ import annotations

import gc
import os
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from helpers import DTYPES, matrix, refuses, run_python
from on_device import CHOSEN, NAME, NUMBER, computed_there, memory, product, same_product, status

import lapack_py as lap
from lapack_py import _native

# Pieces.


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((500, 500), (500, 500)),
        ((20, 100), (100, 4000)),
        ((4000, 100), (100, 20)),
        ((30, 9000), (9000, 30)),
        ((400, 40, 50), (400, 50, 30)),
        ((400, 40, 50), (50, 30)),
        ((40, 50), (400, 50, 30)),
    ],
    ids=str,
)
def test_a_product_larger_than_the_memory_goes_in_pieces_and_says_so_with_numbers(left, right):
    a, b = matrix(*left), matrix(*right, seed=1)
    with memory(3_000_000), pytest.warns(lap.InPiecesWarning) as caught:
        c, report = lap.matmul(a, b, gpu="require", return_report=True)
    computed_there(report)
    assert report.chunks > 1
    message = caught[0].message
    assert message.code == "LAP-W004"
    size = (a.nbytes + b.nbytes + c.nbytes) / 1e9
    for text in (f"the product needs {size:.3f} GB", f"{NAME} has", "GB to give", f"in {report.chunks} pieces"):
        assert text in str(message), str(message)
    # At a line of the user's that warns again, the text counts.
    assert str(message).startswith(report.warnings[0])
    assert message.fixes
    same_product(c, a, b, "in pieces")


@pytest.mark.parametrize("dtype", DTYPES)
def test_pieces_of_every_type_and_order_are_put_together_right(dtype):
    a, b = matrix(310, 270, dtype=dtype), matrix(270, 330, dtype=dtype, seed=1)
    with memory(600_000), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for left, right in ((a, b), (np.asfortranarray(a), b), (a[::-1], np.asfortranarray(b)), (a[:, ::2], b[::2])):
            c, report = lap.matmul(left, right, gpu="require", return_report=True)
            computed_there(report)
            assert report.chunks > 1
            same_product(c, left, right, "in pieces")


def test_smaller_memory_makes_more_pieces():
    a = matrix(400, 400)
    chunks = []
    for limit in (60_000_000, 3_500_000, 1_500_000):
        with memory(limit), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _, report = lap.matmul(a, a, gpu="require", return_report=True)
            computed_there(report)
            chunks.append(report.chunks)
    assert chunks[0] == 1
    assert chunks == sorted(chunks)
    assert chunks[0] < chunks[1] < chunks[2]


def test_memory_for_nothing_is_an_error_with_the_number_or_the_cpus_work():
    a = matrix(400, 400)
    with memory(20_000):
        refuses(lambda: lap.matmul(a, a, gpu="require"), lap.SizeError, "not even blocks of 64 rows fit into the")
        with pytest.warns(lap.GpuNotUsedWarning, match="not even blocks of 64 rows"):
            c, report = lap.matmul(a, a, gpu=True, return_report=True)
        assert report.engine == "cpu"
        same_product(c, a, a, "by the CPU")
        refuses(lambda: lap.to_device(a), lap.SizeError, "that may be used are in use")
    _native.close_breaker(NUMBER)
    same_product(product(a, a), a, a, "with memory again")


def test_the_setting_limits_the_matrices_that_go_at_a_time():
    code = """
a = np.random.default_rng(0).standard_normal((100, 20, 20))
c, report = lap.matmul(a, a, gpu="require", return_report=True)
assert np.allclose(c, a @ a)
print(report.engine, report.chunks, report.warnings)
"""
    done = run_python(code, LAPACK_BATCH_SIZE_LIMIT="30")
    assert done.stdout == "opencl 4 []\n", done.stderr
    done = run_python(code)
    assert done.stdout == "opencl 1 []\n", done.stderr


def test_the_setting_limits_the_share_of_the_memory():
    code = f"""
_, report = lap.matmul(np.eye(3), np.eye(3), gpu="require", return_report=True)
device = lap.devices()[{NUMBER}]
print(report.engine, device.pool["limit"] / device.memory)
"""
    for percent in (10, 40):
        done = run_python(code, LAPACK_GPU_MEMORY_LIMIT=str(percent))
        engine, share = done.stdout.split()
        assert engine == "opencl", done.stderr
        # A container's limit may hold it to less.
        assert float(share) <= percent / 100 + 1e-9
        if not CHOSEN.is_cpu:
            assert float(share) == pytest.approx(percent / 100)


# The pool.


def test_under_load_more_than_four_fifths_of_the_pool_are_in_use():
    lap.trim()
    rng = np.random.default_rng(0)
    kept: list[lap.DeviceArray] = []
    for step in range(200):
        n = int(rng.integers(1000, 2400))
        kept.append(lap.to_device(np.zeros((n, n), "float32")))
        if len(kept) > 60:
            kept.pop(int(rng.integers(0, len(kept))))
        if step > 100:
            pool = status().pool
            assert pool["utilisation"] > 0.8, (step, pool)
            assert pool["used"] + pool["idle"] <= pool["limit"]
            assert pool["requested"] <= pool["used"] <= pool["high_water"]
    c, report = lap.matmul(kept[-1], kept[-1].mT, return_report=True)
    computed_there(report)
    assert not c.numpy().any()


def test_what_is_let_go_of_is_used_again():
    a = matrix(300, 300)
    # Results are checked now and then, which takes memory of its own the first time.
    for _ in range(20):
        product(a, a)
    before = status().pool
    for _ in range(10):
        product(a, a)
    after = status().pool
    assert after["allocations"] == before["allocations"]
    assert after["reuses"] > before["reuses"]
    assert after["used"] == before["used"]


def test_trim_gives_back_what_is_idle():
    a = matrix(500, 500)
    product(a, a)
    idle = status().pool["idle"]
    assert idle > 0
    assert lap.trim() == idle
    assert status().pool["idle"] == 0
    assert lap.trim() == 0
    same_product(product(a, a), a, a, "after trim")


def test_memory_of_the_process_is_flat_over_many_calls():
    a = matrix(64, 64)

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def some() -> None:
        for _ in range(400):
            x = lap.to_device(a)
            product(a, a)
            (x @ x).numpy()

    if not Path("/proc/self/statm").exists():
        pytest.skip("resident memory is read from /proc")
    some()
    gc.collect()
    before = resident()
    some()
    gc.collect()
    assert resident() - before < 16 << 20


# Containers.

LIMIT = 400_000_000


def _own_group() -> tuple[Path, str] | None:
    """The directory of this process's memory group, and the name of the file with its limit."""
    lines = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    root = Path("/sys/fs/cgroup")
    for _, controllers, path in lines:
        if "memory" in controllers.split(","):
            return root / "memory" / path.lstrip("/"), "memory.limit_in_bytes"
    for _, controllers, path in lines:
        group = root / path.lstrip("/")
        if controllers == "" and "memory" in (group / "cgroup.subtree_control").read_text().split():
            return group, "memory.max"
    return None


@contextmanager
def limited(limit: int) -> Iterator[Path]:
    """A control group with a memory limit below this process's own; skips where none can be made."""
    try:
        found = _own_group()
        if found is None:
            raise OSError("no memory controller is delegated to this process's group")
        parent, file = found
        group = parent / f"lapack-ai-test-{uuid.uuid4().hex}"
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    try:
        try:
            (group / file).write_text(str(limit))
            yield group
        except PermissionError as error:
            pytest.skip(f"the control group cannot be limited here: {error}")
    finally:
        group.rmdir()


IN_GROUP = """
import os, sys
from pathlib import Path
if {group!r}:
    Path({group!r}, "cgroup.procs").write_text(str(os.getpid()))
"""
PRODUCT = """
import warnings, numpy as np, lapack_py as lap
warnings.simplefilter("ignore")
n = 3000
a = np.ones((n, 40), dtype="float32")
b = np.ones((40, n), dtype="float32")
c, report = lap.matmul(a, b, gpu="require", return_report=True)
assert report.engine == "opencl" and (c == 40).all()
[device] = [device for device in lap.devices() if device.chosen]
print(device.pool["limit"], device.staging)
# More than the pool may hold at once; one operand takes no memory of the host, which is limited as well.
m = int(0.45 * device.pool["limit"]) // 200 if {limited} else 1000
large, narrow = np.broadcast_to(np.float32(1), (m, 50)), np.ones((50, 50), dtype="float32")
del a, b, c
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    c, report = lap.matmul(large, narrow, gpu="require", return_report=True)
assert report.engine == "opencl" and (c == 50).all()
print(report.chunks)
print(*[(w.message.code, w.message.cause) for w in caught])
"""


@pytest.mark.skipif(not Path("/proc/self/cgroup").exists(), reason="this system has no control groups")
def test_in_a_container_with_little_memory_the_device_is_held_to_a_part_of_it_and_the_warning_says_so():
    if not CHOSEN.is_cpu:
        # A GPU's memory is not the container's: only what is pinned for transfers is held.
        with limited(2_000_000_000) as group:
            done = run_python(IN_GROUP.format(group=str(group)) + PRODUCT.format(limited=False), timeout=120)
        assert done.returncode == 0, done.stderr
        assert int(done.stdout.split()[1]) <= 2_000_000_000 / 16
        return
    free = run_python(IN_GROUP.format(group="") + PRODUCT.format(limited=False), timeout=120)
    assert free.returncode == 0, free.stderr
    with limited(LIMIT) as group:
        held = run_python(IN_GROUP.format(group=str(group)) + PRODUCT.format(limited=True), timeout=120)
    assert held.returncode == 0, held.stderr
    (wide, wide_staging), (narrow, narrow_staging) = (
        map(int, done.stdout.splitlines()[0].split()) for done in (free, held)
    )
    assert narrow <= LIMIT / 2 < wide
    assert narrow_staging <= LIMIT / 16
    assert narrow_staging <= wide_staging
    assert free.stdout.splitlines()[1] == "1"
    _, chunks, warning = held.stdout.splitlines()
    assert int(chunks) > 1
    assert "LAP-W004" in warning
    assert "the memory limit of this process or container holds the device to a half of what is left" in warning
