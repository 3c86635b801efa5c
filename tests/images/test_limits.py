"""The library inside a container's limits, which the kernel really enforces here."""

from __future__ import annotations

import json

from runtime import output

TOLD = """
import json, os, numpy as np, lapack_py as lap
found = {finding.topic: finding.found for finding in lap.doctor().findings}
print(json.dumps([found["threads"], found["memory"]]))
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


def test_a_device_that_shares_the_hosts_memory_takes_half_of_what_the_container_has_left(cpu, tmp_path):
    code = """
import numpy as np, lapack_py as lap
a = np.ones((64, 64))
assert (lap.matmul(a, a, gpu="require") == 64).all()
print(lap.explain_dispatch("matmul", (256, 256, 256)).memory_available)
"""
    status, text = output(cpu, tmp_path, "python", "-c", code, env={"LAPACK_GPU_DEVICE": "cpu"}, memory="1Gi")
    assert status == 0, text
    assert (1 << 30) / 4 < int(text) <= (1 << 30) / 2
