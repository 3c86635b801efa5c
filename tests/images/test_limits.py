"""The library inside a container's limits, which the kernel really enforces here."""

from __future__ import annotations

import json

from runtime import output

TOLD = """
import json, os, numpy as np, lapack_py as lap
found = {finding.topic: finding.found for finding in lap.doctor().findings}
print(json.dumps([found["threads"], found["memory"]]))
"""
# More than the container has; without its limit every machine that runs these tests has as much.
TOO_MUCH = """
import numpy as np, lapack_py as lap
a = np.ones((1500, 1500))
try:
    lap.svd(np.broadcast_to(a, (40, 1500, 1500)))
except lap.LapackError as error:
    print(error.code, error)
"""


def test_threads_and_memory_are_those_of_the_container(prod, tmp_path):
    status, text = output(prod, tmp_path, "python", "-c", TOLD, memory="768Mi", cpu="1500m")
    assert status == 0, text
    threads, memory = json.loads(text)
    assert threads == "1 in use, 1 available, time for 1.5"
    assert memory.endswith("of which the container may use 0.8")


def test_a_program_beyond_the_limit_is_ended_by_the_kernel(prod, tmp_path):
    """The limit is the kernel's, not only a number that the library reads."""
    status, text = output(
        prod, tmp_path, "python", "-c", "b = bytearray(1 << 30); b[::4096] = b[::4096]; print(len(b))", memory="256Mi"
    )
    assert status == 137, text


def test_a_product_on_a_device_that_does_not_fit_the_limit_goes_in_pieces_and_is_right(cpu, tmp_path):
    code = """
import warnings, numpy as np, lapack_py as lap
a = np.ones((2800, 2800))
with warnings.catch_warnings(record=True) as given:
    warnings.simplefilter("always")
    product, report = lap.matmul(a, a, gpu="require", return_report=True)
codes = {warning.message.code for warning in given if hasattr(warning.message, "code")}
print(report.engine, bool((product == 2800).all()), sorted(codes))
"""
    env = {"LAPACK_GPU_DEVICE": "cpu", "LAPACK_GPU_MEMORY_LIMIT": "10"}
    status, text = output(cpu, tmp_path, "python", "-c", code, env=env, memory="768Mi")
    assert status == 0, text
    assert text == "opencl True ['LAP-W004']\n"
