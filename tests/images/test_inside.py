"""The project's own tests and its main job inside the images, as a user without rights on a root that is only read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from runtime import MOUNTS, output

CHECKOUT = Path(__file__).resolve().parents[2]
# Its examples of exceptions have notes, which doctest of Debian's Python 3.11.2 compares otherwise than later releases.
NOT_INSIDE = ["test_docs.py"]


def passed(text: str) -> int:
    found = re.search(r"(\d+) passed", text)
    assert found, text[-3000:]
    return int(found[1])


def test_the_main_job_runs_in_the_development_image(dev, tmp_path):
    status, text = output(dev, tmp_path, "python", "-m", "lapack_py.demo", "--quick", "--out", "/tmp/out", timeout=600)
    assert status == 0, text[-3000:]
    assert "FAIL" not in text


def test_the_python_tests_pass_in_the_development_image(dev, tmp_path):
    command = ["python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp=/tmp/pytest", "tests/python"]
    command += [f"--ignore=tests/python/{name}" for name in NOT_INSIDE]
    # The image's module, and not one that was built in the checkout.
    env, checkout = {"LAPACK_AI_CHECKOUT": ""}, {"/work": str(CHECKOUT)}
    # Other LAPACKs were built for the machine's paths.
    if (CHECKOUT / ".cache").is_dir():
        empty = tmp_path / "no-cache"
        empty.mkdir()
        checkout["/work/.cache"] = str(empty)
    mounts = [mount for mount in MOUNTS if mount["mountPath"] != "/work"]
    status, text = output(dev, tmp_path, *command, env=env, binds=checkout, mounts=mounts, timeout=1800)
    assert status == 0, text[-3000:]
    assert passed(text) > 10_000


@pytest.mark.parametrize("name", ["test_matmul.py", "test_device_arrays.py"])
def test_the_gpu_tests_pass_on_the_pocl_of_the_cpu_image(cpu, dev, tmp_path, name):
    """With the packages of the tests from the development image, and the library, its LAPACK and PoCL of this one."""
    site = next(dev.root.glob("opt/lapack-ai/lib/python3*/site-packages"))
    tools = {}
    for package in ("pytest", "_pytest", "pluggy", "iniconfig", "ml_dtypes", "pygments", "py.py"):
        tools[f"/work/tools/{package}"] = str(site / package)
    checkout = {f"/work/{part}": str(CHECKOUT / part) for part in ("tests", "pyproject.toml")}
    command = ["python", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--basetemp=/tmp/pytest"]
    env = {"PYTHONPATH": "/work/tools"}
    status, text = output(
        cpu, tmp_path, *command, f"tests/gpu/{name}", env=env, binds={**checkout, **tools}, timeout=1800
    )
    assert status == 0, text[-3000:]
    assert passed(text) > 10
