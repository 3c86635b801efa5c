"""The script that tests and measures on a machine with a GPU, tried on whatever OpenCL device there is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from clouds import write_program

ROOT = Path(__file__).resolve().parents[2]
ONE = "tests-test_there_is_a_device"


def has_device() -> bool:
    code = "import lapack_py, sys; sys.exit(0 if lapack_py.devices() else 1)"
    return subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def run(*options: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHON": sys.executable, **settings}
    command = [ROOT / "testing/run_gpu_tests.sh", *options]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=500, check=False)


@pytest.fixture
def a_device():
    if not has_device():
        pytest.skip("no OpenCL device; Debian, Ubuntu: apt-get install pocl-opencl-icd ocl-icd-libopencl1")


def write_host(path: Path, seconds: float) -> None:
    case = {"dtype": "float64", "n": 1024, "gpu_seconds": seconds}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"device": "Some GPU", "processor": "Some CPU", "cores": 4, "cases": [case]}))


def test_a_dry_run_names_every_file_of_tests_and_runs_none(tmp_path):
    done = run("--dry-run", "--results", str(tmp_path / "results"))
    assert done.returncode == 0, done.stderr
    for path in (ROOT / "tests/gpu").glob("test_*.py"):
        assert f"tests-{path.stem}: {sys.executable} -m pytest" in done.stdout
    assert "gpu_host.py" in done.stdout
    assert not (tmp_path / "results").exists()


def test_a_shard_leaves_its_result_and_is_not_run_again(a_device, tmp_path):
    options = ["--any-device", "--shards", ONE, "--results", str(tmp_path)]
    done = run(*options)
    assert done.returncode == 0, done.stdout + done.stderr
    shard = json.loads((tmp_path / f"{ONE}.json").read_text())
    assert shard["exit_status"] == 0
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["test_files"], summary["failed"], summary["comparison"]) == (1, [], "ok")
    assert "there already" not in done.stdout
    again = run(*options)
    assert again.returncode == 0
    assert f"{ONE}: there already" in again.stdout


def test_a_test_that_fails_is_named_with_its_log(a_device, tmp_path):
    (tmp_path / f"{ONE}.json").write_text(f'{{"shard": "{ONE}", "exit_status": 1, "seconds": 1}}')
    done = run("--any-device", "--shards", ONE, "--results", str(tmp_path))
    assert done.returncode == 1
    assert f"{ONE} failed: {tmp_path / ONE}.log" in done.stdout
    assert "0 of 1 files of tests passed" in done.stdout


def test_without_a_gpu_nothing_is_tested(tmp_path):
    done = run("--shards", ONE, "--results", str(tmp_path), OCL_ICD_VENDORS=str(tmp_path / "none"))
    assert done.returncode == 2
    assert "no GPU that OpenCL can use" in done.stderr
    assert "fix:" in done.stderr
    assert not list(tmp_path.glob("tests-*"))


def test_an_opencl_device_that_is_a_processor_is_no_gpu(a_device, tmp_path):
    code = "import lapack_py, sys; sys.exit(any(not device.is_cpu for device in lapack_py.devices()))"
    if subprocess.run([sys.executable, "-c", code], check=False).returncode:
        pytest.skip("this machine has a GPU")
    done = run("--shards", ONE, "--results", str(tmp_path))
    assert done.returncode == 2
    assert "no GPU that OpenCL can use; devices: " in done.stderr
    assert "none at all" not in done.stderr


def test_a_measurement_that_looks_slower_is_made_again_and_the_best_counts(a_device, tmp_path):
    results, baseline = tmp_path / "results", tmp_path / "baseline"
    write_host(results / "host.json", 2e-3)
    write_host(baseline / "some/host.json", 1e-3)
    write_host(tmp_path / "measured.json", 1e-3)
    # The benchmark is replaced, all else is run as it is.
    write_program(
        tmp_path / "python",
        f'#!/bin/sh\ncase "$1" in bench/gpu_host.py) cp {tmp_path}/measured.json "$2" ;; '
        f'*) exec {sys.executable} "$@" ;; esac\n',
    )
    options = ["--any-device", "--shards", "host", "--results", str(results), "--baseline", str(baseline)]
    done = run(*options, PYTHON=str(tmp_path / "python"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "host looks slower: round 2 of 3" in done.stdout
    (results / "host-2.json").unlink()
    write_host(tmp_path / "measured.json", 2e-3)
    done = run(*options, PYTHON=str(tmp_path / "python"))
    assert done.returncode == 1
    assert "round 3 of 3" in done.stdout
    assert json.loads((results / "summary.json").read_text())["comparison"] == "slower"


def test_a_benchmark_that_gives_nothing_is_named(a_device, tmp_path):
    done = run("--any-device", "--shards", "gemm", "--results", str(tmp_path), CARGO_TARGET_DIR=str(tmp_path))
    assert done.returncode == 1
    assert "gemm gave no results" in done.stdout
    assert "gemm gave no results (exit status 1)" in done.stderr
    assert "cargo build --release" in done.stdout


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--shards", "everything"], "unknown shard everything"),
        (["--shards", "tests-test_nothing"], "no file for the shard tests-test_nothing"),
        (["--rounds", "0"], "--rounds is a number from 1 to 9, not 0"),
        (["--results"], "--results needs a value"),
        (["--fast"], "unknown option --fast"),
    ],
)
def test_wrong_options_are_refused_in_a_line(options, text):
    done = run(*options)
    assert done.returncode == 2
    assert text in done.stderr
    assert len(done.stderr.splitlines()) == 1
