"""Whether there is anything to test on."""

from __future__ import annotations

import os

import pytest

import lapack_py as lap


def test_there_is_an_opencl_device_to_test_on():
    devices = lap.devices()
    if not devices:
        pytest.skip("no OpenCL device; Debian, Ubuntu: apt-get install pocl-opencl-icd ocl-icd-libopencl1")
    chosen = [device for device in devices if device.chosen]
    assert len(chosen) == 1, f"no device is called {os.environ['LAPACK_GPU_DEVICE']}: {devices}"
