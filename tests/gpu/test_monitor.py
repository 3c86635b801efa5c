"""What the dashboard says of calls on a device."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest

import lapack_py as lap


@pytest.fixture
def monitor() -> Iterator[lap.Monitor]:
    with lap.monitor(port=0, history=False) as started:
        yield started


def test_calls_on_a_device_are_told_with_its_name_phases_and_memory(monitor):
    a = np.random.default_rng(0).standard_normal((300, 300))
    for _ in range(6):
        lap.matmul(a, a, gpu=True)
        lap.matmul(a, a, gpu=False)
    told = monitor.snapshot()
    assert told["totals"]["gpu_calls"] == 6
    on_device = next(row for row in told["rows"] if row["engine"] == "opencl")
    assert on_device["device"] == next(device.name for device in lap.devices() if device.chosen)
    assert on_device["phases"]["compute"] > 0
    assert on_device["phases"]["transfer"] > 0
    assert on_device["moved"] >= 6 * 3 * a.nbytes
    device = next(device for device in told["devices"] if device["chosen"])
    used, _, high, limit = device["pool"]
    assert 0 <= used <= high <= limit
    assert high >= a.nbytes


def test_an_operation_on_both_engines_is_compared_by_what_was_measured(monitor):
    a = np.random.default_rng(0).standard_normal((200, 200)).astype(np.float32)
    for gpu in (True, False):
        for _ in range(5):
            lap.matmul(a, a, gpu=gpu)
    (found,) = monitor.snapshot()["comparisons"]
    assert (found["operation"], found["dtype"], found["size"]) == ("matmul", "float32", 256)
    assert found["measured"] == [True, True]
    rows = {row["engine"]: row["p50"] for row in monitor.snapshot()["rows"]}
    assert (found["cpu"], found["gpu"]) == (rows["cpu"], rows["opencl"])


@pytest.mark.timed
def test_operands_kept_on_the_device_save_at_least_half_of_the_transfers_that_the_advice_promises(monitor):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((1500, 1500)), rng.standard_normal((1500, 2))
    lap.matmul(a, b, gpu=True)
    count = 20
    started = time.perf_counter()
    for _ in range(count):
        expected = lap.matmul(a, b, gpu=True)
    now = time.perf_counter() - started
    rows = [row for row in monitor.snapshot()["rows"] if row["engine"] == "opencl"]
    share = rows[0]["phases"]["transfer"] / rows[0]["phases"]["total"]
    found = [one for one in monitor.snapshot()["recommendations"] if one["rule"] == "device-arrays"]
    assert bool(found) == (share >= 0.5), f"transfers are {share:.0%} of the time: {found}"
    if not found:
        return
    promised = (found[0]["now"] - found[0]["then"]) / rows[0]["calls"] * count
    names = {"lap": lap, "A": a, "B": b}
    exec(found[0]["code"], names)
    np.testing.assert_allclose(names["C"].numpy(), expected, atol=1e-9)
    device_b = lap.to_device(b)
    started = time.perf_counter()
    for _ in range(count):
        result = names["dA"] @ device_b
    result.numpy()
    then = time.perf_counter() - started
    assert now - then >= promised / 2, f"{found[0]['evidence']}; measured {now:.3f} s and {then:.3f} s"


@pytest.mark.timed
def test_calls_on_the_slower_engine_save_at_least_half_of_what_the_other_is_said_to_take(monitor):
    a = np.random.default_rng(0).standard_normal((40, 40))
    # Short calls are timed now and then, so it takes some to know them.
    counts = {True: 200, False: 4000}
    each = {}
    for gpu, count in counts.items():
        lap.matmul(a, a, gpu=gpu)
        started = time.perf_counter()
        for _ in range(count):
            lap.matmul(a, a, gpu=gpu)
        each[gpu] = (time.perf_counter() - started) / count
    time.sleep(2.1)
    found = [one for one in monitor.snapshot()["recommendations"] if one["rule"] == "engine"]
    assert len(found) == 1, f"a call takes {each[True]:.1e} s on the device, {each[False]:.1e} s on the CPU"
    slower = max(each, key=each.__getitem__)
    assert f"gpu={not slower}" in found[0]["code"]
    count = counts[slower]
    promised = (found[0]["now"] - found[0]["then"]) * count / (count + 1)
    names = {"lap": lap, "A": a, "B": a}
    code = compile(found[0]["code"], "<recommendation>", "exec")
    started = time.perf_counter()
    for _ in range(count):
        exec(code, names)
    then = time.perf_counter() - started
    now = each[slower] * count
    assert now - then >= promised / 2, f"{found[0]['evidence']}; measured {now:.3f} s and {then:.3f} s"
    np.testing.assert_allclose(names["C"], a @ a, atol=1e-9)
